import ClusterClient
import DeviceCore
import DeviceProtocols
import NIOCore
import Outbox
import SMQBroker
import TestSupport
import Testing

/// Brokers that die, freeze and come back in the middle of a stream. Receivers that hear both nodes decide what was lost.
@Suite(.timeLimit(.minutes(3))) struct DeliveryFaultTests {
    /// Publishes until told to stop.
    private func produce(_ sender: TestClient, _ level: SMQDeliveryLevel, while isGoingOn: Switch) async throws
        -> [String]
    {
        var texts: [String] = []
        while isGoingOn.isOn {
            let text = "message \(texts.count)"
            try await sender.publish(text, .log(level: level))
            texts.append(text)
            try await Task.sleep(for: .milliseconds(1))
        }
        return texts
    }

    @Test(arguments: SMQDeliveryLevel.allCases) func aNodeDiesInTheMiddleOfAStream(
        _ level: SMQDeliveryLevel
    ) async throws {
        let nodes = [try await TestNode.start(), try await TestNode.start()]
        let rig = try await DeliveryRig()
        let handled = Handled()
        let receivers = [
            try await rig.receiver(nodes[0].port, "receiver one", into: handled),
            try await rig.receiver(nodes[1].port, "receiver two", into: handled),
        ]
        let sender = try await rig.sender(nodes[0].port) { configuration in
            configuration.nodePolicy = RoundRobinPolicy()
            if let url = try? BrokerURL("smq://127.0.0.1:\(nodes[1].port)") { configuration.brokers.append(url) }
        }
        let isGoingOn = Switch()
        async let producing = produce(sender, level, while: isGoingOn)
        try await eventually("traffic") { handled.count > 50 }
        let used = sender.client.currentStatus.node?.contains(":\(nodes[0].port)") == true ? 0 : 1
        await nodes[used].stop()
        try await sender.connected()
        let before = handled.count
        try await eventually("traffic again") { handled.count > before + 100 }
        isGoingOn.turnOff()
        let texts = try await producing
        try await sender.isDelivered()
        try await eventually("everything handled") { handled.count >= texts.count }
        #expect(handled.all.sorted() == texts.sorted())
        try await sender.stop()
        for receiver in receivers { try await receiver.stop() }
        await nodes[1 - used].stop()
    }

    /// Sender and receiver lose the same broker, which comes back empty.
    @Test func theOnlyBrokerIsRestarted() async throws {
        let reserved = try ReservedPort()
        let rig = try await DeliveryRig()
        let handled = Handled()
        var node = try await TestNode.start(port: reserved.port)
        let receiver = try await rig.receiver(reserved.port, into: handled)
        let sender = try await rig.sender(reserved.port)
        let isGoingOn = Switch()
        async let producing = produce(sender, .endToEnd, while: isGoingOn)
        for _ in 0..<3 {
            let before = handled.count
            try await eventually("traffic") { handled.count > before + 30 }
            await node.stop()
            node = try await TestNode.start(port: reserved.port)
        }
        isGoingOn.turnOff()
        let texts = try await producing
        try await sender.isDelivered()
        #expect(handled.all.sorted() == texts.sorted())
        try await sender.stop()
        try await receiver.stop()
        await node.stop()
        withExtendedLifetime(reserved) {}
    }

    /// The node is frozen with messages in its sockets; the sender moves; then the node goes on with what it had.
    @Test(arguments: SMQDeliveryLevel.allCases) func aFrozenNodeThawsWithOldMessages(
        _ level: SMQDeliveryLevel
    ) async throws {
        let nodes = [try await TestNode.start(), try await TestNode.start()]
        let relays = [try await Relay.start(to: nodes[0].port), try await Relay.start(to: nodes[1].port)]
        let rig = try await DeliveryRig()
        let handled = Handled()
        let receivers = [
            try await rig.receiver(nodes[0].port, "receiver one", into: handled),
            try await rig.receiver(nodes[1].port, "receiver two", into: handled),
        ]
        let sender = try await rig.sender(relays[0].port) { configuration in
            configuration.nodePolicy = RoundRobinPolicy()
            // Not so short that a busy machine makes the sender move before the node is frozen.
            configuration.liveness = LivenessSettings(pingAfter: .milliseconds(500), pingTimeout: .seconds(3))
            if let url = try? BrokerURL("smq://127.0.0.1:\(relays[1].port)") { configuration.brokers.append(url) }
        }
        for number in 0..<50 { try await sender.publish("before \(number)", .log(level: level)) }
        try await sender.isDelivered()
        let used = sender.client.currentStatus.node?.contains(":\(relays[0].port)") == true ? 0 : 1
        relays[used].freeze(true)
        let texts = (0..<100).map { "frozen \($0)" }
        for text in texts { try await sender.publish(text, .log(level: level)) }
        try await sender.connected()
        try await sender.isDelivered()
        try await eventually("everything handled") { handled.count >= 150 }
        // Copies of all that the frozen node got.
        relays[used].freeze(false)
        try await eventually("the copies") { receivers[used].client.deliveryCounters.duplicates >= 100 }
        #expect(handled.count == 150)
        #expect(Set(handled.all).count == 150)
        #expect(sender.client.deliveryCounters.normal.repeated >= 100)
        try await sender.stop()
        for receiver in receivers { try await receiver.stop() }
        for relay in relays { await relay.stop() }
        for node in nodes { await node.stop() }
    }

    @Test func lostAcknowledgementsAreMadeGoodByRepetition() async throws {
        let node = try await TestNode.start()
        let relay = try await Relay.start(to: node.port)
        let rig = try await DeliveryRig()
        let handled = Handled()
        let receiver = try await rig.receiver(node.port, into: handled)
        let sender = try await rig.sender(relay.port)
        relay.dropPublishes(true)
        let texts = (0..<50).map { "\($0)" }
        for text in texts { try await sender.publish(text, .log()) }
        try await eventually("copies") { receiver.client.deliveryCounters.duplicates >= 50 }
        try await eventually("lost acknowledgements") { relay.dropped > 0 }
        #expect(sender.client.deliveryCounters.normal.acknowledged == 0)
        relay.dropPublishes(false)
        try await sender.isDelivered()
        #expect(handled.all == texts)
        #expect(sender.client.deliveryCounters.normal.repeated >= 50)
        #expect(sender.client.deliveryCounters.normal.acknowledged == 50)
        try await sender.stop()
        try await receiver.stop()
        await relay.stop()
        await node.stop()
    }

    /// Pongs that are missing end nothing, and those of a new session do not end the messages of the old one.
    @Test func aBrokerThatDiesBeforeItAnswersGetsNoCredit() async throws {
        let reserved = try ReservedPort()
        let rig = try await DeliveryRig()
        let outbox = rig.outbox()
        let connections = Locked(0)
        let seen = Handled()
        let server = try await FakeServer.start { connection in
            let number = connections.withLock { connections in
                connections += 1
                return connections
            }
            try await connection.serveHandshake(etid: 7)
            while true {
                switch try await connection.frame() {
                case .request(.create, let name):
                    try await connection.reply {
                        $0.writeSMQAck(.createack, accepted: true, id: 5, name: name)
                    }
                case .publish(_, _, _, let bytes):
                    seen.add(String(decoding: bytes.readableBytesView.dropFirst(24), as: UTF8.self))
                // The first two die instead of answering the ping behind the messages.
                case .ping:
                    if number <= 2 { return }
                    try await connection.reply { $0.writeSMQ(.pong) }
                default: break
                }
            }
        }
        let sender = try TestClient(server.port, "sender") { $0.outbox = outbox }
        for number in 0..<5 { try await sender.publish("\(number)", .log(level: .broker)) }
        try await sender.isDelivered()
        #expect(connections.withLock { $0 } >= 3)
        #expect(seen.all.suffix(5) == ["0", "1", "2", "3", "4"])
        #expect(sender.client.deliveryCounters.normal.acknowledged == 5)
        #expect(sender.client.deliveryCounters.normal.repeated > 0)
        try await sender.stop()
        await server.stop()
        withExtendedLifetime(reserved) {}
    }

    @Test func aTopicThatTheBrokerDoesNotPermitIsGivenUpAndTold() async throws {
        let node = try await TestNode.start { configuration in
            configuration.permit = { $0.operation != .create || $0.name == "events" }
        }
        let rig = try await DeliveryRig()
        let handled = Handled()
        let receiver = try await rig.receiver(node.port, into: handled)
        let sender = try await rig.sender(node.port)
        for number in 0..<10 {
            for level in SMQDeliveryLevel.allCases {
                try await sender.client.publish(
                    payload("\(number)"), to: .topic("closed"), delivery: .log(level: level))
            }
            try await sender.publish("\(number)", .log())
        }
        try await sender.isDelivered()
        let counters = sender.client.deliveryCounters.normal
        #expect(counters.denied == 20 && counters.acknowledged == 10)
        #expect(handled.count == 10)
        var told: UInt64 = 0
        while told < 20 {
            told += try await sender.event("what was given up") { event in
                if case .dropped(let count, .denied) = event { count } else { nil }
            }
        }
        #expect(told == 20)
        try await sender.stop()
        try await receiver.stop()
        await node.stop()
    }
}
