@testable import ClusterClient
import DeviceCore
import DeviceProtocols
import NIOCore
import Outbox
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct DeliveryTests {
    @Test(arguments: SMQDeliveryLevel.allCases) func messagesArriveInOrderAndAreAcknowledged(
        _ level: SMQDeliveryLevel
    ) async throws {
        let node = try await TestNode.start()
        let rig = try await DeliveryRig()
        let handled = Handled()
        let receiver = try await rig.receiver(node.port, into: handled)
        let sender = try await rig.sender(node.port)
        let texts = (0..<700).map { "message \($0)" }
        for text in texts { try await sender.publish(text, .log(level: level)) }
        try await sender.isDelivered()
        try await eventually("everything handled") { handled.count == texts.count }
        #expect(handled.all == texts)
        let counters = sender.client.deliveryCounters.normal
        #expect(counters.published == 700 && counters.acknowledged == 700)
        #expect(counters.underWay == 0 && counters.oldestAge == nil && counters.lastLatency != nil)
        let received = receiver.client.deliveryCounters
        #expect(received.completed == 700 && received.withdrawn == 0 && received.receivedPlain == 0)
        #expect((received.acknowledgementsSent >= 700) == (level == .endToEnd))
        try await sender.stop()
        try await receiver.stop()
        await node.stop()
    }

    /// Each message has its own barrier when they come one by one: no later one is needed to end it.
    @Test(arguments: SMQDeliveryLevel.allCases) func eachIsAcknowledgedAlone(_ level: SMQDeliveryLevel) async throws {
        let node = try await TestNode.start()
        let rig = try await DeliveryRig()
        let handled = Handled()
        let receiver = try await rig.receiver(node.port, into: handled)
        let sender = try await rig.sender(node.port)
        for number in 1...20 {
            let id = try await sender.client.publish(
                payload("\(number)"), to: .topic("events"), delivery: .log(level: level))
            #expect(id?.sequence == UInt64(number))
            try await sender.isDelivered(within: .seconds(20))
        }
        #expect(sender.client.deliveryCounters.normal.acknowledged == 20)
        try await sender.stop()
        try await receiver.stop()
        await node.stop()
    }

    @Test func whatIsPublishedOfflineComesLaterHighPriorityFirst() async throws {
        let reserved = try ReservedPort()
        let rig = try await DeliveryRig()
        let handled = Handled()
        let outbox = rig.outbox()
        let sender = try TestClient(reserved.port, "sender") { $0.outbox = outbox }
        var expected: [SMQPriority: [String]] = [:]
        for number in 0..<100 {
            for priority in [SMQPriority.low, .high, .normal] {
                let text = "\(priority.rawValue) \(number)"
                expected[priority, default: []].append(text)
                try await sender.publish(text, .log(level: .endToEnd, priority: priority))
            }
        }
        try await eventually("an age") { (sender.client.deliveryCounters.low.oldestAge ?? .zero) > .zero }
        #expect(sender.client.deliveryCounters.high.waiting == 100)
        // Nobody can have heard of anything, so the receiver is there first.
        try await sender.stop()
        let node = try await TestNode.start()
        let receiver = try await rig.receiver(node.port, into: handled)
        let again = try await rig.sender(node.port)
        try await again.isDelivered()
        try await eventually("everything handled") { handled.count == 300 }
        #expect(handled.all == [.high, .normal, .low].flatMap { (priority: SMQPriority) in expected[priority] ?? [] })
        try await again.stop()
        try await receiver.stop()
        await node.stop()
        withExtendedLifetime(reserved) {}
    }

    @Test func theLatestOfEachKeyFollowsTheAnnouncements() async throws {
        let seen = Handled()
        // Plays the broker, so that nothing can be missed.
        let server = try await FakeServer.start { connection in
            try await connection.serveHandshake(etid: 7)
            while true {
                switch try await connection.frame() {
                case .request(.create, let name):
                    try await connection.reply {
                        $0.writeSMQAck(.createack, accepted: true, id: 5, name: name)
                    }
                case .publish(_, _, _, let bytes): seen.add(String(buffer: bytes))
                case .ping: try await connection.reply { $0.writeSMQ(.pong) }
                default: break
                }
            }
        }
        var configuration = SMQClientConfiguration(
            brokers: [try BrokerURL("smq://127.0.0.1:\(server.port)")], uid: Array("sender".utf8))
        configuration.liveness = LivenessSettings(pingAfter: .seconds(60), pingTimeout: .seconds(30))
        let client = SMQClient(configuration)
        client.announce(to: "state") { payload("announcement") }
        for number in 0..<50 {
            for key in ["a", "b"] {
                try await client.publish(payload("\(key)\(number)"), to: .topic("state"), delivery: .latest(key: key))
            }
        }
        #expect(client.deliveryCounters.latestWaiting == 2 && client.deliveryCounters.latestReplaced == 98)
        let running = Task { try await client.run() }
        try await eventually("no latest waits") { client.deliveryCounters.latestWaiting == 0 }
        #expect(seen.all == ["announcement", "a49", "b49"])
        try await client.publish(payload("a50"), to: .topic("state"), delivery: .latest(key: "a"))
        try await eventually("the next") { seen.all.last == "a50" }
        running.cancel()
        _ = await running.result
        await server.stop()
    }

    @Test func whatCannotBeKeptIsSaidAtOnce() async throws {
        let rig = try await DeliveryRig()
        let outbox = rig.outbox()
        let plain = SMQClient(
            SMQClientConfiguration(brokers: [try BrokerURL("smq://127.0.0.1:1")], uid: [1, 2, 3, 4, 5, 6]))
        var configuration = plain.configuration
        configuration.outbox = outbox
        let client = SMQClient(configuration)
        func code(_ client: SMQClient, _ bytes: Int, _ to: SMQDestination, _ delivery: SMQDelivery) async -> DeviceError
            .Code?
        {
            do {
                try await client.publish(ByteBuffer(repeating: 1, count: bytes), to: to, delivery: delivery)
                return nil
            } catch { return error.code }
        }
        let peer = SMQDestination.peer(SMQPeer(id: 1, session: 1))
        #expect(await code(plain, 1, .topic("t"), .log()) == .configuration)
        #expect(await code(client, 1, peer, .log()) == .invalidArgument)
        #expect(await code(client, 1, peer, .latest(key: "k")) == .invalidArgument)
        #expect(await code(client, 1, .topic(""), .log()) == .invalidArgument)
        #expect(await code(client, 1, .topic("t"), .live) == .unavailable)
        let most = SMQSize.maximumPayload
        #expect(await code(client, most, .topic("t"), .latest(key: "k")) == nil)
        #expect(await code(client, most + 1, .topic("t"), .latest(key: "k")) == .limitExceeded)
        #expect(await code(client, most - 24, .topic("t"), .log()) == nil)
        #expect(await code(client, most - 23, .topic("t"), .log()) == .limitExceeded)
    }

    /// Who has nothing to deliver is not woken, with and without an outbox, connected or not.
    @Test func nothingToDoCostsNoWakeUps() async throws {
        let node = try await TestNode.start()
        let reserved = try ReservedPort()
        let rig = try await DeliveryRig()
        let outbox = rig.outbox()
        let clients = [
            try await TestClient.connected(node.port, "no outbox"), try await rig.sender(node.port),
            try TestClient(reserved.port, "alone"),
        ]
        try await clients[1].publish("one", .log(level: .broker))
        try await clients[1].isDelivered()
        // One more look for reports, a second later.
        try await Task.sleep(for: .milliseconds(1500))
        let before = clients.map { $0.client.delivery.state.withLock { $0.rounds } }
        try await Task.sleep(for: .milliseconds(1500))
        #expect(clients.map { $0.client.delivery.state.withLock { $0.rounds } } == before)
        for client in clients { try await client.stop() }
        await node.stop()
        withExtendedLifetime((reserved, outbox)) {}
    }

    @Test func messagesWithoutAnEnvelopeAreHandedOnAsTheyAre() async throws {
        let node = try await TestNode.start()
        let rig = try await DeliveryRig()
        let receiver = try await TestClient.connected(node.port, "receiver")
        let messages = receiver.client.receiveLogged(from: "events", deduplicator: rig.deduplicator)
        try await receiver.isSubscribed()
        let sender = try await rig.sender(node.port)
        try await sender.publish("plain, and longer than an envelope", .live)
        let plain = try await next(messages)
        #expect(plain.id == nil && String(buffer: plain.message.payload) == "plain, and longer than an envelope")
        plain.complete()
        try await sender.publish("logged", .log())
        let logged = try await next(messages)
        #expect(logged.id?.sequence == 1 && String(buffer: logged.message.payload) == "logged")
        #expect(receiver.client.deliveryCounters.receivedPlain == 1)
        logged.complete()
        try await sender.isDelivered()
        try await sender.stop()
        try await receiver.stop()
        await node.stop()
    }

    /// Acknowledgements are no messages of the application.
    @Test func acknowledgementsAreNotHandedToOthers() async throws {
        let node = try await TestNode.start()
        let rig = try await DeliveryRig()
        let handled = Handled()
        let receiver = try await rig.receiver(node.port, into: handled)
        let sender = try await rig.sender(node.port)
        let own = sender.client.subscribeToSelf()
        for number in 0..<10 { try await sender.publish("\(number)", .log()) }
        try await sender.isDelivered()
        try await sender.client.publish(payload("mine"), to: .peer(#require(sender.client.ownPeer)))
        #expect(try await String(buffer: next(own).payload) == "mine")
        try await sender.stop()
        try await receiver.stop()
        await node.stop()
    }

    @Test func whatIsWithdrawnOrForgottenComesAgain() async throws {
        let node = try await TestNode.start()
        let rig = try await DeliveryRig()
        let receiver = try await TestClient.connected(node.port, "receiver")
        let messages = receiver.client.receiveLogged(from: "events", deduplicator: rig.deduplicator)
        try await receiver.isSubscribed()
        let sender = try await rig.sender(node.port)
        try await sender.publish("one", .log())
        try await next(messages).withdraw()
        _ = try await next(messages)
        let third = try await next(messages)
        #expect(String(buffer: third.message.payload) == "one")
        #expect(sender.client.deliveryCounters.normal.acknowledged == 0)
        third.complete()
        third.withdraw()
        try await sender.isDelivered()
        let counters = receiver.client.deliveryCounters
        #expect(counters.completed == 1 && counters.withdrawn == 2)
        try await sender.stop()
        try await receiver.stop()
        await node.stop()
    }

    @Test func aHandlerThatThrowsGetsItAgain() async throws {
        let node = try await TestNode.start()
        let rig = try await DeliveryRig()
        let receiver = try await TestClient.connected(node.port, "receiver")
        let attempts = Handled()
        let handling = Task {
            await receiver.client.handleLogged(from: "events", deduplicator: rig.deduplicator) { message in
                attempts.add(message)
                if attempts.count < 3 { throw DeviceError(.busy, "not now") }
            }
        }
        let sender = try await rig.sender(node.port)
        try await sender.publish("one", .log())
        try await sender.isDelivered()
        #expect(attempts.all == ["one", "one", "one"])
        handling.cancel()
        try await sender.stop()
        try await receiver.stop()
        await node.stop()
    }

    /// Two clients of one program share what they know; two programs each get everything.
    @Test func twoReceivers() async throws {
        let node = try await TestNode.start()
        let rig = try await DeliveryRig()
        let (shared, alone) = (Handled(), Handled())
        let other = try await Deduplicator.open(directory: rig.directory("other"))
        let clients = [
            try await rig.receiver(node.port, "receiver one", into: shared),
            try await rig.receiver(node.port, "receiver two", into: shared),
            try await rig.receiver(node.port, "receiver three", deduplicator: other, into: alone),
        ]
        let sender = try await rig.sender(node.port)
        let texts = (0..<300).map { "\($0)" }
        for text in texts { try await sender.publish(text, .log(level: .endToEnd)) }
        try await sender.isDelivered()
        try await eventually("everything handled twice") { shared.count >= 300 && alone.count >= 300 }
        #expect(shared.all.sorted() == texts.sorted())
        #expect(alone.all == texts)
        try await sender.stop()
        for client in clients { try await client.stop() }
        await node.stop()
    }

    /// Nobody repeats a `.broker` message, so one that finds no room is a loss, which is told.
    @Test func moreThanMayBeHandledAtATimeIsTold() async throws {
        let node = try await TestNode.start()
        let rig = try await DeliveryRig()
        var limits = DeduplicatorLimits()
        limits.handling = 4
        let deduplicator = try await Deduplicator.open(directory: rig.directory("narrow"), limits: limits)
        let receiver = try await TestClient.connected(node.port, "receiver")
        let messages = receiver.client.receiveLogged(from: "events", deduplicator: deduplicator)
        try await receiver.isSubscribed()
        let sender = try await rig.sender(node.port)
        for number in 0..<10 { try await sender.publish("\(number)", .log(level: .broker)) }
        try await sender.isDelivered()
        try await eventually("six without room") { receiver.client.deliveryCounters.droppedUnread == 6 }
        #expect(receiver.client.deliveryCounters.duplicates == 0)
        _ = try await receiver.event("the loss") { event in
            if case .dropped(_, .slowReader) = event { true } else { nil }
        }
        for number in 0..<4 { #expect(try await String(buffer: next(messages).message.payload) == "\(number)") }
        try await sender.stop()
        try await receiver.stop()
        await node.stop()
    }

    @Test func aSlowReaderGetsEverythingInTheEnd() async throws {
        let node = try await TestNode.start()
        let rig = try await DeliveryRig()
        let receiver = try await TestClient.connected(node.port, "receiver")
        let messages = receiver.client.receiveLogged(from: "events", deduplicator: rig.deduplicator, limit: 8)
        try await receiver.isSubscribed()
        let sender = try await rig.sender(node.port) { $0.outbox?.window = 64 }
        let texts = (0..<200).map { "\($0)" }
        for text in texts { try await sender.publish(text, .log()) }
        try await eventually("a drop") { messages.dropped > 0 }
        let handled = Handled()
        let reading = Task {
            for await message in messages {
                try? await Task.sleep(for: .milliseconds(1))
                handled.add(message)
                message.complete()
            }
        }
        try await sender.isDelivered(within: .seconds(60))
        #expect(handled.all.sorted() == texts.sorted())
        #expect(receiver.client.deliveryCounters.droppedUnread == messages.dropped)
        let told = try await receiver.event("the drops") { event in
            if case .dropped(let count, .slowReader) = event { count } else { nil }
        }
        #expect(told > 0)
        reading.cancel()
        try await sender.stop()
        try await receiver.stop()
        await node.stop()
    }
}
