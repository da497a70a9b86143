import DeviceCore
public import NIOCore

/// TLS between a socket and the handlers above it: plain bytes above, records of TLS below.
///
/// Made by ``TLSClientContext`` and ``TLSServerContext``; the first handler of its pipeline. All that was written when
/// a flush comes goes out in one write. Nothing is held back: what comes is decrypted at once, and what goes out is
/// counted by the channel, so that its writability tells when to stop.
///
/// What is written before the handshake is done waits, up to ``earlyLimit``. An error after the handshake (TLS 1.3
/// lets a server refuse the client's certificate only then) comes as `errorCaught` with a ``DeviceError``. A
/// connection that is cut without TLS's own goodbye just becomes inactive, as a plain one does: protocols above have
/// their own marks for the end of a message.
public final class TLSHandler: ChannelDuplexHandler {
    /// Plain bytes or records.
    public typealias InboundIn = ByteBuffer
    /// Plain bytes.
    public typealias InboundOut = ByteBuffer
    /// Plain bytes; file regions are refused.
    public typealias OutboundIn = IOData
    /// Records.
    public typealias OutboundOut = ByteBuffer

    /// Bytes that may be written before the handshake is done; more is an error.
    public static let earlyLimit = 256 << 10
    /// Small writes up to this size become one record (RFC 8446, section 5.1: at most 2^14 bytes).
    private static let recordSize = 16 << 10
    /// Above that size, writes are encrypted without waiting for the flush.
    private static let batchSize = 64 << 10
    /// How long an alert or a goodbye may take to leave.
    private static let lingerTime = TimeAmount.seconds(1)

    private enum State { case idle, handshaking, open, ending }

    private let connection: TLSConnection
    private let failure: TLSFailure
    private let timeout: Duration
    private var onHandshake: (@Sendable (Result<TLSInfo, DeviceError>) -> Void)?
    /// The connection is up: the last moment to offer a session. Before it, a node that does not answer would use up
    /// one that can be offered once only.
    var onStart: ((TLSConnection) -> Void)?
    /// A session came that can be taken up again.
    var onSession: ((TLSSessionCache.Session) -> Void)?
    private var state = State.idle
    private var timer: Scheduled<Void>?
    private var hasInput = false
    private var wantsRead = false
    private var isOutputClosed = false
    // What was written and not yet handed to the channel: plain, then encrypted.
    private var plain = ByteBuffer()
    private var records = ByteBuffer()
    private var promises: [EventLoopPromise<Void>] = []

    init(
        _ connection: TLSConnection, _ side: TLSFailure.Side, timeout: Duration,
        onHandshake: @escaping @Sendable (Result<TLSInfo, DeviceError>) -> Void
    ) {
        self.connection = connection
        self.timeout = timeout
        self.onHandshake = onHandshake
        failure = TLSFailure(side: side)
    }

    // MARK: Beginning and end

    /// Begins the handshake if the connection is up.
    public func handlerAdded(context: ChannelHandlerContext) { if context.channel.isActive { start(context) } }

    /// Begins the handshake.
    public func channelActive(context: ChannelHandlerContext) {
        start(context)
        context.fireChannelActive()
    }

