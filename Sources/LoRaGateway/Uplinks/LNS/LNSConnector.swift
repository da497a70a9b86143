import DeviceCore
import DeviceProtocols
import DeviceTransport
import NIOCore

/// Opens the two connections of Basics Station's protocol, one after the other: to the discovery, then to where that
/// points. Lives on the gateway's event loop; one attempt at a time.
final class LNSConnector {
    /// What a connection tells of.
    enum Event {
        case message(WebSocketMessage)
        case closed(DeviceError?)
    }

    private let server: LNSServer
    private let context: LinkContext
    private var tls: TLSClientContext?
    /// Limits of one message: a router_config has a few kilobytes.
    private static let messageLimit = 1 << 20
    private static let hint = "Check that this is the address of a Basics Station server (LNS), and the token"

    init(_ server: LNSServer, context: LinkContext) {
        self.server = server
        self.context = context
    }

    /// The addresses of a server's name, shuffled by the resolver.
    func endpoints(of url: BrokerURL) -> EventLoopFuture<[Endpoint]> {
        context.eventLoop.makeFutureWithTask { [resolver = context.resolver] in
            try await resolver.resolve(ResolverTarget(url.host, port: url.port), refresh: true).endpoints.map(
                \.endpoint)
        }
    }

    /// The discovery's address.
    func discoveryURL() throws(DeviceError) -> BrokerURL {
        var url = try BrokerURL(server.url)
        let path = Self.path(of: server.url)
        url.path = (path.hasSuffix("/") ? String(path.dropLast()) : path) + "/router-info"
        return url
    }

    /// The address that the discovery has given. A token or certificate that was to go over TLS goes nowhere else.
    func muxURL(_ text: String) throws(DeviceError) -> BrokerURL {
        var url = try BrokerURL(text)
        let path = Self.path(of: text)
        url.path = path.isEmpty ? "/" : path
        guard url.framing == .webSocket else {
            throw DeviceError(.protocolViolation, "the discovery names \(url), which is no WebSocket")
        }
        if try BrokerURL(server.url).isSecure, !url.isSecure {
            throw DeviceError(
                .refused, "the discovery was secure, but names the plain address \(url)",
                hint: "The server has to name a wss:// address")
        }
        return url
    }

    /// What stands after the authority; `BrokerURL` would put its own path where there is none.
    private static func path(of text: String) -> String {
        guard let start = text.firstRange(of: "://")?.upperBound else { return "" }
        return String(text[start...].drop { $0 != "/" && $0 != "?" })
    }

    /// Connects to one address.
    ///
    /// - Parameter events: told on the event loop; `closed` is the last, and comes always.
    /// - Returns: the open connection, once it is a WebSocket.
    func connect(
        to endpoint: Endpoint, url: BrokerURL, timeout: Duration, events: @escaping (Event) -> Void
    ) -> EventLoopFuture<any Channel> {
        var options = TCPConnector.Options()
        options.timeout = timeout
        options.unacknowledged = .seconds(8)
        // What is in the headers is a secret: it goes over TLS or not at all.
        options.webSocket = .text(
            headers: url.isSecure ? server.headers.compactMap(Self.header) : [], limit: Self.messageLimit,
            hint: Self.hint)
        do throws(DeviceError) {
            if url.isSecure { options.tls = try secure() }
        } catch {
            return context.eventLoop.makeFailedFuture(error)
        }
        let opened = context.eventLoop.makePromise(of: (any Channel).self)
        let state = NIOLoopBoundBox(OpenState(opened, events), eventLoop: context.eventLoop)
        let connecting = TCPConnector.connect(
            to: endpoint, url: url, options: options, eventLoop: context.eventLoop, onChannel: { _ in },
            onRefusal: { error in state.value.fail(Self.explained(error)) },
            install: { channel in
                try channel.pipeline.syncOperations.addHandler(LNSHandler { event in state.value.take(event) })
                state.value.succeed(channel)
            })
        connecting.whenComplete { result in
            switch result {
            case .failure(let error):
                let error =
                    error as? DeviceError ?? DeviceError(.unavailable, "no connection to \(url)", cause: error)
                state.value.fail(Self.explained(error))
            case .success(let channel):
                // A connection that ends before it is a WebSocket.
                channel.closeFuture.whenComplete { _ in
                    state.value.fail(DeviceError(.closed, "\(url) closed the connection", hint: Self.hint))
                }
            }
        }
        return opened.futureResult
    }

    /// TLS's errors name the flags of other programs; here it is settings.
    private static func explained(_ error: DeviceError) -> DeviceError {
        guard let hint = error.hint else { return error }
        var error = error
        if hint.contains("(trustRoots)") {
            error.hint =
                "If you trust the server, put the certificate of its authority in a file and name it as \"ca\" of the "
                + "up-link (Basics Station: tc.trust)"
        } else if hint.contains("(--tls-certificate, --tls-key)") {
            error.hint =
                "Name this gateway's certificate as \"certificate\" and \"key\" of the up-link (Basics Station: tc.crt, "
                + "tc.key)"
        } else if hint.contains("(--tls-client-ca)") {
            error.hint = "The server has to trust the authority that signed it"
        }
        return error
    }

    private func secure() throws(DeviceError) -> TLSClientContext {
        if let tls { return tls }
        var configuration = TLSClientConfiguration(trustRoots: server.authorities.map { .file($0) } ?? .system)
        if let certificate = server.certificate, let key = server.key {
            configuration.identity = TLSIdentity(certificateFile: certificate, key: key)
        }
        let made = try TLSClientContext(configuration, logger: context.logger)
        tls = made
        return made
    }

    private static func header(_ line: String) -> (name: String, value: String)? {
        guard let colon = line.firstIndex(of: ":") else { return nil }
        let value = line[line.index(after: colon)...].drop { $0 == " " }
        return (String(line[..<colon]), String(value))
    }

    /// One attempt's promise, kept once.
    private struct OpenState {
        private var promise: EventLoopPromise<any Channel>?
        private let events: (Event) -> Void

        init(_ promise: EventLoopPromise<any Channel>, _ events: @escaping (Event) -> Void) {
            self.promise = promise
            self.events = events
        }

        mutating func succeed(_ channel: any Channel) {
            promise?.succeed(channel)
            promise = nil
        }

        mutating func fail(_ error: DeviceError) {
            promise?.fail(error)
            promise = nil
        }

        func take(_ event: Event) { events(event) }
    }
}

/// Hands messages on, and the end.
private final class LNSHandler: ChannelInboundHandler {
    typealias InboundIn = WebSocketMessage
    private let handle: (LNSConnector.Event) -> Void
    private var error: DeviceError?

    init(_ handle: @escaping (LNSConnector.Event) -> Void) { self.handle = handle }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { handle(.message(unwrapInboundIn(data))) }

    func channelInactive(context: ChannelHandlerContext) {
        handle(.closed(error))
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.error = error as? DeviceError ?? DeviceError(.closed, "the connection broke", cause: error)
        context.close(promise: nil)
    }
}
