public import DeviceCore
public import DeviceProtocols
public import NIOCore
import NIOPosix

/// Opens connections to brokers.
public enum TCPConnector {
    /// Connects and adds the session's handlers before the first byte can arrive.
    ///
    /// A name is looked up anew each time; its IPv6 and IPv4 addresses are tried in turn, and only the connection
    /// that wins gets handlers. When the task is cancelled it returns at once, with `closed`.
    ///
    /// - Parameters:
    ///   - tls: for secure addresses; the session's handlers are added when the handshake is done.
    ///   - onRefusal: told when the connection is up, but the TLS handshake fails, or the other end answers with HTTP
    ///     instead of a WebSocket, or does not answer in time; the connection is then closed.
    /// - Throws: ``DeviceError``: `unavailable` with what to check, `timedOut`, `invalidArgument` for a secure address without `tls`.
    public static func connect(
        to url: BrokerURL, timeout: Duration, eventLoop: any EventLoop, tls: TLSClientContext? = nil,
        onRefusal: @escaping @Sendable (DeviceError) -> Void,
        install: @escaping @Sendable (any Channel) throws -> Void
    ) async throws(DeviceError) -> any Channel {
        guard !url.isSecure || tls != nil else {
            throw DeviceError(.invalidArgument, "\(url) needs TLS, which was not set up")
        }
        let bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(.nanoseconds(timeout.wholeNanoseconds))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(
                .recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 512, initial: 1024, maximum: 128 << 10)
            )
        do {
            return try await firstOf(bootstrap.connect(host: url.host, port: url.port)) { channel in
                @Sendable func installSession() throws {
                    if url.framing == .webSocket {
                        try WebSocketClient.install(
                            on: channel, url: url, timeout: timeout, onRefusal: onRefusal, session: install)
                    } else {
                        try install(channel)
                    }
                }
                guard let tls, url.isSecure else { return try installSession() }
                let handler = try tls.makeHandler(serverName: url.host, port: url.port, timeout: timeout) { result in
                    do {
                        _ = try result.get()
                        try installSession()
                    } catch {
                        onRefusal(error as? DeviceError ?? DeviceError(.closed, "\(url) is closed", cause: error))
                        channel.close(promise: nil)
                    }
                }
                try channel.pipeline.syncOperations.addHandler(handler)
            }
        } catch {
            throw explain(error, url, timeout)
        }
    }

    /// The connection with its handlers, or an error at once when the task is cancelled; a connection that comes
    /// later is closed.
    private static func firstOf(
        _ connecting: EventLoopFuture<any Channel>, install: @escaping @Sendable (any Channel) throws -> Void
    ) async throws -> any Channel {
        let winner = connecting.eventLoop.makePromise(of: (any Channel).self)
        let isDecided = Locked(false)
        @Sendable func decide() -> Bool {
            isDecided.withLock { decided in
                defer { decided = true }
                return !decided
            }
        }
        connecting.whenComplete { result in
            let isWanted = decide()
            do {
                let channel = try result.get()
                guard isWanted else { return channel.close(promise: nil) }
                do {
                    try install(channel)
                    winner.succeed(channel)
                } catch {
                    channel.close(promise: nil)
                    throw error
                }
            } catch {
                if isWanted { winner.fail(error) }
            }
        }
        return try await withTaskCancellationHandler {
            try await winner.futureResult.get()
        } onCancel: {
            if decide() { winner.fail(DeviceError(.closed, "the attempt was cancelled")) }
        }
    }

    private static func explain(_ error: any Error, _ url: BrokerURL, _ timeout: Duration) -> DeviceError {
        if let error = error as? DeviceError { return error }
        var causes: [any Error] = [error]
        if let connection = error as? NIOConnectionError {
            causes = connection.connectionErrors.map(\.error)
            if causes.isEmpty, connection.dnsAError != nil || connection.dnsAAAAError != nil {
                return DeviceError(
                    .unavailable, "the name \(url.host) cannot be resolved",
                    hint: "Check its spelling and this machine's DNS")
            }
        }
        for cause in causes {
            if case ChannelError.connectTimeout = cause {
                return DeviceError(
                    .timedOut, "\(url.authority) did not answer within \(timeout)",
                    hint: "Check the address, the port and the firewall")
            }
            switch (cause as? IOError)?.errnoCode {
            case ECONNREFUSED:
                return DeviceError(
                    .unavailable, "nothing listens on \(url.authority) (connection refused)",
                    hint: "Check the port and that the broker runs")
            case EHOSTUNREACH, ENETUNREACH:
                return DeviceError(
                    .unavailable, "there is no way to \(url.authority)", hint: "Check this machine's network")
            default: continue
            }
        }
        return DeviceError(.unavailable, "cannot connect to \(url.authority)", cause: causes.first ?? error)
    }
}
