import DeviceCore
import DeviceProtocols
import DeviceTransport
import Logging
import NIOCore
import NIOPosix
import SMQBroker
import TestSupport

/// A broker of a cluster, on an address of loopback.
struct TestNode: Sendable {
    let broker: SMQBroker
    let listener: HTTPListener
    let links: ListenAddress

    /// Clients connect to it as to a broker of its own.
    var client: TestBroker { TestBroker(broker: broker, listener: listener) }

    /// Starts a node.
    ///
    /// - Parameter links: a port for its links that others know; nil for any.
    static func start(
        _ host: String = "127.0.0.1", links: Int = 0, peers: [ResolverTarget],
        password: String = "a test's password", resolver: NameResolver = .shared,
        loop: any EventLoop = MultiThreadedEventLoopGroup.singleton.next(),
        logger: Logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
        _ set: (inout SMQBroker.Configuration) -> Void = { _ in }
    ) async throws -> TestNode {
        var settings = SMQClusterSettings(
            link: .init(password: Array(password.utf8), crypto: OpenSSLCrypto()), name: host)
        // Generous, for machines that have much else to do.
        settings.link.deadAfter = .seconds(20)
        settings.link.handshake = .seconds(20)
        var configuration = SMQBroker.Configuration()
        configuration.limits.handshake = .seconds(30)
        configuration.limits.confirmation = .seconds(20)
        configuration.cluster = SMQBroker.Cluster(
            settings: settings, listen: ListenAddress(host: host, port: links), peers: peers, resolver: resolver)
        set(&configuration)
        let broker = SMQBroker(configuration, eventLoop: loop, logger: logger)
        let listener = try await HTTPListener.start(
            on: ListenAddress(host: "127.0.0.1", port: 0), eventLoop: loop,
            routes: {
                var routes = broker.routes()
                routes.merge(broker.statusRoutes(version: "test"))
                return routes
            }(), logger: logger)
        let address = try await broker.startLinks()
        return TestNode(broker: broker, listener: listener, links: address ?? ListenAddress(host: host, port: 0))
    }

    func stop() async {
        await listener.stopAccepting()
        await broker.shutDown()
        await listener.close()
    }

    var cluster: SMQBroker.ClusterSnapshot {
        get async throws {
            guard let cluster = await broker.snapshot().cluster else { throw Late(description: "no cluster") }
            return cluster
        }
    }

    /// Waits until so many links carry messages.
    func linked(_ count: Int) async throws {
        try await eventually("\(count) links of \(links)") { try await cluster.linksUp == count }
    }
}

/// Nodes on 127.0.0.1, 127.0.0.2... that know each other.
struct TestCluster {
    var nodes: [TestNode] = []
    /// Their ports, which nobody else is given meanwhile.
    private let ports: [ReservedPort]
    private let peers: [ResolverTarget]

    static func start(
        _ count: Int, _ set: (inout SMQBroker.Configuration) -> Void = { _ in }
    ) async throws -> TestCluster {
        let ports = try (0..<count).map { _ in try ReservedPort() }
        let peers = ports.enumerated().map { ResolverTarget("127.0.0.\($0.offset + 1)", port: $0.element.port) }
        var cluster = TestCluster(ports: ports, peers: peers)
        for index in 0..<count { cluster.nodes.append(try await cluster.node(index, set)) }
        for node in cluster.nodes { try await node.linked(count - 1) }
        return cluster
    }

    private init(ports: [ReservedPort], peers: [ResolverTarget]) {
        self.ports = ports
        self.peers = peers
    }

    /// Starts a node, for the first time or again.
    func node(_ index: Int, _ set: (inout SMQBroker.Configuration) -> Void = { _ in }) async throws -> TestNode {
        try await TestNode.start("127.0.0.\(index + 1)", links: ports[index].port, peers: peers, set)
    }

    func stop() async { for node in nodes { await node.stop() } }
}
