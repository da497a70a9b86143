import ClusterClient
import DeviceCore
import DeviceProtocols
import DeviceSDK
import DeviceTransport
import Logging
import NIOCore
import NIOPosix
import SMQBroker
import ServiceLifecycle
import TestSupport
import Testing

@testable import LEDDemo

/// What a watcher gets by HTTP: from a device with a broker of its own, and from one with a monitor.
@Suite struct OperationTests {
    private static let logger = Logger(label: "test")

    private func get(_ port: Int, _ path: String) async throws -> (head: String, body: String) {
        let answer = try await RawConnection.exchange(
            port: port, "GET \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nConnection: close\r\n\r\n")
        let parts = answer.split(separator: "\r\n\r\n", maxSplits: 1)
        return (String(parts.first ?? ""), parts.count == 2 ? String(parts[1]) : "")
    }

    private func health(_ port: Int) async throws -> (status: String, json: JSONValue) {
        let answer = try await get(port, "/health")
        return (String(answer.head.dropFirst(9).prefix(3)), try JSONValue(parsing: answer.body))
    }

    /// The value of a line of Prometheus' text.
    private func value(_ text: String, _ name: String) -> Substring? {
        text.split(separator: "\n").first { $0.hasPrefix(name + " ") }?.split(separator: " ").last
    }

    @Test func aDeviceWithItsOwnBrokerTellsOfBoth() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let known = Locked<SMQClient?>(nil)
        let embedded = try await EmbeddedBroker.start(
            on: ListenAddress(host: "127.0.0.1", port: 0), defaultHost: "127.0.0.1", access: .init(),
            device: { known.withLock { $0 } }, eventLoop: group.next(), logger: Self.logger)
        let port = embedded.listener.address.port
        let before = try await health(port)
        #expect(before.status == "503" && before.json["live"] == true && before.json["ready"] == false)

        let client = SMQClient(
            SMQClientConfiguration(brokers: [embedded.ownURL], uid: Array("device-1".utf8)), logger: Self.logger)
        known.withLock { $0 = client }
        // As a service of a program's group: it ends with the group, and says goodbye.
        let services = ServiceGroup(services: [SMQClientService(client)], logger: Self.logger)
        let running = Task { try await services.run() }
        try await eventually("a session") { client.isConnected }
        let after = try await health(port)
        #expect(after.status == "200" && after.json["ready"] == true && after.json["state"] == "connected")
        #expect(after.json["node"]?.stringValue == client.currentStatus.node)
        #expect(after.json["waiting"] == 0 && after.json["dropped"] == 0 && after.json["moves"] == 0)
        let metrics = try await get(port, "/metrics").body
        #expect(value(metrics, "smq_client_connected") == "1")
        #expect(value(metrics, "smq_client_node{node=\"\(client.currentStatus.node ?? "")\"}") == "1")
        #expect(value(metrics, "smq_client_sessions_total") == "1")
        #expect(metrics.contains("smq_broker_"))

        await services.triggerGracefulShutdown()
        try await within { try await running.value }
        try await eventually("the goodbye") {
            await embedded.broker.snapshot().statistics.closed == [.clientDisconnected: 1]
        }
        #expect(try await health(port).json["state"] == "connecting")
        await embedded.stop()
        try await group.shutdownGracefully()
    }

    /// `--monitor`: ready while connected, with the history of moves.
    @Test func aMonitorTellsOfNodeMovesAndDrops() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let address = ListenAddress(host: "127.0.0.1", port: 0)
        var brokers: [EmbeddedBroker] = []
        for _ in 0..<2 {
            brokers.append(
                try await EmbeddedBroker.start(
                    on: address, defaultHost: "127.0.0.1", access: .init(), device: { nil }, eventLoop: group.next(),
                    logger: Self.logger))
        }
        let directory = try TemporaryDirectory()
        var configuration = SMQClientConfiguration(brokers: brokers.map(\.ownURL), uid: Array("device-1".utf8))
        configuration.outbox = SMQOutboxConfiguration(directory: directory("outbox"))
        let client = SMQClient(configuration, logger: Self.logger)
        let monitor = try await Monitor.start(
            on: address, client: client, eventLoop: group.next(), logger: Self.logger)
        let port = monitor.listener.address.port
        #expect(monitor.url == "http://127.0.0.1:\(port)/health" && monitor.token == nil)
        #expect(try await health(port).status == "503")
        let running = Task { try await client.run() }
        try await eventually("a session") { client.isConnected }
        // Nobody acknowledges it, so it stays in the queue.
        try await client.publish(
            ByteBuffer(string: "kept"), to: .topic("t"), delivery: .log(level: .endToEnd))
        let before = try #require(client.currentStatus.node)
        let place = brokers.firstIndex { before.contains(":\($0.listener.address.port)") } ?? 0
        await brokers[place].stop()
        try await eventually("a move") { client.currentStatus.moves == 1 && client.isConnected }
        let answer = try await health(port)
        #expect(answer.status == "200" && answer.json["live"] == true && answer.json["moves"] == 1)
        #expect(answer.json["recentMoves"]?[0]?["from"]?.stringValue == before)
        #expect(answer.json["recentMoves"]?[0]?["cause"] == "goodbye")
        #expect(answer.json["recentMoves"]?[0]?["gap"]?.integerValue != nil)
        #expect(answer.json["waiting"] == 1)
        let metrics = try await get(port, "/metrics").body
        #expect(value(metrics, "smq_client_moves_total") == "1")
        #expect(value(metrics, "smq_client_losses_total{cause=\"goodbye\"}") == "1")
        #expect(value(metrics, "smq_outbox_waiting{priority=\"normal\"}") == "1")
        running.cancel()
        try? await running.value
        await monitor.stop()
        await brokers[1 - place].stop()
        try await group.shutdownGracefully()
    }
}
