import DeviceCore
import DeviceProtocols
import Logging
import NIOCore
import NIOHTTP1
import Synchronization

/// The first handler of each connection: reads the first request's head and decides what the connection is.
///
/// A head with a `SimpleMQ` field is a raw SMQ stream, which is no HTTP from there on, so HTTP's own decoder must not
/// see it. Everything else gets the HTTP handlers, with the bytes that were read.
final class StreamDetectionHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// A longer head is refused.
    static let headLimit = 8192
    /// The answer to such a head.
    static let longHead = HTTPResponse.text(431, "The request's head is longer than \(headLimit) bytes.")
    /// The answer to a client that speaks TLS where there is none.
    static let noTLS = HTTPResponse.text(400, "This port speaks no TLS: use http://, ws:// or smq://.")
    /// Time for a refusal to reach a client.
    static let lingerTime = TimeAmount.seconds(2)

    private let shared: HTTPListenerShared
    private var buffer = ByteBuffer()
    private var deadline: Scheduled<Void>?
    private var isDone = false

    init(_ shared: HTTPListenerShared) { self.shared = shared }

    func handlerAdded(context: ChannelHandlerContext) {
        let channel = context.channel
        let count = shared.count.wrappingAdd(1, ordering: .relaxed).newValue
        channel.closeFuture.whenComplete { [shared] _ in
            shared.count.wrappingSubtract(1, ordering: .relaxed)
            shared.forget(channel)
        }
        guard count <= shared.limits.connections else {
            shared.refused.wrappingAdd(1, ordering: .relaxed)
            return context.close(promise: nil)
        }
        // Accepted by the system just before the listener closed.
        guard !shared.isClosed.load(ordering: .relaxed) else { return context.close(promise: nil) }
        shared.connections.withLock { $0[ObjectIdentifier(channel)] = channel }
        deadline = context.eventLoop.assumeIsolated().scheduleTask(
            in: .nanoseconds(shared.limits.head.wholeNanoseconds)
        ) {
            context.close(promise: nil)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) { deadline?.cancel() }

    func channelInactive(context: ChannelHandlerContext) {
        deadline?.cancel()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        // What follows a request that was refused is nobody's.
        guard !isDone else { return }
        buffer.writeImmutableBuffer(bytes)
        // The first byte of TLS (RFC 8446, section 5.1): who speaks it learns at once that he is wrong here.
        if buffer.readableBytesView.first == 0x16 { return refuse(context, Self.noTLS) }
        guard let end = buffer.readableBytesView.firstRange(of: [13, 10, 13, 10])?.upperBound else {
            if buffer.readableBytes > Self.headLimit {
                refuse(context, Self.longHead)
            }
            return
        }
        guard end - buffer.readerIndex <= Self.headLimit else { return refuse(context, Self.longHead) }
        isDone = true
        deadline?.cancel()
        let head = buffer.getSlice(at: buffer.readerIndex, length: end - buffer.readerIndex) ?? ByteBuffer()
        guard let request = Self.parse(head, remote: context.remoteAddress?.plainAddress ?? "local"),
            request.header("SimpleMQ") != nil
        else { return becomeHTTP(context) }
        buffer.moveReaderIndex(to: end)
        becomeStream(context, request)
    }

    private func becomeStream(_ context: ChannelHandlerContext, _ request: HTTPRequest) {
        switch shared.decide(StreamRequest(request: request, framing: .raw)) {
        case .refuse(let response): refuse(context, response)
        case .accept(let responseHead, let install):
            if let responseHead {
                context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: responseHead)), promise: nil)
            }
            shared.forget(context.channel)
            forward(context, install)
        }
    }

    private func becomeHTTP(_ context: ChannelHandlerContext) {
        let shared = shared
        let upgrader = WebSocketUpgrader(shared)
        forward(context) { channel in
            try channel.pipeline.syncOperations.configureHTTPServerPipeline(
                withPipeliningAssistance: true,
                withServerUpgrade: (
                    upgraders: [upgrader],
                    completionHandler: { context in
                        // The connection is a stream now.
                        let pipeline = context.pipeline.syncOperations
                        if let route = try? pipeline.handler(type: HTTPRouteHandler.self) {
                            pipeline.removeHandler(route, promise: nil)
                        }
                    }
                ), withErrorHandling: true)
            try channel.pipeline.syncOperations.addHandler(HTTPRouteHandler(shared))
        }
    }

    /// Adds the handlers of what the connection has become, gives them what was read, and leaves.
    private func forward(_ context: ChannelHandlerContext, _ install: (any Channel) throws -> Void) {
        do {
            try install(context.channel)
        } catch {
            shared.logger.warning("a connection could not be set up", metadata: ["error": "\(error)"])
            return context.close(promise: nil)
        }
        if buffer.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(buffer)) }
        context.fireChannelReadComplete()
        buffer = ByteBuffer()
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
    }

    private func refuse(_ context: ChannelHandlerContext, _ response: HTTPResponse) {
        isDone = true
        var text = "HTTP/1.1 \(response.status) \(HTTPResponseStatus(statusCode: response.status).reasonPhrase)\r\n"
        for (name, value) in response.headers { text += "\(name): \(value)\r\n" }
        text += "Content-Length: \(response.body.readableBytes)\r\nConnection: close\r\n\r\n"
        var bytes = ByteBuffer(string: text)
        bytes.writeImmutableBuffer(response.body)
        // Only our direction is closed first: closing both with input unread would reset the connection, and the
        // client would not see why it was refused.
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.writeAndFlush(wrapOutboundOut(bytes)).whenComplete { _ in
            bound.value.close(mode: .output, promise: nil)
        }
        deadline?.cancel()
        deadline = context.eventLoop.assumeIsolated().scheduleTask(in: Self.lingerTime) { context.close(promise: nil) }
    }

    /// Reads a request's head: request line and fields.
    static func parse(_ head: ByteBuffer, remote: String) -> HTTPRequest? {
        let lines = String(decoding: head.readableBytesView, as: UTF8.self).split(separator: "\r\n")
        guard let line = lines.first?.split(separator: " "), line.count == 3, line[2].hasPrefix("HTTP/1.") else {
            return nil
        }
        let headers = lines.dropFirst().compactMap { line -> (name: String, value: String)? in
            guard let colon = line.firstIndex(of: ":") else { return nil }
            let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
            return (String(line[..<colon]), String(value))
        }
        return HTTPRequest(method: String(line[0]), uri: String(line[1]), headers: headers, remoteAddress: remote)
    }
}
