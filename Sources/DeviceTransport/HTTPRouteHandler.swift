import DeviceCore
import NIOCore
import NIOHTTP1
import Synchronization

/// Answers HTTP requests from the routes, one at a time per connection.
///
/// What a request may not do is decided at its head, so that nobody uploads a body that is refused. While the peer
/// does not take its responses nothing more is read from it and no further response is written.
final class HTTPRouteHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    /// A longer body is refused.
    static let bodyLimit = 64 << 10

    /// What is done with a request.
    enum Decision {
        case refuse(HTTPResponse)
        case serve(HTTPRoutes.Page)
    }

    /// A request whose end has not come.
    private struct Incoming {
        var head: HTTPRequestHead
        var request: HTTPRequest
        var decision: Decision
    }

    /// A response that waits until the peer takes the ones before it.
    private struct Held {
        var response: HTTPResponse
        var head: HTTPRequestHead
        var isLast: Bool
    }

    private let shared: HTTPListenerShared
    private var incoming: Incoming?
    private var isAnswering = false
    private var held: Held?
    /// The last response was decided on: what comes now is nobody's.
    private var isEnding = false
    private var wantsRead = false
    /// Why the upgrade that comes next, as a request, was refused.
    private var upgradeRefusal: HTTPResponse?
    private var deadline: Scheduled<Void>?
    /// Responses that the system has not taken, and those that it has.
    private var unwritten = 0
    private var written = 0
    private var stall: Scheduled<Void>?

    init(_ shared: HTTPListenerShared) { self.shared = shared }

    func handlerAdded(context: ChannelHandlerContext) { closeAfter(shared.limits.head, context) }

    func handlerRemoved(context: ChannelHandlerContext) { cancel() }

    func channelInactive(context: ChannelHandlerContext) {
        cancel()
        context.fireChannelInactive()
    }

    func read(context: ChannelHandlerContext) {
        if context.channel.isWritable { context.read() } else { wantsRead = true }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable, let held {
            self.held = nil
            write(context, held)
        }
        if context.channel.isWritable, wantsRead {
            wantsRead = false
            context.read()
        }
        context.fireChannelWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A WebSocket that is refused comes here next as a request, which is answered with the reason.
        if let refused = error as? WebSocketUpgrader.Refused {
            upgradeRefusal = refused.response
        } else if !isEnding {
            context.close(promise: nil)
        }
    }

    // MARK: Requests

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isEnding else { return }
        switch unwrapInboundIn(data) {
        case .head(let head): begin(context, head)
        case .body(let part):
            guard let read = incoming?.request.body.readableBytes else { return }
            guard read + part.readableBytes <= Self.bodyLimit else { return end(context, Self.tooLong) }
            incoming?.request.body.writeImmutableBuffer(part)
        case .end:
            guard let incoming else { return }
            self.incoming = nil
            deadline?.cancel()
            answer(context, incoming)
        }
    }

    private func begin(_ context: ChannelHandlerContext, _ head: HTTPRequestHead) {
        let request = HTTPRequest(head, remoteAddress: context.remoteAddress?.plainAddress ?? "local")
        let decision = upgradeRefusal.map { .refuse($0) } ?? shared.decide(request)
        incoming = Incoming(head: head, request: request, decision: decision)
        // Until the end of the request, however slowly its body comes.
        closeAfter(shared.limits.head, context)
        if upgradeRefusal == nil, !Self.hasBody(head) { return }
        if case .refuse(let refusal) = decision { return end(context, refusal) }
        if let length = request.header("Content-Length"), Int(length).map({ $0 > Self.bodyLimit }) ?? true {
            return end(context, Self.tooLong)
        }
        if request.header("Expect") != nil {
            end(context, .text(417, "No request here needs a body that has to be waited for."))
        }
    }

    private static let tooLong = HTTPResponse.text(413, "The body is longer than \(bodyLimit) bytes.")

    private static func hasBody(_ head: HTTPRequestHead) -> Bool {
        head.headers.contains(name: "Transfer-Encoding") || head.headers["Content-Length"].contains { $0 != "0" }
    }

    /// Answers before the end of the request, which is not waited for.
    private func end(_ context: ChannelHandlerContext, _ refusal: HTTPResponse) {
        guard let head = incoming?.head else { return }
        incoming = nil
        deadline?.cancel()
        respond(context, Held(response: refusal, head: head, isLast: true))
    }

    private func answer(_ context: ChannelHandlerContext, _ incoming: Incoming) {
        let head = incoming.head
        switch incoming.decision {
        case .refuse(let refusal): respond(context, Held(response: refusal, head: head, isLast: !head.isKeepAlive))
        case .serve(let page):
            isAnswering = true
            let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
            let request = incoming.request
            context.eventLoop.makeFutureWithTask { await page(request) }.whenSuccess { response in
                let (handler, context) = bound.value
                handler.isAnswering = false
                handler.respond(context, Held(response: response, head: head, isLast: !head.isKeepAlive))
            }
        }
    }

    // MARK: Responses

    private func respond(_ context: ChannelHandlerContext, _ held: Held) {
        guard context.channel.isActive else { return }
        if held.isLast { isEnding = true }
        if context.channel.isWritable { write(context, held) } else { self.held = held }
    }

    private func write(_ context: ChannelHandlerContext, _ held: Held) {
        let response = held.response
        var headers = HTTPHeaders(response.headers)
        let isLast = held.isLast || shared.isStopping.load(ordering: .relaxed)
        isEnding = isLast
        headers.add(name: "Content-Length", value: "\(response.body.readableBytes)")
        headers.add(name: "Connection", value: isLast ? "close" : "keep-alive")
        if headers.contains(name: "Upgrade") { headers.add(name: "Connection", value: "upgrade") }
        let status = HTTPResponseStatus(statusCode: response.status)
        unwritten += 1
        if stall == nil { watch(context) }
        context.write(
            wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: status, headers: headers))), promise: nil)
        if held.head.method != .HEAD, response.body.readableBytes > 0 {
            context.write(wrapOutboundOut(.body(.byteBuffer(response.body))), promise: nil)
        }
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        context.writeAndFlush(wrapOutboundOut(.end(nil))).whenSuccess { _ in
            let (handler, context) = bound.value
            handler.wasWritten(context, isLast: isLast)
        }
    }

    private func wasWritten(_ context: ChannelHandlerContext, isLast: Bool) {
        unwritten -= 1
        written += 1
        if unwritten == 0 {
            stall?.cancel()
            stall = nil
        }
        if isLast {
            // Only our direction is closed first: closing both with input unread would reset the connection, and the
            // client would not see the response.
            context.close(mode: .output, promise: nil)
            closeAfter(.nanoseconds(StreamDetectionHandler.lingerTime.nanoseconds), context)
        } else if incoming == nil, !isAnswering, unwritten == 0 {
            closeAfter(shared.limits.keepAlive, context)
        }
    }

    // MARK: Time

    /// Closes the connection unless its next step comes in time.
    private func closeAfter(_ time: Duration, _ context: ChannelHandlerContext) {
        deadline?.cancel()
        guard context.channel.isActive else { return }
        deadline = context.eventLoop.assumeIsolated().scheduleTask(in: .nanoseconds(time.wholeNanoseconds)) {
            context.close(promise: nil)
        }
    }

    /// Closes the connection of a peer that takes nothing of its responses for as long as it may be idle.
    private func watch(_ context: ChannelHandlerContext) {
        let before = (written, buffered(context))
        stall = context.eventLoop.assumeIsolated().scheduleTask(
            in: .nanoseconds(shared.limits.keepAlive.wholeNanoseconds)
        ) {
            let isMoving = self.written != before.0 || self.buffered(context) != before.1
            if isMoving { self.watch(context) } else { context.close(promise: nil) }
        }
    }

    private func buffered(_ context: ChannelHandlerContext) -> Int {
        (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
    }

    private func cancel() {
        deadline?.cancel()
        stall?.cancel()
        held = nil
    }
}
