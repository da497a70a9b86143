import DeviceCore
import DeviceProtocols
import Logging
import MetricsTestKit
import SMQBroker
import TestSupport
import Testing

@testable import ClusterClient

/// What the program's metrics system hears.
@Suite struct MetersTests {
    @Test func sessionsNodesAndLossesAreEmitted() async throws {
        let first = try await TestNode.start()
        let second = try await TestNode.start()
        let metrics = TestMetrics()
        var configuration = SMQClientConfiguration(
            brokers: [try BrokerURL("smq://127.0.0.1:\(first.port)"), try BrokerURL("smq://127.0.0.1:\(second.port)")],
            uid: Array("client".utf8))
        configuration.attempts.connectDeadline = .seconds(30)
        configuration.attempts.handshakeDeadline = .seconds(30)
        let client = SMQClient(
            configuration, eventLoop: nil, logger: Logger(label: "test"), meters: SMQClientMeters(factory: metrics))
        let running = Task { try await client.run() }
        /// The status is there a moment before the numbers.
        @Sendable func isTold(_ node: String) -> Bool {
            (try? metrics.expectMeter("smq_client_node_sessions", [("node", node)]).lastValue) == 1
        }
        try await eventually("a session") { client.currentStatus.node.map { isTold($0) } ?? false }
        let before = try #require(client.currentStatus.node)
        #expect(try metrics.expectMeter("smq_client_connected").lastValue == 1)
        let isFirst = before.contains(":\(first.port)")
        await (isFirst ? first : second).broker.shutDown()
        try await eventually("a move") {
            client.currentStatus.moves == 1 && client.currentStatus.node.map { isTold($0) } ?? false
        }
        let after = try #require(client.currentStatus.node)
        #expect(after != before)
        #expect(try metrics.expectCounter("smq_client_sessions_total").totalValue == 2)
        #expect(try metrics.expectCounter("smq_client_moves_total").totalValue == 1)
        #expect(try metrics.expectCounter("smq_client_losses_total", [("cause", "goodbye")]).totalValue == 1)
        #expect(try metrics.expectTimer("smq_client_gap").values.count == 1)
        #expect(try metrics.expectMeter("smq_client_node_sessions", [("node", before)]).lastValue == 0)
        #expect(try metrics.expectMeter("smq_client_connected").lastValue == 1)
        running.cancel()
        try await running.value
        #expect(try metrics.expectMeter("smq_client_connected").lastValue == 0)
        await first.stop()
        await second.stop()
    }

    @Test func nodesWithANumberOfTheirOwnAreBounded() throws {
        let metrics = TestMetrics()
        let meters = SMQClientMeters(factory: metrics)
        for index in 0..<1000 {
            meters.moved(from: nil, to: "node-\(index)")
            if index % 2 == 0 { meters.moved(from: "node-\(index)", to: nil) }
        }
        #expect(try metrics.expectMeter("smq_client_connected").lastValue == 500)
        let nodes = (0..<1000).filter {
            (try? metrics.expectMeter("smq_client_node_sessions", [("node", "node-\($0)")])) != nil
        }
        #expect(nodes.count == SMQClientMeters.nodeLimit)
    }
}
