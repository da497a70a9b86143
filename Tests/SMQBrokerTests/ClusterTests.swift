import DeviceCore
import DeviceProtocols
import DeviceTransport
import NIOCore
import NIOPosix
import SMQBroker
import TestSupport
import Testing

@Suite(.serialized) struct ClusterTests {
    private func publish(_ client: RawClient, to id: UInt32, _ payload: String, subtopic: UInt32 = 0) async throws {
        try await client.send {
            $0.writeSMQPublish(to: id, from: client.etid, subtopic: subtopic, payload: ByteBuffer(string: payload))
        }
    }

    /// The next publish; others frames are passed over.
    private func next(_ client: RawClient) async throws -> (publisher: UInt32, payload: String) {
        while true {
            if case .publish(_, let publisher, _, let payload) = try await client.frame() {
                return (publisher, String(buffer: payload))
            }
        }
    }

    @Test func threeNodesAreOneBroker() async throws {
        let cluster = try await TestCluster.start(3)
        let publisher = try await RawClient.open(cluster.nodes[0].client, "publisher")
        var subscribers: [RawClient] = []
        for (index, node) in cluster.nodes.enumerated() {
            let subscriber = try await RawClient.open(
                node.client, "subscriber \(index)", framing: index == 1 ? .webSocket : .raw)
            _ = try await subscriber.id(.subscribe, "t")
            subscribers.append(subscriber)
        }
        let topic = try await publisher.id(.create, "t")
        // From the first message on: every suback has waited for the nodes.
        for number in 0..<20 { try await publish(publisher, to: topic, "\(number)") }
        for subscriber in subscribers {
            for number in 0..<20 { #expect(try await next(subscriber).payload == "\(number)") }
        }
        // Back to the publisher, from the last node, and on from there.
        try await publish(publisher, to: topic, "who is there?")
        let question = try await next(subscribers[2])
        try await publish(subscribers[2], to: question.publisher, "I")
        let answer = try await next(publisher)
        #expect(answer.payload == "I")
        try await publish(publisher, to: answer.publisher, "good")
        #expect(try await next(subscribers[2]) == (question.publisher, "good"))
        // And nobody had anything twice.
        for subscriber in subscribers[..<2] {
            #expect(try await next(subscriber).payload == "who is there?")
            try await subscriber.send { $0.writeSMQ(.ping) }
            #expect(try await subscriber.frame() == .pong)
        }
        await cluster.stop()
    }

    @Test func nothingIsLostRightAfterASuback() async throws {
        let cluster = try await TestCluster.start(2)
        let publisher = try await RawClient.open(cluster.nodes[0].client, "publisher")
        for round in 0..<30 {
            let name = "race \(round)"
            let topic = try await publisher.id(.create, name)
            let subscriber = try await RawClient.open(cluster.nodes[1].client, "subscriber \(round)")
            _ = try await subscriber.id(.subscribe, name)
            // At once, and as fast as it goes.
            var burst = ByteBuffer()
            for number in 0..<2000 {
                burst.writeSMQPublish(
                    to: topic, from: publisher.etid, subtopic: 0, payload: ByteBuffer(string: "\(number)"))
            }
            publisher.connection.post(burst)
            for number in 0..<2000 {
                let got = try await next(subscriber).payload
                guard got == "\(number)" else { throw Late(description: "round \(round): \(got), not \(number)") }
            }
            subscriber.connection.close()
        }
        #expect(try await cluster.nodes[1].cluster.statistics.lateConfirmations == 0)
        await cluster.stop()
    }

    @Test func aClientThatGoesIsReportedOnTheOtherNode() async throws {
        let cluster = try await TestCluster.start(2)
        let observer = try await RawClient.open(cluster.nodes[0].client, "observer")
        let device = try await RawClient.open(cluster.nodes[1].client, "device")
        _ = try await observer.id(.subscribe, "t")
        try await publish(device, to: try await device.id(.create, "t"), "here")
        let phantom = try await next(observer).publisher
        try await observer.send { $0.writeSMQ(.observe, id: phantom) }
        try await observer.barrier()
        device.connection.close()
        #expect(try await observer.frame() == .change(id: phantom, subscribers: 0))
        await cluster.stop()
    }

    @Test func aNodeThatComesBackIsLinkedAgainWithinASecond() async throws {
        var cluster = try await TestCluster.start(2)
        let subscriber = try await RawClient.open(cluster.nodes[0].client, "subscriber")
        _ = try await subscriber.id(.subscribe, "t")
        for round in 0..<3 {
            await cluster.nodes[1].stop()
            try await cluster.nodes[0].linked(0)
            // Long enough for several attempts in vain.
            try await Task.sleep(for: .seconds(1))
            let start = ContinuousClock.now
            cluster.nodes[1] = try await cluster.node(1)
            try await cluster.nodes[1].linked(1)
            // Both dial; this machine may be busy, so the bound is not the promise of one second itself.
            #expect(ContinuousClock.now - start < .seconds(5))
            let publisher = try await RawClient.open(cluster.nodes[1].client, "publisher")
            let topic = try await publisher.id(.create, "t")
            try await cluster.nodes[0].linked(1)
            try await publish(publisher, to: topic, "round \(round)")
            #expect(try await next(subscriber).payload == "round \(round)")
        }
        await cluster.stop()
    }

    @Test func severalNodesOnOneAddressAndThemselvesAmongTheirPeers() async throws {
        let ports = try (0..<3).map { _ in try ReservedPort() }
        let peers = ports.map { ResolverTarget("localhost", port: $0.port) }
        var nodes: [TestNode] = []
        for port in ports { nodes.append(try await TestNode.start(links: port.port, peers: peers)) }
        for node in nodes { try await node.linked(2) }
        // For a moment there may be two to the same node.
        let first = nodes[0]
        try await eventually("one to each") {
            let links = try await first.cluster.links
            return links.count == 2 && Set(links.map(\.nodeID)).count == 2
        }
        for node in nodes { await node.stop() }
    }

    @Test func anotherPasswordIsNoLink() async throws {
        let node = try await TestNode.start(peers: [])
        let stranger = try await TestNode.start(
            peers: [ResolverTarget("127.0.0.1", port: node.links.port)], password: "something else entirely")
        try await eventually("the password was refused") {
            let closed = try await node.cluster.statistics.closed
            return closed[.wrongPassword, default: 0] > 0 || closed[.connectionLost, default: 0] > 0
        }
        #expect(try await node.cluster.linksUp == 0)
        #expect(try await stranger.cluster.linksUp == 0)
        await stranger.stop()
        await node.stop()
    }

    /// A peer that speaks the handshake and then reads nothing.
    @Test func aNodeThatHangsDelaysNobody() async throws {
        let node = try await TestNode.start(peers: []) { $0.limits.queuedBytesPerLink = 1 << 20 }
        let peer = try await FakeNode.connect(port: node.links.port)
        try await peer.send { $0.writeSMQLink(.subscribe, channel: $1, id: 77, name: ByteBuffer(string: "t")) }
        try await node.linked(1)
        try await peer.connection.stopReading()
        let subscriber = try await RawClient.open(node.client, "subscriber")
        let topic = try await subscriber.id(.subscribe, "t")
        let publisher = try await RawClient.open(node.client, "publisher")
        let payload = ByteBuffer(repeating: 1, count: 10_000)
        var burst = ByteBuffer()
        for _ in 0..<100 { burst.writeSMQPublish(to: topic, from: publisher.etid, subtopic: 0, payload: payload) }
        var received = 0
        for _ in 0..<60 {
            publisher.connection.post(burst)
            for _ in 0..<100 {
                _ = try await next(subscriber)
                received += 1
            }
        }
        #expect(received == 6000)
        try await eventually("the link was dropped") { try await node.cluster.statistics.closed[.queueFull] == 1 }
        #expect(try await node.cluster.linksUp == 0)
        peer.connection.close()
        await node.stop()
    }

    @Test func aSilentNodeIsDropped() async throws {
        let node = try await TestNode.start(peers: []) { $0.cluster?.settings.link.deadAfter = .milliseconds(600) }
        let peer = try await FakeNode.connect(port: node.links.port)
        try await eventually("it was dropped") { try await node.cluster.statistics.closed[.dead] == 1 }
        peer.connection.close()
        await node.stop()
    }

    @Test func garbageOnTheLinkPortHarmsNobody() async throws {
        let node = try await TestNode.start(peers: []) { $0.cluster?.settings.link.handshake = .milliseconds(300) }
        var random = SplitMix64(seed: 1)
        for round in 0..<60 {
            let connection = try await RawConnection.connect(port: node.links.port)
            var bytes = ByteBuffer()
            if round % 3 == 1 { bytes.writeSMQLinkGreeting(weight: 5) }
            if round % 3 == 2 { bytes.writeString("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n") }
            for _ in 0..<(round * 400) { bytes.writeInteger(UInt8.random(in: 0...255, using: &random)) }
            connection.post(bytes)
            if round % 2 == 0 { connection.close() } else { try await connection.closed() }
        }
        try await eventually("all are gone") {
            try await node.cluster.statistics.closed.values.reduce(0, +) >= 60
        }
        let cluster = try await node.cluster
        #expect(cluster.links.isEmpty)
        #expect(await node.broker.snapshot().queuedBytes == 0)
        // A flood of connections that say nothing: some are refused, all end.
        var silent: [RawConnection] = []
        for _ in 0..<40 { silent.append(try await RawConnection.connect(port: node.links.port)) }
        for connection in silent { try await connection.closed() }
        #expect(try await node.cluster.statistics.refusedAtLimit > 0)
        // And a node still gets in.
        let peer = try await FakeNode.connect(port: node.links.port)
        try await node.linked(1)
        peer.connection.close()
        await node.stop()
    }

    @Test func statusTellsOfThePeers() async throws {
        let cluster = try await TestCluster.start(2)
        let text = try await RawConnection.exchange(
            port: cluster.nodes[0].listener.address.port, "GET /status HTTP/1.0\r\n\r\n")
        let start = try #require(text.firstRange(of: "\r\n\r\n")).upperBound
        let status = try JSONValue(parsing: String(text[start...]))
        #expect(status["version"]?.stringValue == "test")
        let peer = try #require(status["peers"]?.arrayValue?.first)
        #expect(peer["up"]?.boolValue == true && peer["address"]?.stringValue == "127.0.0.2")
        let metrics = await cluster.nodes[0].broker.snapshot().metrics.map(\.text).joined()
        #expect(metrics.contains("smq_link_up 1\n"))
        await cluster.stop()
    }
}

/// A node by hand, as the vendor's are: it opens only the brokers' channel.
struct FakeNode {
    let connection: RawConnection
    let channel: UInt16

