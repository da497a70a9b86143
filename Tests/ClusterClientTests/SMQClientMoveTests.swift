import ClusterClient
import DeviceCore
import DeviceProtocols
import DeviceTransport
import Logging
import NIOCore
import SMQBroker
import TestSupport
import Testing

/// Moves from node to node: by a standby, by draining, by a name's addresses.
@Suite struct SMQClientMoveTests {
    private func url(_ node: TestNode) throws -> BrokerURL { try BrokerURL("smq://127.0.0.1:\(node.port)") }

    private func client(
        _ nodes: [TestNode], _ set: (inout SMQClientConfiguration) -> Void = { _ in }
    ) throws -> TestClient {
        let urls = try nodes.map(url)
        return try TestClient(nodes[0].port) {
            $0.brokers = urls
            set(&$0)
        }
    }

    private func move(_ client: TestClient) async throws -> SMQMove {
        try await client.event("a move") { if case .moved(let move) = $0 { move } else { nil } }
    }

    @Test func aStandbyTakesOverWithAllWishes() async throws {
        let nodes = [try await TestNode.start(), try await TestNode.start()]
        let client = try client(nodes) { $0.keepsStandby = true }
        client.client.announce(to: "devices") { payload("here") }
        let topic = client.client.subscribe(to: "topic")
        try await client.connected()
        try await eventually("a standby") { client.client.currentStatus.standby != nil }
        let status = client.client.currentStatus
        let first = try #require(status.node)
        let index = first.contains(":\(nodes[0].port)/") ? 0 : 1
        // It asks for nothing until it is needed.
        #expect(await nodes[1 - index].broker.snapshot().topics == 0)
        let watcher = try await TestClient.connected(nodes[1 - index].port, "watcher")
        let devices = watcher.client.subscribe(to: "devices")

        await nodes[index].stop()
        let move = try await move(client)
        #expect(move.from == first && move.to == status.standby && move.cause == .goodbye)
        #expect(try await String(buffer: next(devices).payload) == "here")
        try await eventually("the message") {
            try await watcher.client.publish(payload("to all"), to: .topic("topic"))
            return client.client.currentStatus.sessions == 2
        }
        #expect(try await String(buffer: next(topic).payload) == "to all")
        let end = client.client.currentStatus
        #expect(end.moves == 1 && end.recentMoves == [move] && end.losses == [.goodbye: 1])
        try await client.stop()
        try await watcher.stop()
        await nodes[1 - index].stop()
    }

    /// While both sessions overlap nothing is lost: what is published before, in between and after arrives.
    @Test(arguments: [true, false]) func drainingLosesNothing(_ keepsStandby: Bool) async throws {
        let nodes = [try await TestNode.start(), try await TestNode.start()]
        let device = try client(nodes) { $0.keepsStandby = keepsStandby }
        let inbox = device.client.subscribe(to: "to device", limit: 100_000)
        try await device.connected()
        let node = try #require(device.client.currentStatus.node)
        let index = node.contains(":\(nodes[0].port)/") ? 0 : 1
        var watchers: [TestClient] = []
        let arrived = Locked(0)
        for node in nodes {
            let watcher = try await TestClient.connected(node.port, "watcher")
            let topic = watcher.client.subscribe(to: "from device", limit: 100_000)
            let counting: @Sendable () async -> Void = { for await _ in topic { arrived.withLock { $0 += 1 } } }
            Task(operation: counting)
            watchers.append(watcher)
        }
        for node in nodes {
            try await eventually("the subscription") { await node.broker.snapshot().topics >= 1 }
        }
        let draining = Task { await nodes[index].broker.drain(within: .zero, grace: .seconds(20)) }
        var sent = 0
        var moved: SMQMove?
        let moving = Task { try await move(device) }
        let isMoved = Locked(false)
        Task {
            _ = try? await moving.value
            isMoved.withLock { $0 = true }
        }
        for round in 0..<4000 {
            try await device.client.publish(payload("\(sent)"), to: .topic("from device"))
            sent += 1
            // To the device, through the node that is left, as long as it is there.
            if round % 10 == 0 {
                try? await watchers[index].client.publish(payload("in"), to: .topic("to device"))
                if isMoved.withLock({ $0 }), round > 200 { break }
                try await Task.sleep(for: .milliseconds(1))
            }
        }
        moved = try await within(.seconds(90), "the move") { try await moving.value }
        #expect(moved?.cause == .drained && moved?.gap == .zero)
        let published = sent
        try await eventually("every message") { arrived.withLock { $0 } >= published }
        // The watcher stays at its node, so it has to be told to go before the node is empty.
        for watcher in watchers { try await watcher.stop() }
        await draining.value
        #expect(arrived.withLock { $0 } == sent)
        #expect(device.client.isConnected)
        try await device.stop()
        withExtendedLifetime(inbox) {}
        for node in nodes { await node.stop() }
    }

    /// A broker that drains refuses who comes new, with the code that says "later".
    @Test func whoDrainsTakesNobody() async throws {
        let nodes = [try await TestNode.start(), try await TestNode.start()]
        await nodes[0].broker.drain(within: .zero)
        let client = try client(nodes)
        try await client.connected()
        #expect(client.client.currentStatus.node?.contains(":\(nodes[1].port)/") == true)
        try await client.stop()
        for node in nodes { await node.stop() }
    }

    /// A standby at the same node by its other address puts out the session: no reason to give up, nor to do it again.
    @Test func twoAddressesOfOneNodeAreNoRivals() async throws {
        let node = try await TestNode.start()
        let other = try await HTTPListener.start(
            on: ListenAddress(host: "127.0.0.2", port: 0), eventLoop: node.broker.eventLoop,
            routes: node.broker.routes(), access: HTTPAccessPolicy(names: ["127.0.0.2"]), logger: Logger(label: "test"))
        let urls = [
            try BrokerURL("smq://127.0.0.1:\(node.port)"), try BrokerURL("smq://127.0.0.2:\(other.address.port)"),
        ]
        let client = try TestClient(node.port) {
            $0.brokers = urls
            $0.keepsStandby = true
        }
        let topic = client.client.subscribe(to: "topic")
        let moved = try await move(client)
        #expect(moved.from != moved.to)
        try await Task.sleep(for: .milliseconds(500))
        #expect(client.client.isConnected && client.client.currentStatus.moves == 1)
        try await client.client.publish(payload("still here"), to: .topic("topic"))
        #expect(try await String(buffer: next(topic).payload) == "still here")
        try await client.stop()
        await other.close()
        await node.stop()
    }

    /// A silent node is left although it takes everything that is sent.
    @Test func silenceIsNoticedWhileSending() async throws {
        let silent = try await FakeServer.start { connection in
            try await connection.serveHandshake(etid: 9)
            try await connection.closed()
        }
        let node = try await TestNode.start()
        let client = try TestClient(silent.port) {
            $0.liveness = LivenessSettings(pingAfter: .milliseconds(300), pingTimeout: .milliseconds(300))
        }
        try await client.connected()
        let sending = Task {
            while !Task.isCancelled {
                try? await client.client.publish(payload("x"), to: .topic("topic"))
                try? await Task.sleep(for: .milliseconds(5))
            }
        }
        let reason = try await client.disconnected().reason
        #expect(reason.contains("ping"))
        #expect(client.client.currentStatus.losses[.silence] == 1)
        sending.cancel()
        try await client.stop()
        await silent.stop()
        await node.stop()
    }
}
