public import NIOCore
import NIOWebSocket

/// What a client's WebSocket carries.
public enum WebSocketContent: Sendable {
    /// SMQ: each binary message is a frame without its length. The session above sees raw frames.
    case smq
    /// Messages of text for a session that reads and writes ``WebSocketMessage``s.
    ///
    /// - Parameters:
    ///   - headers: added to the request, for example an Authorization.
    ///   - limit: bytes of a message that comes; a longer one ends the connection.
    ///   - hint: what a person should check when the other end does not upgrade.
    case text(headers: [(name: String, value: String)], limit: Int, hint: String)
}

/// A whole message of a WebSocket, or what stands between messages.
public enum WebSocketMessage: Sendable, Equatable {
    /// A text; whether it is UTF-8 is for the reader to find out.
    case text(ByteBuffer)
    /// Bytes.
    case binary(ByteBuffer)
    /// A question whether the other end is still there; it answers with the same bytes, at most 125.
    case ping(ByteBuffer)
    /// The answer.
    case pong(ByteBuffer)
}

/// Between WebSocket frames and whole messages, for a client: puts fragments together, answers pings and the close.
final class WebSocketTextHandler: ChannelDuplexHandler {
    typealias InboundIn = WebSocketFrame
    typealias InboundOut = WebSocketMessage
    typealias OutboundIn = WebSocketMessage
    typealias OutboundOut = WebSocketFrame

    private let limit: Int
    private var fragments: (opcode: WebSocketOpcode, data: ByteBuffer)?
    /// The answer to the newest ping, for when the server reads again (RFC 6455, section 5.5.3).
    private var pendingPong: WebSocketFrame?

    init(limit: Int) { self.limit = limit }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        switch frame.opcode {
        case .text, .binary:
            guard fragments == nil, frame.length <= limit else { return close(context, .protocolError) }
            if frame.fin { return pass(context, frame.opcode, frame.unmaskedData) }
            fragments = (frame.opcode, frame.unmaskedData)
        case .continuation:
            guard let (opcode, begun) = fragments else { return close(context, .protocolError) }
            var message = begun
            guard message.readableBytes + frame.length <= limit else { return close(context, .messageTooLarge) }
            var piece = frame.unmaskedData
            message.writeBuffer(&piece)
            fragments = frame.fin ? nil : (opcode, message)
            if frame.fin { pass(context, opcode, message) }
        case .ping:
            pendingPong = WebSocketFrame(fin: true, opcode: .pong, maskKey: .random(), data: frame.unmaskedData)
            sendPong(context)
        case .pong: context.fireChannelRead(wrapInboundOut(.pong(frame.unmaskedData)))
        case .connectionClose: close(context, .normalClosure)
        default: break
        }
    }

    private func pass(_ context: ChannelHandlerContext, _ opcode: WebSocketOpcode, _ data: ByteBuffer) {
        context.fireChannelRead(wrapInboundOut(opcode == .text ? .text(data) : .binary(data)))
    }

    private func close(_ context: ChannelHandlerContext, _ code: WebSocketErrorCode) {
        var reason = context.channel.allocator.buffer(capacity: 2)
        reason.write(webSocketErrorCode: code)
        let frame = WebSocketFrame(fin: true, opcode: .connectionClose, maskKey: .random(), data: reason)
        context.writeAndFlush(wrapOutboundOut(frame), promise: nil)
        context.close(promise: nil)
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
        let frame: WebSocketFrame =
            switch unwrapOutboundIn(data) {
            case .text(let data): WebSocketFrame(fin: true, opcode: .text, maskKey: .random(), data: data)
            case .binary(let data): WebSocketFrame(fin: true, opcode: .binary, maskKey: .random(), data: data)
            case .ping(let data): WebSocketFrame(fin: true, opcode: .ping, maskKey: .random(), data: data)
            case .pong(let data): WebSocketFrame(fin: true, opcode: .pong, maskKey: .random(), data: data)
            }
        context.write(wrapOutboundOut(frame), promise: promise)
    }
}
