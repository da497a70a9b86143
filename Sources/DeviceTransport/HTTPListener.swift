public import DeviceCore
public import Logging
public import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// The one small HTTP listener: pages by path, WebSocket upgrade and raw SMQ on one port.
///
/// All its connections live on one event loop, so that what they share needs no locks.
public final class HTTPListener: Sendable {
    /// What a listener allows.
    public struct Limits: Sendable {
        /// Connections at once; a further one is closed at once and counted.
        public var connections = 10_500
        /// Time from the first byte awaited to the end of a request's head, and from there to the end of its body.
        public var head: Duration = .seconds(10)
        /// Time that a kept-alive connection may be idle between two requests.
        public var keepAlive: Duration = .seconds(30)

        /// The default limits.
        public init() {}
    }

    /// The address that the system gave; the port is the real one where 0 was asked for.
    public let address: ListenAddress
    private let channel: any Channel
    private let shared: HTTPListenerShared

    private init(address: ListenAddress, channel: any Channel, shared: HTTPListenerShared) {
        self.address = address
        self.channel = channel
        self.shared = shared
    }

    /// Connections refused because of the limit.
    public var refusedConnections: UInt64 { shared.refused.load(ordering: .relaxed) }

    /// Begins to listen.
    ///
    /// - Throws: ``DeviceError``: `busy` for a port in use, `permission` for a port below 1024 without the right,
    ///   `unavailable` for an address that this machine does not have.
    public static func start(
        on address: ListenAddress, eventLoop: any EventLoop, routes: HTTPRoutes,
        access: HTTPAccessPolicy = HTTPAccessPolicy(), limits: Limits = Limits(), logger: Logger
    ) async throws(DeviceError) -> HTTPListener {
        let shared = HTTPListenerShared(routes: routes, access: access, limits: limits, logger: logger)
        let bootstrap = ServerBootstrap(group: eventLoop)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(
                .recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 512, initial: 1024, maximum: 128 << 10)
            )
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(StreamDetectionHandler(shared))
                }
            }
        do {
            let channel = try await bootstrap.bind(host: address.host, port: address.port).get()
            let bound = ListenAddress(host: address.host, port: channel.localAddress?.port ?? address.port)
            return HTTPListener(address: bound, channel: channel, shared: shared)
        } catch {
            throw address.explain(error, tool: "ss -ltnp")
        }
    }

    /// Stops listening and closes connections that are not streams; streams belong to who took them.
    public func close() async {
        try? await channel.close().get()
        let open = shared.connections.withLock { connections in
            defer { connections = [:] }
            return Array(connections.values)
        }
        for connection in open { connection.close(promise: nil) }
    }
}

/// What the connections of a listener share.
final class HTTPListenerShared: Sendable {
    let routes: HTTPRoutes
    let access: HTTPAccessPolicy
    let limits: HTTPListener.Limits
    let logger: Logger
    let refused = Atomic<UInt64>(0)
    /// Connections of all kinds, for the limit.
    let count = Atomic<Int>(0)
    /// Connections that are not streams, by identity.
    let connections = Locked<[ObjectIdentifier: any Channel]>([:])

    init(routes: HTTPRoutes, access: HTTPAccessPolicy, limits: HTTPListener.Limits, logger: Logger) {
        self.routes = routes
        self.access = access
        self.limits = limits
        self.logger = logger
    }

    func forget(_ channel: any Channel) {
        _ = connections.withLock { $0.removeValue(forKey: ObjectIdentifier(channel)) }
    }
}
