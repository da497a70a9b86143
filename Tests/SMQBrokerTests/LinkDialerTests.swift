import DeviceCore
import DeviceProtocols
import DeviceTransport
import Glibc
import Logging
import NIOCore
import NIOEmbedded
import NIOPosix
@testable import SMQBroker
import TestSupport
import Testing

/// Whom a node dials, and when.
@Suite struct LinkDialerTests {
    /// A name server that never answers holds up only the nodes that it has to be asked for.
    @Test func aNameWithoutAnAnswerDelaysNoOtherNode() async throws {
        let silent = try await DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        var configuration = try ResolverConfiguration(servers: "127.0.0.1:\(silent.localAddress?.port ?? 0)")
        configuration.hostsFile = ""
        configuration.timeout = .seconds(600)
        configuration.limits.deadline = .seconds(600)
        let resolver = try NameResolver(configuration)
        let node = try await TestNode.start(peers: [])
        let other = try await TestNode.start(
            "127.0.0.2",
            peers: [
                ResolverTarget("silent.example", port: 1900), ResolverTarget("127.0.0.1", port: node.links.port),
            ], resolver: resolver)
        try await other.linked(1)
        await resolver.shutDown()
        await other.stop()
        await node.stop()
        try await silent.close()
    }

    /// A connection that is closed again before the handler is there is an attempt that failed, and is tried again.
    @Test func aConnectionThatIsGoneAtOnceHasFailed() async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let port = try ReservedPort()
        let endpoint = Endpoint(.loopback4, port: port.port)
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let rig = try await loop.submit {
            var configuration = SMQBroker.Configuration()
            let cluster = SMQBroker.Cluster(
                settings: SMQClusterSettings(
                    link: .init(password: Array("a test's password".utf8), crypto: OpenSSLCrypto()), name: "node"),
                listen: ListenAddress(host: "127.0.0.1", port: 1), peers: [ResolverTarget("127.0.0.1", port: port.port)]
            )
            configuration.cluster = cluster
            let core = SMQBrokerCore(configuration, eventLoop: loop, logger: logger)
            let dialer = LinkDialer(
                cluster, core: core, listening: cluster.listen, eventLoop: loop, logger: logger)
            // Looks the address up; it is not dialled before the next tick, which does not come.
            dialer.tick(now: SMQBrokerCore.now)
            return NIOLoopBound((core, dialer), eventLoop: loop)
        }.get()
        try await eventually("the address is known") {
            try await loop.submit { rig.value.1.plan.entries.map(\.endpoint) == [endpoint] }.get()
        }
        let failure = try await loop.submit {
            let (core, dialer) = rig.value
            let channel = EmbeddedChannel()
            _ = try channel.finish()
            dialer.begin(SMQBrokerHandler(core, linkTo: "127.0.0.1", dialed: endpoint), on: channel, endpoint)
            return dialer.plan.entries.first?.failure
        }.get()
        #expect(failure == "the connection was closed at once")
    }

    /// One attempt that fails leaves the others where they are: the dialer's end closes them.
    @Test func whatIsStillConnectingIsClosedAtTheEnd() async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let full = try FullListener()
        let refusing = try ReservedPort()
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let rig = try await loop.submit {
            var configuration = SMQBroker.Configuration()
            let cluster = SMQBroker.Cluster(
                settings: SMQClusterSettings(
                    link: .init(password: Array("a test's password".utf8), crypto: OpenSSLCrypto()), name: "node"),
                listen: ListenAddress(host: "0.0.0.0", port: 1),
                peers: [full.port, refusing.port].map { ResolverTarget("127.0.0.1", port: $0) })
            configuration.cluster = cluster
            let core = SMQBrokerCore(configuration, eventLoop: loop, logger: logger)
            let dialer = LinkDialer(cluster, core: core, listening: cluster.listen, eventLoop: loop, logger: logger)
            dialer.tick(now: SMQBrokerCore.now)
            return NIOLoopBound((core, dialer), eventLoop: loop)
        }.get()
        try await eventually("both addresses are known") {
            try await loop.submit { rig.value.1.plan.entries.count == 2 }.get()
        }
        try await loop.submit { rig.value.1.tick(now: SMQBrokerCore.now) }.get()
        try await eventually("one attempt has failed") {
            try await loop.submit { rig.value.1.plan.entries.contains { $0.failure != nil } }.get()
        }
        let connecting = try await loop.submit { Array(rig.value.1.pending.values) }.get()
        #expect(connecting.count == 1)
        try await loop.submit { rig.value.1.stop() }.get()
        for channel in connecting { try await within { try await channel.closeFuture.get() } }
        try await eventually("nothing is left") { try await loop.submit { rig.value.1.pending.isEmpty }.get() }
    }
}

/// A port on which connections wait for ever: nobody accepts, and the system keeps no more.
private final class FullListener: Sendable {
    let port: Int
    private let sockets: [Int32]

    init() throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let name = try withUnsafeMutableBytes(of: &address) { bytes in
            try bytes.withMemoryRebound(to: sockaddr.self) { name in
                let base = try #require(name.baseAddress)
                try #require(bind(listener, base, length) == 0 && listen(listener, 0) == 0)
                try #require(getsockname(listener, base, &length) == 0)
                return base.pointee
            }
        }
        port = Int(UInt16(bigEndian: address.sin_port))
        var sockets = [listener]
        for _ in 0..<3 {
            let filler = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
            var name = name
            _ = connect(filler, &name, length)
            sockets.append(filler)
        }
        self.sockets = sockets
    }

    deinit { for socket in sockets { close(socket) } }
}
