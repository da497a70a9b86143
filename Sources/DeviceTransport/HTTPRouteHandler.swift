import DeviceCore
import NIOCore
import NIOHTTP1

/// Answers HTTP requests from the routes, one at a time per connection.
final class HTTPRouteHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    /// A longer body is refused.
    static let bodyLimit = 64 << 10

    private let shared: HTTPListenerShared
    private var head: HTTPRequestHead?
    private var body = ByteBuffer()
    private var isTooLong = false
    private var idle: Scheduled<Void>?

    init(_ shared: HTTPListenerShared) { self.shared = shared }

    func handlerAdded(context: ChannelHandlerContext) { closeAfter(shared.limits.head, context) }

    func handlerRemoved(context: ChannelHandlerContext) { idle?.cancel() }

    func channelInactive(context: ChannelHandlerContext) {
        idle?.cancel()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            body = ByteBuffer()
            isTooLong = false
            closeAfter(shared.limits.head, context)
        case .body(let part):
            guard body.readableBytes + part.readableBytes <= Self.bodyLimit else { return isTooLong = true }
            body.writeImmutableBuffer(part)
        case .end:
            guard let head else { return }
            idle?.cancel()
            self.head = nil
            answer(context, head)
        }
    }

    private func answer(_ context: ChannelHandlerContext, _ head: HTTPRequestHead) {
        var request = HTTPRequest(head, remoteAddress: context.remoteAddress?.plainAddress ?? "local")
        request.body = body
        body = ByteBuffer()
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        let shared = shared
        let isTooLong = isTooLong
        context.eventLoop.makeFutureWithTask { [request] in
            isTooLong ? .text(413, "The body is too long.") : await Self.response(to: request, shared)
        }.whenSuccess { response in
            let (handler, context) = bound.value
            handler.write(context, response, for: head)
        }
    }

    private static func response(to request: HTTPRequest, _ shared: HTTPListenerShared) async -> HTTPResponse {
        // Files of a page load without the token, which the page's own address carries.
        let isFile = request.path.contains(".") && shared.routes.streams[request.path] == nil
        if let refusal = shared.access.refusal(of: request, needsToken: !isFile) { return refusal }
        guard let page = shared.routes.pages[request.path] else {
            if shared.routes.streams[request.path] != nil {
                return .text(404, "This is a SMQ broker. Use a SMQ client, or open / for the page.")
            }
            return .text(404, "There is nothing at \(request.path.prefix(100)).")
        }
        guard ["GET", "HEAD"].contains(request.method) else { return .text(405, "Only GET is served here.") }
        return await page(request)
    }

    private func write(_ context: ChannelHandlerContext, _ response: HTTPResponse, for head: HTTPRequestHead) {
        var headers = HTTPHeaders(response.headers)
        headers.add(name: "Content-Length", value: "\(response.body.readableBytes)")
        headers.add(name: "Connection", value: head.isKeepAlive ? "keep-alive" : "close")
        let status = HTTPResponseStatus(statusCode: response.status)
        context.write(
            wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: status, headers: headers))), promise: nil)
        if head.method != .HEAD, response.body.readableBytes > 0 {
            context.write(wrapOutboundOut(.body(.byteBuffer(response.body))), promise: nil)
        }
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        let isKeptAlive = head.isKeepAlive
        context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in
            if !isKeptAlive { bound.value.close(promise: nil) }
        }
        if isKeptAlive { closeAfter(shared.limits.keepAlive, context) }
    }

    /// Closes the connection unless its next step comes in time.
    private func closeAfter(_ time: Duration, _ context: ChannelHandlerContext) {
        idle?.cancel()
        idle = context.eventLoop.assumeIsolated().scheduleTask(in: .nanoseconds(time.wholeNanoseconds)) {
            context.close(promise: nil)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A WebSocket that is refused comes here next as a request, which is answered with the reason.
        if !(error is WebSocketUpgrader.Refused) { context.close(promise: nil) }
    }
}