    private func start(_ context: ChannelHandlerContext) {
        guard state == .idle else { return }
        state = .handshaking
        onStart?(connection)
        onStart = nil
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: .nanoseconds(timeout.wholeNanoseconds)) {
            self.fail(context, self.failure.timedOut(self.timeout))
            context.close(promise: nil)
        }
        var nothing = ByteBuffer()
        advance(context, &nothing)
        // Whoever is above may not read yet; the handshake has to.
        context.read()
    }

    /// Ends what waits.
    public func channelInactive(context: ChannelHandlerContext) {
        leave()
        context.fireChannelInactive()
    }

    /// Ends what waits.
    public func handlerRemoved(context: ChannelHandlerContext) { leave() }

    private func leave() {
        // Who never was connected is told so by the attempt to connect.
        if state == .idle { onHandshake = nil }
        state = .ending
        timer?.cancel()
        report(.failure(failure.closed))
        onStart = nil
        onSession = nil
        dropOutput(ChannelError.ioOnClosedChannel)
    }

    private func report(_ result: Result<TLSInfo, DeviceError>) {
        guard let onHandshake else { return }
        self.onHandshake = nil
        onHandshake(result)
    }

    /// Reports an error and ends the connection, leaving the alert a moment to arrive: closing with input unread
    /// would reset the connection, and the peer would not learn why.
    private func fail(_ context: ChannelHandlerContext, _ error: DeviceError) {
        guard state != .ending else { return }
        let isHandshake = onHandshake != nil
        state = .ending
        timer?.cancel()
        dropOutput(error)
        context.close(mode: .output, promise: nil)
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: Self.lingerTime) { context.close(promise: nil) }
        if isHandshake { report(.failure(error)) } else { context.fireErrorCaught(error) }
    }

    /// A socket's error during the handshake is the handshake's.
    public func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard state == .handshaking else { return context.fireErrorCaught(error) }
        var closed = failure.closed
        closed.cause = error
        fail(context, closed)
        context.close(promise: nil)
    }

    // MARK: Inbound

    /// Takes what the socket has read.
    public func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var input = unwrapInboundIn(data)
        if !hasInput, input.readableBytes > 0 {
            hasInput = true
            let first = ByteBufferPrefix(bytes: Array(input.readableBytesView.prefix(8)))
            guard first.isTLS else { return refuse(context, first) }
        }
        advance(context, &input)
    }

    /// Answers in plain text to who speaks it.
    private func refuse(_ context: ChannelHandlerContext, _ first: ByteBufferPrefix) {
        guard state == .handshaking else { return }
        if case .server = failure.side, first.isRequest {
            let text = "This port speaks TLS: use https://, wss:// or smqs://.\n"
            let answer =
                "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: \(text.utf8.count)\r\n"
                + "Connection: close\r\n\r\n" + text
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: answer)), promise: nil)
        }
        fail(context, failure.plainText(first))
    }

    private func advance(_ context: ChannelHandlerContext, _ input: inout ByteBuffer) {
        if state == .handshaking {
            var output = ByteBuffer()
            let step = connection.handshake(&input, &output)
            if output.readableBytes > 0 { context.writeAndFlush(wrapOutboundOut(output), promise: nil) }
            switch step {
            case .wantsInput: return
            case .closed: return fail(context, failure.closed)
            case .failed: return fail(context, failure.error(connection))
            case .done: opened(context)
            }
        }
        if state == .open { decrypt(context, &input) }
    }

    private func opened(_ context: ChannelHandlerContext) {
        state = .open
        timer?.cancel()
        if let session = connection.takeSession() { onSession?(session) }
        if let error = failure.strangeName(connection) { return fail(context, error) }
        report(.success(connection.info))
        if state == .open { flush(context: context) }
    }

    private func decrypt(_ context: ChannelHandlerContext, _ input: inout ByteBuffer) {
        var plain = context.channel.allocator.buffer(capacity: 0)
        var output = ByteBuffer()
        let step = connection.read(&input, into: &plain, &output)
        if let session = connection.takeSession() { onSession?(session) }
        if output.readableBytes > 0 { context.writeAndFlush(wrapOutboundOut(output), promise: nil) }
        if plain.readableBytes > 0 {
            wantsRead = false
            context.fireChannelRead(wrapInboundOut(plain))
        }
        switch step {
        case .done, .wantsInput: break
        case .closed: if state == .open { finish(context, nil) }
        case .failed: fail(context, failure.error(connection))
        }
    }

    /// Reads on where what came was for TLS alone.
    public func channelReadComplete(context: ChannelHandlerContext) {
        context.fireChannelReadComplete()
        if state == .handshaking || (state == .open && wantsRead) { context.read() }
    }

    /// Whoever is above wants to read.
    public func read(context: ChannelHandlerContext) {
        wantsRead = true
        context.read()
    }

    // MARK: Outbound

    /// Takes plain bytes.
    public func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .byteBuffer(let bytes) = unwrapOutboundIn(data) else {
            promise?.fail(ChannelError.operationUnsupported)
            return
        }
        guard state != .ending, !isOutputClosed else {
            promise?.fail(ChannelError.outputClosed)
            return
        }
        if let promise { promises.append(promise) }
        let count = plain.readableBytes + bytes.readableBytes
        guard state == .open else {
            plain.writeImmutableBuffer(bytes)
            guard count <= Self.earlyLimit else {
                fail(
                    context,
                    DeviceError(
                        .limitExceeded, "more than \(Self.earlyLimit) bytes were written before the TLS handshake ended"
                    ))
                return
            }
            return
        }
        if plain.readableBytes == 0 {
            plain = bytes
        } else if count <= Self.recordSize {
            plain.writeImmutableBuffer(bytes)
        } else {
            guard encrypt(context) else { return }
            plain = bytes
        }
        if records.readableBytes + plain.readableBytes >= Self.batchSize, encrypt(context) { hand(context) }
    }

    /// Sends what was written, as one buffer.
    public func flush(context: ChannelHandlerContext) {
        guard state == .open else { return }
        guard encrypt(context) else { return }
        hand(context)
        context.flush()
    }

    private func encrypt(_ context: ChannelHandlerContext) -> Bool {
        let bytes = plain
        plain = ByteBuffer()
        guard connection.write(bytes, &records) else {
            fail(context, failure.error(connection))
            return false
        }
        return true
    }

    /// Hands everything encrypted to the channel. Nothing plain may be left, because the promises are for both.
    private func hand(_ context: ChannelHandlerContext) {
        let (records, promises) = (self.records, self.promises)
        guard records.readableBytes > 0 || !promises.isEmpty else { return }
        self.records = ByteBuffer()
        self.promises = []
        for promise in promises.dropFirst() { promises.first?.futureResult.cascade(to: promise) }
        context.write(wrapOutboundOut(records), promise: promises.first)
    }

    private func dropOutput(_ error: any Error) {
        plain = ByteBuffer()
        records = ByteBuffer()
        let promises = self.promises
        self.promises = []
        for promise in promises { promise.fail(error) }
    }

    /// Says goodbye before it closes.
    public func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        switch (state, mode) {
        case (.open, .output): closeOutput(context, promise)
        case (.open, .all): finish(context, promise)
        case (_, .output) where state == .handshaking:
            // There is nobody yet to say goodbye to.
            context.close(mode: .all, promise: promise)
        default: context.close(mode: mode, promise: promise)
        }
    }

    private func closeOutput(_ context: ChannelHandlerContext, _ promise: EventLoopPromise<Void>?) {
        guard !isOutputClosed else {
            promise?.fail(ChannelError.outputClosed)
            return
        }
        sendGoodbye(context) { context.close(mode: .output, promise: promise) }
    }

    /// Says goodbye, if that was not done, and closes as soon as it has left, or a moment later.
    private func finish(_ context: ChannelHandlerContext, _ promise: EventLoopPromise<Void>?) {
        guard !isOutputClosed, context.channel.isActive else {
            state = .ending
            return context.close(promise: promise)
        }
        timer?.cancel()
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: Self.lingerTime) { context.close(promise: nil) }
        sendGoodbye(context) { context.close(promise: promise) }
        state = .ending
    }

    private func sendGoodbye(_ context: ChannelHandlerContext, then: @escaping () -> Void) {
        isOutputClosed = true
        guard encrypt(context) else { return then() }
        connection.shutDown(&records)
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenComplete { _ in then() }
        promises.append(written)
        hand(context)
        context.flush()
    }
}
