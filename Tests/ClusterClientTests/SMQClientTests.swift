import ClusterClient
import DeviceCore
import DeviceProtocols
import NIOCore
import SMQBroker
import TestSupport
import Testing

@Suite struct SMQClientTests {
    @Test(arguments: [SMQFraming.raw, .webSocket]) func publishesAndReceives(_ framing: SMQFraming) async throws {
        let node = try await TestNode.start()
        let receiver = try TestClient(node.port, "receiver", framing: framing)
        let all = receiver.client.subscribe(to: "topic")
        let some = receiver.client.subscribe(to: "topic", subtopic: "sub")
        let own = receiver.client.subscribeToSelf()
        let observation = receiver.client.observe(.topic("topic"))
        try await receiver.connected()
        #expect(receiver.client.isConnected && receiver.client.address == "127.0.0.1")
        #expect(try await next(observation) == 1)

        let sender = try await TestClient.connected(node.port, "sender", framing: framing)
        try await sender.client.publish(payload("plain"), to: .topic("topic"))
        try await sender.client.publish(payload("with sub"), to: .topic("topic"), subtopic: "sub")
        try await sender.client.publish(payload("other sub"), to: .topic("topic"), subtopic: "other")
        var texts: [String] = []
        for _ in 0..<3 {
            let message = try await next(all)
            #expect(message.topic == "topic" && message.publisher.id == sender.client.ownPeer?.id)
            texts.append("\(String(buffer: message.payload)), \(message.subtopic ?? "none")")
        }
        // The receiver does not use "other", so it does not know its name.
        #expect(texts == ["plain, none", "with sub, sub", "other sub, none"])
        #expect(try await String(buffer: next(some).payload) == "with sub")

        let toSelf = try await next(all: receiver, from: sender)
        try await sender.client.publish(payload("to you"), to: .peer(toSelf))
        let message = try await next(own)
        #expect(String(buffer: message.payload) == "to you" && message.topic == nil)

        some.cancel()
        all.cancel()
        #expect(try await next(observation) == 0)
        try await sender.stop()
        try await receiver.stop()
        await node.stop()
    }

    /// Nobody has to remember to cancel: what nobody holds or reads any more is unsubscribed.
    @Test func aSubscriptionThatIsLetGoEnds() async throws {
        let node = try await TestNode.start()
        let receiver = try await TestClient.connected(node.port, "receiver")
        let watcher = try await TestClient.connected(node.port, "watcher")
        let counts = watcher.client.observe(.topic("topic"))
        #expect(try await next(counts) == 0)
        let reading = Task { for await _ in receiver.client.subscribe(to: "topic") { break } }
        #expect(try await next(counts) == 1)
        try await watcher.client.publish(payload("first"), to: .topic("topic"))
        #expect(try await next(counts) == 0)
        await reading.value
        try await watcher.stop()
        try await receiver.stop()
        await node.stop()
    }

    @Test func oneRunAtATime() async throws {
        let node = try await TestNode.start()
        let receiver = try await TestClient.connected(node.port, "receiver")
        let error = await #expect(throws: DeviceError.self) { try await receiver.client.run() }
        #expect(error?.code == .invalidArgument)
        #expect(receiver.client.isConnected)
        try await receiver.stop()
        await node.stop()
    }

    /// A program may be asked to end before its client has begun.
    @Test(.timeLimit(.minutes(2))) func aRunThatWasCancelledBeforeItBeganEnds() async throws {
        let broker = try BrokerURL("smq://127.0.0.1:9/smq.lsp")
        let client = SMQClient(SMQClientConfiguration(brokers: [broker], uid: Array("cancelled".utf8)))
        let run = Task {
            while !Task.isCancelled { await Task.yield() }
            try await client.run()
        }
        run.cancel()
        try await run.value
    }

    /// The receiver as the sender knows it.
    private func next(all receiver: TestClient, from sender: TestClient) async throws -> SMQPeer {
        let hello = sender.client.subscribe(to: "hello")
        let observation = sender.client.observe(.topic("hello"))
        #expect(try await ClusterClientTests.next(observation) == 1)
        try await receiver.client.publish(payload("hello"), to: .topic("hello"))
        defer {
            hello.cancel()
            observation.cancel()
        }
        return try await ClusterClientTests.next(hello).publisher
    }

    private func next<Stream: AsyncSequence & Sendable>(
        _ stream: Stream
    ) async throws -> Stream.Element where Stream.Element: Sendable { try await ClusterClientTests.next(stream) }

    @Test func aPublisherHearsItselfAndKeepsTheOrder() async throws {
        let node = try await TestNode.start()
        let client = try await TestClient.connected(node.port)
        let topic = client.client.subscribe(to: "topic")
        for number in 0..<200 {
            try await client.client.publish(
                payload("\(number)"), to: .topic("topic"), subtopic: number.isMultiple(of: 3) ? "s\(number % 7)" : nil)
        }
        for number in 0..<200 { #expect(try await String(buffer: next(topic).payload) == "\(number)") }
        try await client.stop()
        await node.stop()
    }

    @Test(arguments: [SMQFraming.raw, .webSocket]) func theLargestPayload(_ framing: SMQFraming) async throws {
        let node = try await TestNode.start()
        let client = try await TestClient.connected(node.port, framing: framing)
        let topic = client.client.subscribe(to: "topic")
        let large = ByteBuffer(repeating: 7, count: SMQSize.maximumPayload)
        try await client.client.publish(large, to: .topic("topic"))
        #expect(try await next(topic).payload == large)
        // Too long is too long at once, even while the topic's id is not known.
        for name in ["topic", "new topic"] {
            let error = await #expect(throws: DeviceError.self) {
                try await client.client.publish(
                    ByteBuffer(repeating: 7, count: SMQSize.maximumPayload + 1), to: .topic(name))
            }
            #expect(error?.code == .limitExceeded)
        }
        try await client.stop()
        await node.stop()
    }

