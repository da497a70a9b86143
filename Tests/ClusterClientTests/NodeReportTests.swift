import ClusterClient
import DeviceCore
import DeviceProtocols
import DeviceTransport
import Logging
import NIOCore
import NIOPosix
import SMQBroker
import TestSupport
import Testing

/// What brokers tell of themselves and each other, and where it leads clients; with real brokers and real links.
@Suite(.timeLimit(.minutes(10))) struct NodeReportTests {
    /// Three brokers, each linked with the others, whose names end with their addresses, as smq-broker's do.
    private struct Linked {
        var nodes: [TestNode] = []

        static func start(loads: [UInt16] = [0, 0, 0]) async throws -> Linked {
            let clients = try loads.map { _ in try ReservedPort() }
            let links = try loads.map { _ in try ReservedPort() }
            let peers = links.map { ResolverTarget("127.0.0.1", port: $0.port) }
            var linked = Linked()
            for (index, load) in loads.enumerated() {
                var settings = SMQClusterSettings(
                    link: .init(password: Array("a test's password".utf8), crypto: OpenSSLCrypto()),
                    name: "node \(index) 127.0.0.1:\(clients[index].port)")
                settings.link.deadAfter = .seconds(20)
                settings.link.handshake = .seconds(20)
                let node = try await TestNode.start(port: clients[index].port) {
                    $0.cluster = SMQBroker.Cluster(
                        settings: settings, listen: ListenAddress(host: "127.0.0.1", port: links[index].port),
                        peers: peers)
                    $0.load = { (load, 300) }
                }
                try await node.broker.startLinks()
                linked.nodes.append(node)
            }
            for node in linked.nodes {
                try await eventually("links") { await node.broker.snapshot().cluster?.linksUp == loads.count - 1 }
            }
            return linked
        }

        func stop() async { for node in nodes { await node.stop() } }
    }

    /// The second report from now on that satisfies a condition: whoever reads from the same node has had the first.
    private func report(_ probe: TestClient, _ isMeant: ([SMQNodeReport]) -> Bool) async throws -> [SMQNodeReport] {
        let reports = probe.client.subscribe(to: SMQNodeReport.topic)
        var count = 0
        while true {
            let nodes = SMQNodeReport.read(try await next(reports).payload)
            count += isMeant(nodes) ? 1 : 0
            if count == 2 { return nodes }
        }
    }

    @Test func aNodeTellsOfItselfAndOfThoseLinkedToIt() async throws {
        let linked = try await Linked.start(loads: [100, 200, 300])
        let probe = try await TestClient.connected(linked.nodes[0].port, "probe--")
        let guest = try await TestClient.connected(linked.nodes[2].port, "guest--")
        let nodes = try await report(probe) { $0.count == 3 && $0.contains { $0.status.processor == 300 } }
        let own = try #require(nodes.first { $0.place == .own })
        #expect(own.status.processor == 100 && own.status.memoryShare == 300 && own.status.memory > 1 << 20)
        let ports = nodes.compactMap { if case .endpoint(let endpoint) = $0.place { endpoint.port } else { nil } }
        #expect(Set(ports) == Set(linked.nodes[1...].map(\.port)))
        _ = try await report(probe) { nodes in nodes.contains { $0.status.processor == 300 && $0.status.clients == 1 } }
        try await guest.stop()
        try await probe.stop()
        await linked.stop()
    }

    /// Nobody but the broker publishes there, so nobody leads clients astray.
    @Test func onlyTheBrokerPublishesReports() async throws {
        let node = try await TestNode.start()
        let reader = try await TestClient.connected(node.port, "reader-")
        let reports = reader.client.subscribe(to: SMQNodeReport.topic)
        let liar = try await TestClient.connected(node.port, "liar---")
        let first = try await next(reports)
        #expect(first.publisher.id == SMQNodeReport.publisher)
        try await liar.client.publish(payload("{\"nodes\":[]}"), to: .topic(SMQNodeReport.topic))
        try await eventually("the refusal") { await node.broker.snapshot().statistics.forbidden == 1 }
        let second = try await next(reports)
        #expect(SMQNodeReport.read(second.payload).count == 1)
        try await liar.stop()
        try await reader.stop()
        await node.stop()
    }

    /// Clients of the first node have to leave it; says how many are then at each of the others.
    private func moved(
        _ policy: any NodePolicy, loads: [UInt16] = [0, 0, 0], idle: Int = 0
    ) async throws -> (left: Int, gained: [Int]) {
        let linked = try await Linked.start(loads: loads)
        var guests: [TestClient] = []
        for index in 0..<idle { guests.append(try await TestClient.connected(linked.nodes[1].port, "guest-\(index)")) }
        let urls = try linked.nodes.map { try BrokerURL("smq://127.0.0.1:\($0.port)") }
        var clients: [TestClient] = []
        for index in 0..<60 {
            clients.append(
                try await TestClient.connected(urls[0].port, "client-\(index)") {
                    $0.brokers = urls
                    $0.nodePolicy = policy
                    // The choice is what counts here, not which node answers first when the machine is busy.
                    $0.attempts.stagger = .seconds(30)
                })
        }
        let (all, ports) = (clients, linked.nodes.map(\.port))
        let places: @Sendable () -> [Int?] = {
            all.map { client in
                ports.firstIndex { client.client.currentStatus.node?.contains(":\($0)") == true }
            }
        }
        let before = places()
        let probe = try await TestClient.connected(ports[0], "probe--")
        _ = try await report(probe) { nodes in
            nodes.count == 3
                && nodes.contains {
                    $0.place == .endpoint(Endpoint(.loopback4, port: ports[1]))
                        && Int($0.status.clients) >= idle && $0.status.processor == loads[1]
                }
        }
        try await probe.stop()
        await linked.nodes[0].broker.drain(within: .zero, grace: .seconds(60))
        try await eventually("another node for all") { places().allSatisfy { $0 == 1 || $0 == 2 } }
        let after = places()
        let gained = [1, 2].map { node in after.count { $0 == node } - before.count { $0 == node } }
        for client in clients + guests { try await client.stop() }
        await linked.stop()
        return (before.count { $0 == 0 }, gained)
    }

    @Test func leastConnectionsGoesByTheReports() async throws {
        // About 20 clients leave; the second node has 140, the third 20: 1 in 50 goes to the second, by chance half.
        let (left, gained) = try await moved(LeastConnectionsPolicy(), idle: 120)
        #expect(left >= 5 && gained[0] + gained[1] == left)
        #expect(gained[0] <= left / 4, "\(gained) of \(left)")
    }

    @Test func resourceGoesByTheReports() async throws {
        // The second has 2 % of its processor left, the third 70 %: 1 in 36 goes to the second.
        let (left, gained) = try await moved(ResourcePolicy(), loads: [500, 980, 100])
        #expect(left >= 5 && gained[0] + gained[1] == left)
        #expect(gained[0] <= left / 4, "\(gained) of \(left)")
    }

    /// A broker of another make knows nothing of the topic: it takes the subscription, and that is all.
    @Test func withABrokerThatTellsNothingThePolicyFallsBackAndSaysSoOnce() async throws {
        let node = try await TestNode.start { $0.permit = { $0.name != SMQNodeReport.topic } }
        let other = try await TestNode.start { $0.permit = { $0.name != SMQNodeReport.topic } }
        let second = try BrokerURL("smq://127.0.0.1:\(other.port)")
        let client = try TestClient(node.port) {
            $0.brokers.append(second)
            $0.nodePolicy = LeastConnectionsPolicy()
            $0.attempts.stableAfter = .milliseconds(300)
        }
        let isNotice: @Sendable (SMQClientEvent) -> String? = { if case .notice(let text) = $0 { text } else { nil } }
        #expect(try await client.event("the notice", isNotice).contains("no node reports its connections"))
        let seen = client.client.events()
        await node.broker.drain(within: .zero, grace: .milliseconds(300))
        await node.stop()
        await other.broker.drain(within: .zero, grace: .milliseconds(300))
        try await client.stop()
        for await event in seen { #expect(isNotice(event) == nil) }
        await other.stop()
    }
}
