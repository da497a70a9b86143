import DeviceCore
public import NIOCore
import NIOPosix

/// A TCP connection of a test: sends any bytes, keeps everything that comes.
public final class RawConnection: Sendable {
    private struct State {
        var received = ByteBuffer()
        var isClosed = false
        var error: (any Error)?
        /// Counts what has happened, so that a reader waits for what it has not seen.
        var version = 0
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Locked(State())
    /// Set once, before anybody has the connection.
    private let channelBox = Locked<(any Channel)?>(nil)

    init() {}

    private var channel: any Channel {
        get throws {
            guard let channel = channelBox.withLock({ $0 }) else { throw ChannelError.alreadyClosed }
            return channel
        }
    }

    /// Connects to a port on loopback.
    ///
    /// - Parameters:
    ///   - reads: false for a peer that takes nothing: nobody reads, and its socket's buffer is small.
    ///   - prepare: adds handlers below.
    public static func connect(
        port: Int, reads: Bool = true, prepare: @escaping @Sendable (any Channel) throws -> Void = { _ in }
    ) async throws -> RawConnection {
        try await within {
            let connection = RawConnection()
            var bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try prepare(channel)
                        try connection.install(on: channel)
                    }
                }
            if !reads {
                bootstrap =
                    bootstrap
                    .channelOption(.autoRead, value: false)
                    .channelOption(.socketOption(.so_rcvbuf), value: 4096)
            }
            _ = try await bootstrap.connect(host: "127.0.0.1", port: port).get()
            return connection
        }
    }

    /// Connects, sends a text and gives everything that comes until the other end closes; it may do so before it has
    /// taken all of the text.
    public static func exchange(port: Int, _ text: String) async throws -> String {
        let connection = try await connect(port: port)
        connection.post(ByteBuffer(string: text))
        return String(buffer: try await connection.closed())
    }

    func install(on channel: any Channel) throws {
        channelBox.withLock { $0 = channel }
        try channel.pipeline.syncOperations.addHandler(Handler(self))
    }

    /// Sends bytes.
    public func send(_ bytes: ByteBuffer) async throws { try await channel.writeAndFlush(bytes) }

    /// Sends a text.
    public func send(_ text: String) async throws { try await send(ByteBuffer(string: text)) }

    /// Sends bytes and does not wait until the system has taken them.
    public func post(_ bytes: ByteBuffer) { try? channel.writeAndFlush(bytes, promise: nil) }

    /// The error that the connection's last handler saw.
    public var error: (any Error)? { state.withLock { $0.error } }

    /// Begins to read after all.
    public func startReading() async throws {
        try await channel.setOption(.autoRead, value: true).get()
    }

    /// Reads no more, until ``startReading()``.
    public func stopReading() async throws {
        try await channel.setOption(.autoRead, value: false).get()
    }

    /// Everything that has come so far and was not taken.
    public var received: ByteBuffer { state.withLock { $0.received } }

    /// Whether the other end has closed.
    public var isClosed: Bool { state.withLock { $0.isClosed } }

    /// Takes so many bytes, as soon as they have come.
    public func take(_ count: Int) async throws -> ByteBuffer {
        try await take { $0.readSlice(length: count) }
    }

    /// Takes the text up to and with a mark, as soon as it has come.
    public func take(through mark: String) async throws -> String {
        let mark = Array(mark.utf8)
        return try await take { buffer in
            guard let range = buffer.readableBytesView.firstRange(of: mark) else { return nil }
            return buffer.readString(length: range.upperBound - buffer.readerIndex)
        }
    }

    /// Takes what a closure finds, as soon as it has come. A slice that it gives makes what follows be copied.
    public func take<Value: Sendable>(
        _ find: @escaping @Sendable (inout ByteBuffer) throws -> Value?
    ) async throws -> Value {
        try await within(.seconds(90), "bytes that were waited for") { [self] in
            while true {
                let (found, isClosed, version) = try state.withLock { state in
                    (try find(&state.received), state.isClosed, state.version)
                }
                if let found { return found }
                guard !isClosed else { throw Late(description: "closed, with \(received.readableBytes) bytes left") }
                await change(since: version)
            }
        }
    }

    /// Waits until the other end closes.
    ///
    /// - Returns: what had come and was not taken.
    @discardableResult
    public func closed() async throws -> ByteBuffer {
        try await within(.seconds(90), "the end of the connection") { [self] in
            while true {
                let (isClosed, version) = state.withLock { ($0.isClosed, $0.version) }
                if isClosed { return received }
                await change(since: version)
            }
        }
    }

    /// Closes the connection.
    public func close() { try? channel.close(promise: nil) }

    private func change(since version: Int) async {
        await withCheckedContinuation { continuation in
            let isNew = state.withLock { state in
                guard state.version == version else { return true }
                state.waiting.append(continuation)
                return false
            }
            if isNew { continuation.resume() }
        }
    }

    fileprivate func failed(_ error: any Error) { state.withLock { $0.error = error } }

    fileprivate func update(_ bytes: ByteBuffer?) {
        let waiting = state.withLock { state in
            state.version += 1
            if let bytes {
                if state.received.readerIndex > state.received.readableBytes { state.received.discardReadBytes() }
                state.received.writeImmutableBuffer(bytes)
            } else {
                state.isClosed = true
            }
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }
}

private final class Handler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let connection: RawConnection

    init(_ connection: RawConnection) { self.connection = connection }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { connection.update(unwrapInboundIn(data)) }
    func channelInactive(context: ChannelHandlerContext) { connection.update(nil) }
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        connection.failed(error)
        context.close(promise: nil)
    }
}