    @Test func requestAndReply() async throws {
        let node = try await TestNode.start()
        let server = try TestClient(node.port, "server")
        let requests = server.client.subscribe(to: "requests")
        try await server.connected()
        let client = try await TestClient.connected(node.port, "client")
        let serving = Task {
            for await request in requests {
                let text = String(buffer: request.payload)
                guard text != "ignore" else { continue }
                try await server.client.publish(payload("noise"), to: .peer(request.publisher))
                try await server.client.publish(payload("re: " + text), to: .peer(request.publisher))
            }
        }
        let observation = client.client.observe(.topic("requests"))
        #expect(try await next(observation) == 1)
        let answer = try await client.client.request(
            payload("one"), to: .topic("requests"), timeout: .seconds(20),
            matching: { String(buffer: $0.payload).hasPrefix("re:") })
        #expect(String(buffer: answer.payload) == "re: one")
        let error = await #expect(throws: DeviceError.self) {
            try await client.client.request(payload("ignore"), to: .topic("requests"), timeout: .milliseconds(50))
        }
        #expect(error?.code == .timedOut)
        serving.cancel()
        try await client.stop()
        try await server.stop()
        await node.stop()
    }

    @Test func aPeersEndIsSeenOnce() async throws {
        let node = try await TestNode.start()
        let watcher = try await TestClient.connected(node.port, "watcher")
        let hello = watcher.client.subscribe(to: "hello")
        #expect(try await next(watcher.client.observe(.topic("hello"))) == 1)
        let device = try await TestClient.connected(node.port, "device")
        try await device.client.publish(payload("hi"), to: .topic("hello"))
        let observation = watcher.client.observe(.peer(try await next(hello).publisher))
        // A round trip, so that the broker has seen the wish.
        try await watcher.client.publish(payload("barrier"), to: .topic("hello"))
        _ = try await next(hello)
        try await device.stop()
        var counts: [Int] = []
        for await count in observation { counts.append(count) }
        #expect(counts == [0])
        try await watcher.stop()
        await node.stop()
    }

    @Test func whatCannotBeSentIsAnErrorNow() async throws {
        let node = try await TestNode.start()
        let client = SMQClient(SMQClientConfiguration(brokers: [try BrokerURL("smq://127.0.0.1:1")], uid: [1]))
        let offline = await #expect(throws: DeviceError.self) {
            try await client.publish(payload("x"), to: .topic("topic"))
        }
        #expect(offline?.code == .unavailable)
        let running = try await TestClient.connected(node.port)
        let stranger = SMQPeer(id: 5, session: 99)
        let stale = await #expect(throws: DeviceError.self) {
            try await running.client.publish(payload("x"), to: .peer(stranger))
        }
        #expect(stale?.code == .closed)
        // An observation of such a peer ends at once.
        #expect(try await next(running.client.observe(.peer(stranger))) == 0)
        #expect(try await next(client.observe(.peer(stranger))) == 0)
        try await running.stop()
        await node.stop()
    }

    @Test func deniedNames() async throws {
        let node = try await TestNode.start { configuration in
            configuration.permit = { request in
                switch request.operation {
                case .create: request.name == "write-only"
                case .subscribe: request.name == "read-only"
                case .createSubtopic: request.name == "sub"
                }
            }
        }
        let client = try await TestClient.connected(node.port)
        _ = client.client.subscribe(to: "write-only")
        let name = try await client.event("a denial") { if case .denied(let name) = $0 { name } else { nil } }
        #expect(name == "write-only")
        // Who may not listen may still speak.
        let observation = client.client.observe(.topic("write-only"))
        #expect(try await next(observation) == 0)
        try await client.client.publish(payload("x"), to: .topic("write-only"), subtopic: "sub")
        for (topic, subtopic) in [("closed", nil), ("write-only", "closed sub")] {
            try? await client.client.publish(payload("x"), to: .topic(topic), subtopic: subtopic)
            let name = try await client.event("a denial") { if case .denied(let name) = $0 { name } else { nil } }
            #expect(name == subtopic ?? topic)
            let error = await #expect(throws: DeviceError.self) {
                try await client.client.publish(payload("x"), to: .topic(topic), subtopic: subtopic)
            }
            #expect(error?.code == .refused)
        }
        // Who may not speak may still listen, and a second listener too.
        try? await client.client.publish(payload("x"), to: .topic("read-only"))
        let first = client.client.subscribe(to: "read-only")
        _ = try await client.event("a denial") { if case .denied("read-only") = $0 { true } else { nil } }
        let second = client.client.subscribe(to: "read-only")
        try await eventually("the subscription") { await node.broker.snapshot().topics == 2 }
        #expect(first.topic == second.topic)
        try await client.stop()
        await node.stop()
    }
}
