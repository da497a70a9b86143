import DeviceCore
import DeviceProtocols
import NIOCore
import NIOHTTP1
import NIOWebSocket

/// The client's end of a WebSocket.
enum WebSocketClient {
    /// Adds the handlers that upgrade the connection and then turn WebSocket frames into what the session above knows:
    /// raw SMQ frames, or messages of text. The session's handlers are added once the upgrade is done.
    static func install(
        on channel: any Channel, url: BrokerURL, content: WebSocketContent, timeout: Duration,
        onRefusal: @escaping @Sendable (DeviceError) -> Void, session: @escaping @Sendable (any Channel) throws -> Void
    ) throws {
        var headers: HTTPHeaders = ["Host": url.authority, "User-Agent": SMQGoodbye.userAgent]
        var maxFrameSize = SMQSize.maximumFrame
        var (hint, tokenHint) = (notSMQ, smqToken)
        if case .text(let more, let limit, let advice) = content {
            for (name, value) in more { headers.add(name: name, value: value) }
            maxFrameSize = limit
            (hint, tokenHint) = (advice, advice)
        }
        let upgrader = NIOWebSocketClientUpgrader(
            maxFrameSize: maxFrameSize,
            upgradePipelineHandler: { channel, _ in
                channel.eventLoop.makeCompletedFuture {
                    switch content {
                    case .smq: try channel.pipeline.syncOperations.addHandler(SMQWebSocketAdapter())
                    case .text(_, let limit, _):
                        try channel.pipeline.syncOperations.addHandler(WebSocketTextHandler(limit: limit))
                    }
                    try session(channel)
                }
            })
        let request = HTTPRequestHead(version: .http1_1, method: .GET, uri: url.path, headers: headers)
        try channel.pipeline.syncOperations.addHTTPClientHandlers(
            // The broker's first message often comes in the segment of its response.
            leftOverBytesStrategy: .forwardBytes,
            withClientUpgrade: (
                upgraders: [upgrader],
                completionHandler: { context in
                    let pipeline = context.pipeline.syncOperations
                    if let starter = try? pipeline.handler(type: UpgradeStarter.self) {
                        pipeline.removeHandler(starter, promise: nil)
                    }
                }
            ))
        try channel.pipeline.syncOperations.addHandler(
            UpgradeStarter(
                request, url: url, hint: hint, tokenHint: tokenHint, timeout: timeout, onRefusal: onRefusal))
    }

    private static let notSMQ = "Is this the address of a SMQ broker? The usual form is ws://host:port/smq.lsp"
    private static let smqToken =
        "If the broker printed an address with a token, use that: ws://host:port/smq.lsp?token=..."
}

/// Sends the request for the upgrade, which has to be answered in time; sees a response only when it was refused.
final class UpgradeStarter: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart
    private let request: HTTPRequestHead
    private let url: BrokerURL
    private let hint: String
    private let tokenHint: String
    private let timeout: Duration
    private let onRefusal: @Sendable (DeviceError) -> Void
    private var deadline: Scheduled<Void>?

    init(
        _ request: HTTPRequestHead, url: BrokerURL, hint: String, tokenHint: String, timeout: Duration,
        onRefusal: @escaping @Sendable (DeviceError) -> Void
    ) {
        self.onRefusal = onRefusal
        self.request = request
        self.url = url
        self.hint = hint
        self.tokenHint = tokenHint
        self.timeout = timeout
    }

    func handlerAdded(context: ChannelHandlerContext) { if context.channel.isActive { start(context) } }

    func handlerRemoved(context: ChannelHandlerContext) { deadline?.cancel() }

    func channelActive(context: ChannelHandlerContext) {
        start(context)
        context.fireChannelActive()
    }

    private func start(_ context: ChannelHandlerContext) {
        guard deadline == nil else { return }
        deadline = context.eventLoop.assumeIsolated().scheduleTask(in: .nanoseconds(timeout.wholeNanoseconds)) {
            self.refuse(
                context, .timedOut, "\(self.url) did not answer the request for a WebSocket within \(self.timeout)")
        }
        context.write(wrapOutboundOut(.head(request)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .head(let head) = unwrapInboundIn(data) else { return context.close(promise: nil) }
        switch head.status {
        case .unauthorized, .forbidden:
            onRefusal(
                DeviceError(
                    .permission, "\(url) does not let this client in (HTTP status \(head.status.code))",
                    hint: tokenHint))
            context.close(promise: nil)
        default:
            refuse(
                context, .protocolViolation,
                "\(url) answered with HTTP status \(head.status.code), not with a WebSocket")
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let error = error as? DeviceError {
            // From TLS, which knows better.
            onRefusal(error)
            return context.close(promise: nil)
        }
        refuse(context, .protocolViolation, "\(url) did not answer as a web server does")
    }

    private func refuse(_ context: ChannelHandlerContext, _ code: DeviceError.Code, _ message: String) {
        onRefusal(DeviceError(code, message, hint: hint))
        context.close(promise: nil)
    }
}

/// WebSocket messages inward become raw SMQ frames, raw SMQ frames outward become masked WebSocket messages.
final class SMQWebSocketAdapter: ChannelDuplexHandler {
    typealias InboundIn = WebSocketFrame
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = WebSocketFrame

    private var fragments: ByteBuffer?
    /// The answer to the newest ping, for when the broker reads again (RFC 6455, section 5.5.3).
    private var pendingPong: WebSocketFrame?

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        switch frame.opcode {
        case .binary, .text, .continuation:
            var message = fragments ?? ByteBuffer()
            message.writeImmutableBuffer(frame.unmaskedData)
            guard message.readableBytes + 2 <= SMQSize.maximumFrame else { return context.close(promise: nil) }
            fragments = frame.fin ? nil : message
            guard frame.fin else { return }
            var raw = ByteBuffer(integer: UInt16(truncatingIfNeeded: message.readableBytes + 2))
            raw.writeBuffer(&message)
            context.fireChannelRead(wrapInboundOut(raw))
        case .ping:
            pendingPong = WebSocketFrame(fin: true, opcode: .pong, maskKey: .random(), data: frame.unmaskedData)
            sendPong(context)
        case .connectionClose: context.close(promise: nil)
        default: break
        }
    }

    private func sendPong(_ context: ChannelHandlerContext) {
        guard context.channel.isWritable, let pong = pendingPong else { return }
        pendingPong = nil
        context.writeAndFlush(wrapOutboundOut(pong), promise: nil)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        sendPong(context)
        context.fireChannelWritabilityChanged()
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        var raw = unwrapOutboundIn(data)
        do {
            while let message = try raw.readSMQRawMessage() {
                let frame = WebSocketFrame(fin: true, opcode: .binary, maskKey: .random(), data: message)
                context.write(wrapOutboundOut(frame), promise: nil)
            }
            promise?.succeed(())
        } catch {
            promise?.fail(error)
        }
    }
}
