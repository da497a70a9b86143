public import DeviceCore
public import DeviceProtocols
public import NIOCore
import NIOPosix

/// Opens connections to a cluster's nodes.
public enum TCPConnector {
    /// How to connect.
    public struct Options: Sendable {
        /// Time for the connection, and again for the upgrade to a WebSocket.
        public var timeout: Duration = .seconds(5)
        /// When the kernel gives up a connection whose data nobody acknowledges (TCP_USER_TIMEOUT); nil for its own
        /// time, a quarter of an hour.
        public var unacknowledged: Duration?
        /// What a WebSocket carries.
        public var webSocket = WebSocketContent.smq
        /// For secure addresses.
        public var tls: TLSClientContext?
        /// Time for the TLS handshake.
        public var tlsTimeout: Duration = .seconds(5)

        /// The usual times.
        public init() {}
    }

    /// Connects to one node of a cluster; its handlers are there before the first byte can arrive.
    ///
    /// - Parameters:
    ///   - url: framing and path, and the name that goes into the Host header.
    ///   - onChannel: gets the channel at once, before it is connected: closing it ends the attempt.
    ///   - onSecured: told when TLS is up.
    ///   - onRefusal: told when the connection is up, but the TLS handshake fails, or the other end answers with HTTP
    ///     instead of a WebSocket, or does not answer in time; the connection is then closed.
    ///   - install: adds the session's handlers, with TLS when its handshake is done.
    /// - Returns: the connection, or a ``DeviceError``: `unavailable` with what to check, `timedOut`, `invalidArgument`
    ///   for a secure address without `tls`.
    public static func connect(
        to endpoint: Endpoint, url: BrokerURL, options: Options, eventLoop: any EventLoop,
        onChannel: @escaping @Sendable (any Channel) -> Void,
        onSecured: @escaping @Sendable () -> Void = {},
        onRefusal: @escaping @Sendable (DeviceError) -> Void,
        install: @escaping @Sendable (any Channel) throws -> Void
    ) -> EventLoopFuture<any Channel> {
        guard !url.isSecure || options.tls != nil else {
            return eventLoop.makeFailedFuture(
                DeviceError(.invalidArgument, "\(url) needs TLS, which was not set up"))
        }
        var bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(.nanoseconds(options.timeout.wholeNanoseconds))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(
                .recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 256, initial: 512, maximum: 128 << 10)
            )
            .channelInitializer { channel in
                onChannel(channel)
                @Sendable func installSession() throws {
                    if url.framing == .webSocket {
                        try WebSocketClient.install(
                            on: channel, url: url, content: options.webSocket, timeout: options.timeout,
                            onRefusal: onRefusal, session: install)
                    } else {
                        try install(channel)
                    }
                }
                return channel.eventLoop.makeCompletedFuture {
                    guard let tls = options.tls, url.isSecure else { return try installSession() }
                    // The name is checked, not the node's address.
                    let handler = try tls.makeHandler(
                        serverName: url.host, port: url.port, timeout: options.tlsTimeout
                    ) { result in
                        do {
                            _ = try result.get()
                            onSecured()
                            try installSession()
                        } catch {
                            onRefusal(error as? DeviceError ?? DeviceError(.closed, "\(url) is closed", cause: error))
                            channel.close(promise: nil)
                        }
                    }
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
        if let time = options.unacknowledged {
            let milliseconds = Int(clamping: min(max(1, time.wholeNanoseconds / 1_000_000), Int64(Int32.max)))
            bootstrap = bootstrap.channelOption(
                .tcpOption(NIOBSDSocket.Option(rawValue: TCP_USER_TIMEOUT)), value: milliseconds)
        }
        let address: SocketAddress
        do {
            address = try self.address(of: endpoint)
        } catch {
            return eventLoop.makeFailedFuture(explain(error, endpoint, url, options.timeout))
        }
        return bootstrap.connect(to: address)
            .flatMapErrorThrowing { throw explain($0, endpoint, url, options.timeout) }
    }

    private static func address(of endpoint: Endpoint) throws -> SocketAddress {
        guard !endpoint.address.zone.isEmpty else {
            return try SocketAddress(ipAddress: endpoint.address.description, port: endpoint.port)
        }
        // An address in text: nobody is asked, but the zone becomes a number.
        return try SocketAddress.makeAddressResolvingHost(endpoint.address.description, port: endpoint.port)
    }

    private static func explain(
        _ error: any Error, _ endpoint: Endpoint, _ url: BrokerURL, _ timeout: Duration
    ) -> DeviceError {
        if let error = error as? DeviceError { return error }
        let place = url.place(at: endpoint)
        if case ChannelError.connectTimeout = error {
            return DeviceError(
                .timedOut, "\(place) did not answer within \(timeout)",
                hint: "Check the address, the port and the firewall")
        }
        switch (error as? IOError)?.errnoCode {
        case ECONNREFUSED:
            return DeviceError(
                .unavailable, "nothing listens on \(place) (connection refused)",
                hint: "Check the port and that the broker runs")
        case EHOSTUNREACH, ENETUNREACH:
            return DeviceError(.unavailable, "there is no way to \(place)", hint: "Check this machine's network")
        default: return DeviceError(.unavailable, "cannot connect to \(place)", cause: error)
        }
    }
}

extension BrokerURL {
    /// Host and port for a person: with the name and the node's address where they differ.
    public func place(at endpoint: Endpoint) -> String {
        IPAddress(host) == nil ? "\(host) (\(endpoint))" : endpoint.description
    }

    /// The address for a person, with the node's own address where a name stands for several.
    public func description(at endpoint: Endpoint) -> String {
        guard IPAddress(host) == nil else { return description }
        return "\(description) (\(endpoint))"
    }
}
