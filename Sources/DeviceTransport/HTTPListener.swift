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
        public var connections = 11_000
        /// Time from the first byte awaited to the end of a request's head, and from there to the end of its body.
        public var head: Duration = .seconds(10)
        /// Time that a kept-alive connection may be idle between two requests.
        public var keepAlive: Duration = .seconds(30)

        /// The default limits.
        public init() {}
    }

    /// The address that the system gave; the port is the real one where 0 was asked for.
    public let address: ListenAddress
    /// Whether connections are secured: the pages are at https://, and streams at smqs:// and wss://.
    public let isSecure: Bool
    private let channel: any Channel
    private let shared: HTTPListenerShared

    private init(address: ListenAddress, isSecure: Bool, channel: any Channel, shared: HTTPListenerShared) {
        self.address = address
        self.isSecure = isSecure
        self.channel = channel
        self.shared = shared
    }

    /// Connections refused because of the limit.
    public var refusedConnections: UInt64 { shared.refused.load(ordering: .relaxed) }

    /// Begins to listen.
    ///
    /// - Parameters:
    ///   - tls: secures every connection; there is no plain service on that port then.
    ///   - flag: the flag by which another port is chosen, for the error of one that is in use.
    /// - Throws: ``DeviceError``: `busy` for a port in use, `permission` for a port below 1024 without the right,
    ///   `unavailable` for an address that this machine does not have.
    public static func start(
        on address: ListenAddress, eventLoop: any EventLoop, routes: HTTPRoutes,
        access: HTTPAccessPolicy = HTTPAccessPolicy(), limits: Limits = Limits(),
        tls: TLSServerContext? = nil, flag: String = "--listen", logger: Logger
    ) async throws(DeviceError) -> HTTPListener {
        var access = access
        access.checksHost = tls == nil
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
                    if let tls { try secure(channel, tls, limits, logger) }
                    try channel.pipeline.syncOperations.addHandler(StreamDetectionHandler(shared))
                }
            }
        do {
            let channel = try await bootstrap.bind(host: address.host, port: address.port).get()
            let bound = ListenAddress(host: address.host, port: channel.localAddress?.port ?? address.port)
            return HTTPListener(address: bound, isSecure: tls != nil, channel: channel, shared: shared)
        } catch {
            throw address.explain(error, tool: "ss -ltnp", flag: flag)
        }
    }

    private static func secure(
        _ channel: any Channel, _ tls: TLSServerContext, _ limits: Limits, _ logger: Logger
    ) throws(DeviceError) {
        let client = channel.remoteAddress?.plainAddress ?? "local"
        let handler = try tls.makeHandler(client: client, timeout: limits.head) { result in
            switch result {
            case .success(let info):
                logger.debug(
                    "a connection is secure",
                    metadata: [
                        "client": "\(client)", "version": "\(info.version)", "resumed": "\(info.isResumed)",
                        "subject": "\(info.peerSubject ?? "none")",
                    ])
            case .failure(let error):
                logger.debug("no secure connection", metadata: ["client": "\(client)", "error": "\(error)"])
            }
        }
        do {
            try channel.pipeline.syncOperations.addHandler(handler)
        } catch {
            throw DeviceError(.closed, "the connection of \(client) is closed", cause: error)
        }
    }

    /// Stops listening; what is connected goes on, but gets no new stream and one more response at most.
    ///
    /// A program ends in this order: `stopAccepting()`, then the goodbye of who has the streams (a broker tells its
    /// clients and closes them), then ``close()``. A client that is told goodbye and comes again at once then finds
    /// nobody listening, instead of a broker that is about to end.
    public func stopAccepting() async {
        shared.isStopping.store(true, ordering: .relaxed)
        try? await channel.close().get()
    }

    /// Stops listening, if ``stopAccepting()`` has not been called, and then closes connections that are not streams;
    /// streams belong to who took them.
    public func close() async {
        await stopAccepting()
        shared.isClosed.store(true, ordering: .relaxed)
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
    /// Nobody new is served.
    let isStopping = Atomic<Bool>(false)
    /// Connections that still come are closed.
    let isClosed = Atomic<Bool>(false)
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

    /// What is done with a request that is not for a stream.
    func decide(_ request: HTTPRequest) -> HTTPRouteHandler.Decision {
        if let action = routes.actions[request.path] {
            if let refusal = request.flaw ?? access.refusal(ofAction: request) { return .refuse(refusal) }
            return request.method == "POST" ? .serve(action) : .refuse(.text(405, "Only POST is served here."))
        }
        // Files of a page load without the token, which the page's own address carries.
        let isFile = request.path.contains(".") && routes.streams[request.path] == nil
        if let refusal = request.flaw ?? access.refusal(of: request, needsToken: !isFile) { return .refuse(refusal) }
        guard let page = routes.pages[request.path] else {
            if routes.streams[request.path] != nil {
                return .refuse(.text(404, "This is a SMQ broker. Use a SMQ client, or open / for the page."))
            }
            return .refuse(.text(404, "There is nothing at \(request.path.prefix(100))."))
        }
        guard ["GET", "HEAD"].contains(request.method) else { return .refuse(.text(405, "Only GET is served here.")) }
        return .serve(page)
    }

    /// What is done with a request for a stream.
    func decide(_ request: StreamRequest) -> StreamDecision {
        if let refusal = refusal(ofStream: request.request) { return .refuse(refusal) }
        guard let stream = routes.streams[request.request.path] else { return .refuse(.text(404, "No broker.")) }
        return stream(request)
    }

    /// Why a request gets no stream, as far as the listener knows.
    func refusal(ofStream request: HTTPRequest) -> HTTPResponse? {
        if let refusal = request.flaw ?? access.refusal(of: request, needsToken: true) { return refusal }
        guard routes.streams[request.path] != nil else {
            return .text(404, "There is no broker at \(request.path.prefix(100)).")
        }
        return isStopping.load(ordering: .relaxed) ? .text(503, "This server is about to end.") : nil
    }

    func forget(_ channel: any Channel) {
        _ = connections.withLock { $0.removeValue(forKey: ObjectIdentifier(channel)) }
    }
}
