import ClusterClient
import DeviceCore
import DeviceProtocols
import NIOCore
import TestSupport
import Testing

@Suite struct SMQClientReconnectTests {
    /// The broker ends and comes back on the same port: every id is new, every wish holds.
    @Test(arguments: [SMQFraming.raw, .webSocket]) func theBrokerComesBack(_ framing: SMQFraming) async throws {
        let reserved = try ReservedPort()
        let port = reserved.port
        let node = try await TestNode.start(port: port)
        let device = try TestClient(port, "device", framing: framing)
        let count = Locked(0)
        device.client.announce(to: "devices", subtopic: "info") {
            payload("device \(count.withLock { count in count += 1; return count })")
        }
        let commands = device.client.subscribeToSelf()
        let page = try TestClient(port, "web page", framing: framing)
        let devices = page.client.subscribe(to: "devices", subtopic: "info")
        let observation = device.client.observe(.topic("devices"))
        #expect(try await page.connected() == 1)
        #expect(try await device.connected() == 1)
        while try await next(observation) != 1 {}
        // The first announcement can have come before the page had subscribed.
        try await device.client.publish(payload("hello"), to: .topic("devices"), subtopic: "info")
        var first = try await next(devices)
        while String(buffer: first.payload) != "hello" { first = try await next(devices) }
        #expect(first.subtopic == "info")
        try await page.client.publish(payload("on"), to: .peer(first.publisher))
        #expect(try await String(buffer: next(commands).payload) == "on")

        await node.stop()
        #expect(try await page.disconnected().reason.contains("the broker ends"))
        try await device.disconnected()
        let again = try await TestNode.start(port: port)
        try await page.connected()
        try await device.connected()
        while try await next(observation) != 1 {}
        // The second announcement, or, if the page came later, what is said now.
        try await device.client.publish(payload("back"), to: .topic("devices"), subtopic: "info")
        let second = try await next(devices)
        #expect(["device 2", "back"].contains(String(buffer: second.payload)))
        #expect(second.subtopic == "info" && second.publisher.session > first.publisher.session)
        let stale = await #expect(throws: DeviceError.self) {
            try await page.client.publish(payload("off"), to: .peer(first.publisher))
        }
        #expect(stale?.code == .closed)
        try await page.client.publish(payload("off"), to: .peer(second.publisher))
        #expect(try await String(buffer: next(commands).payload) == "off")
        #expect(count.withLock { $0 } == 2)
        try await device.stop()
        try await page.stop()
        await again.stop()
        withExtendedLifetime(reserved) {}
    }

    @Test func anotherNodeIsTried() async throws {
        let first = try await TestNode.start()
        let second = try await TestNode.start()
        let nodes = [first, second]
        let client = try TestClient(first.port) {
            if let url = try? BrokerURL("ws://127.0.0.1:\(second.port)") { $0.brokers.append(url) }
        }
        func node() async throws -> String {
            try await client.event("a session") { event in
                if case .connected(let node, _, _) = event { node } else { nil }
            }
        }
        let began = try await node()
        let addresses = ["smq://127.0.0.1:\(first.port)/smq.lsp", "ws://127.0.0.1:\(second.port)/smq.lsp"]
        let index = try #require(addresses.firstIndex(of: began))
        await nodes[index].stop()
        #expect(try await node() == addresses[1 - index])
        try await client.stop()
        await nodes[1 - index].stop()
    }

    @Test func aSecondClientWithTheSameUniqueIDTakesThePlace() async throws {
        let node = try await TestNode.start()
        let old = try await TestClient.connected(node.port, "device")
        let topic = old.client.subscribe(to: "topic")
        let new = try await TestClient.connected(node.port, "device")
        let error = try #require(try await old.end())
        #expect(error.code == .refused && error.hint != nil)
        for await _ in topic {}
        #expect(new.client.isConnected)
        try await new.stop()
        await node.stop()
    }

    /// A message in the same read as the Suback that makes its id known, and one to the ETID in the Connack's.
    @Test func messagesInTheSameReadAsTheirIDs() async throws {
        let server = try await FakeServer.start { connection in
            _ = try await connection.serveInit()
            try await connection.reply {
                $0.writeSMQConnack(.accepted, etid: 9)
                $0.writeSMQPublish(to: 9, from: 8, subtopic: 0, payload: payload("to you"))
            }
            #expect(try await connection.frame() == .request(.createsub, name: payload("sub")))
            #expect(try await connection.frame() == .request(.subscribe, name: payload("topic")))
            try await connection.reply {
                $0.writeSMQPublish(to: 9, from: 8, subtopic: 5, payload: payload("to you, too"))
                $0.writeSMQAck(.createsuback, accepted: true, id: 5, name: payload("sub"))
                $0.writeSMQAck(.suback, accepted: true, id: 7, name: payload("topic"))
                for number in 0..<3 {
                    $0.writeSMQPublish(to: 7, from: 8, subtopic: 5, payload: payload("\(number)"))
                }
            }
            try await connection.closed()
        }
        let client = try TestClient(server.port)
        let own = client.client.subscribeToSelf()
        let topic = client.client.subscribe(to: "topic", subtopic: "sub")
        for number in 0..<3 { #expect(try await String(buffer: next(topic).payload) == "\(number)") }
        #expect(try await String(buffer: next(own).payload) == "to you")
        #expect(try await String(buffer: next(own).payload) == "to you, too")
        try await client.stop()
        await server.stop()
    }

    /// The vendor's broker breaks on Unobserve, so it is never sent.
    @Test func observationsEndWithoutUnobserve() async throws {
        let server = try await FakeServer.start { connection in
            try await connection.serveHandshake(etid: 9)
            #expect(try await connection.frame() == .request(.create, name: payload("topic")))
            try await connection.reply { $0.writeSMQAck(.createack, accepted: true, id: 7, name: payload("topic")) }
            for count in UInt32(1)...20 {
                #expect(try await connection.frame() == .reference(.observe, id: 7))
                try await connection.reply { $0.writeSMQChange(id: 7, subscribers: count) }
            }
            #expect(try await connection.frame() == .disconnect(reason: ""))
        }
        let client = try await TestClient.connected(server.port)
        for count in 1...20 {
            let observation = client.client.observe(.topic("topic"))
            #expect(try await next(observation) == count)
            observation.cancel()
        }
        try await client.stop()
        await server.stop()
    }
}