    static func connect(port: Int, password: String = "a test's password") async throws -> FakeNode {
        let connection = try await RawConnection.connect(port: port)
        let settings = SMQLinkStateMachine.Settings(password: Array(password.utf8), crypto: OpenSSLCrypto())
        var machine = SMQLinkStateMachine(
            settings, random: 4711, channels: (smq: 300, node: 301), now: MonotonicTime.zero)
        var output = ByteBuffer()
        machine.greet(into: &output)
        try await connection.send(output)
        let greeting = try await connection.take(18)
        output.clear()
        _ = try machine.receive(id: 0, greeting.dropHead, now: .zero, into: &output)
        try machine.prove(into: &output)
        try await connection.send(output)
        let proof = try await connection.take(70)
        output.clear()
        _ = try machine.receive(id: 0, proof.dropHead, now: .zero, into: &output)
        machine.open(.smq, into: &output)
        try await connection.send(output)
        // Theirs, and the one of nodes that are not the vendor's.
        var channel: UInt16?
        while channel == nil {
            let head = try await connection.take(6)
            let length = head.getInteger(at: head.readerIndex, as: UInt32.self) ?? 6
            var data = try await connection.take(Int(length) - 6)
            let id = data.readInteger(as: UInt16.self)
            if String(buffer: data) == "SMQ-1" { channel = id }
        }
        return FakeNode(connection: connection, channel: channel ?? 0)
    }

    func send(_ write: (inout ByteBuffer, UInt16) -> Void) async throws {
        var bytes = ByteBuffer()
        write(&bytes, channel)
        try await connection.send(bytes)
    }
}

extension ByteBuffer {
    fileprivate var dropHead: ByteBuffer { getSlice(at: readerIndex + 6, length: readableBytes - 6) ?? ByteBuffer() }
}
