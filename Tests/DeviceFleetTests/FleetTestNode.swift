import ClusterClient
import DeviceCore
import DeviceProtocols
import DeviceTransport
import Logging
import NIOCore
import NIOPosix
import SMQBroker
import TestSupport

@testable import device_fleet

/// A broker on a port of loopback, with a thread of its own as a node has: beside other tests' work on a shared one, all
/// devices would find the other node sooner.
struct FleetTestNode: Sendable {
    let broker: SMQBroker
    let listener: HTTPListener
    private let group: MultiThreadedEventLoopGroup
    var url: BrokerURL { get throws { try BrokerURL("smq://127.0.0.1:\(listener.address.port)") } }

    /// Starts a node.
    ///
    /// - Parameter links: the port for its links and those of the other nodes; nil for a broker that stands alone.
    static func start(links: (own: Int, peers: [Int])? = nil) async throws -> FleetTestNode {
        var configuration = SMQBroker.Configuration()
        if let links {
            var settings = SMQClusterSettings(
                link: .init(password: Array("a test's password".utf8), crypto: OpenSSLCrypto()), name: "node")
            // Generous, for machines that have much else to do.
            settings.link.deadAfter = .seconds(20)
            settings.link.handshake = .seconds(20)
            configuration.cluster = SMQBroker.Cluster(
                settings: settings, listen: ListenAddress(host: "127.0.0.1", port: links.own),
                peers: links.peers.map { ResolverTarget("127.0.0.1", port: $0) })
        }
        configuration.limits.handshake = .seconds(30)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.next()
        let broker = SMQBroker(configuration, eventLoop: loop, logger: Logger(label: "test"))
        let listener = try await HTTPListener.start(
            on: ListenAddress(host: "127.0.0.1", port: 0), eventLoop: loop, routes: broker.routes(),
            access: HTTPAccessPolicy(), logger: Logger(label: "test"))
        return FleetTestNode(broker: broker, listener: listener, group: group)
    }

    /// Begins to take and make links.
    func link() async throws { try await broker.startLinks() }

    /// Waits for a link to another node.
    func linked() async throws {
        try await eventually("a link") { await broker.snapshot().cluster?.linksUp == 1 }
    }

    func stop() async {
        await listener.close()
        await broker.shutDown()
        try? await group.shutdownGracefully()
    }
}

enum SMQPeerMaker {
    static let peer = SMQPeer(id: 1, session: 1)
}

/// Counts the readings that come through one node, apart from everything that the fleet counts.
final class Watcher: Sendable {
    private let client: SMQClient
    private let seen = Locked<Set<[UInt8]>>([])
    private let running: Task<Void, any Error>

    init(_ url: BrokerURL) {
        let client = SMQClient(SMQClientConfiguration(brokers: [url], uid: Array("watcher".utf8)))
        self.client = client
        running = Task { try await client.run() }
        for kind in ReadingKind.allCases {
            let readings = client.subscribe(to: kind.topic, limit: 1_000_000)
            // Ends with the client's run.
            Task { for await reading in readings { add(reading) } }
        }
    }

    private func add(_ reading: SMQMessage) {
        let bytes = Array(reading.payload.readableBytesView)
        seen.withLock { _ = $0.insert(bytes) }
    }

    var messages: Int { seen.withLock { $0.count } }
    func stop() { running.cancel() }
}
