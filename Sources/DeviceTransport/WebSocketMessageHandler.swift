import DeviceCore
import NIOCore
import NIOWebSocket

/// Between WebSocket frames and whole messages: puts fragments together, answers pings and the close.
///
/// Inbound it hands on one `ByteBuffer` a message; outbound it lets encoded frames through.
final class WebSocketMessageHandler: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame
    typealias InboundOut = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let limit: Int
    private var fragments: ByteBuffer?
    private var isClosing = false
    private var lingering: Scheduled<Void>?
    /// The answer to the newest ping, for when the peer reads again.
    private var pendingPong: ByteBuffer?

    init(limit: Int) { self.limit = limit }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        guard !isClosing else { return }
        // RFC 6455, section 5.1: a server must close the connection upon a frame that is not masked.
        // Reserved bits belong to extensions, and we agree on none (section 5.2).
        guard frame.maskKey != nil, !frame.rsv1, !frame.rsv2, !frame.rsv3 else { return fail(context, 1002) }
        switch frame.opcode {
        case .binary, .text:
            guard fragments == nil else { return fail(context, 1002) }
            let data = frame.unmaskedData
            if frame.fin { context.fireChannelRead(wrapInboundOut(data)) } else { fragments = data }
        case .continuation:
            guard var whole = fragments else { return fail(context, 1002) }
            guard whole.readableBytes + frame.length <= limit else { return fail(context, 1009) }
            var data = frame.unmaskedData
            whole.writeBuffer(&data)
            fragments = frame.fin ? nil : whole
            if frame.fin { context.fireChannelRead(wrapInboundOut(whole)) }
        case .ping:
            let data = frame.unmaskedData
            var pong = ByteBuffer(bytes: [0x8A, UInt8(truncatingIfNeeded: min(data.readableBytes, 125))])
            pong.writeBytes(data.readableBytesView.prefix(125))
            // Who sends pings and does not read gets only the newest pong (section 5.5.3 lets us skip the others).
            pendingPong = pong
            sendPong(context)
        case .connectionClose: fail(context, 1000)
        default: break
        }
    }

    private func sendPong(_ context: ChannelHandlerContext) {
        guard !isClosing, context.channel.isWritable, let pong = pendingPong else { return }
        pendingPong = nil
        context.writeAndFlush(wrapOutboundOut(pong), promise: nil)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        sendPong(context)
        context.fireChannelWritabilityChanged()
    }

    /// Says why, then closes.
    private func fail(_ context: ChannelHandlerContext, _ code: UInt16) {
        guard !isClosing else { return }
        isClosing = true
        var close = ByteBuffer(bytes: [0x88, 2])
        close.writeInteger(code)
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        // Only our direction is closed first, so that what is still coming does not reset the connection and take the
        // reason with it; and not for ever, if the peer takes nothing.
        context.writeAndFlush(wrapOutboundOut(close)).whenComplete { _ in
            bound.value.close(mode: .output, promise: nil)
        }
        lingering = context.eventLoop.assumeIsolated().scheduleTask(in: StreamDetectionHandler.lingerTime) {
            context.close(promise: nil)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) { lingering?.cancel() }

    func channelInactive(context: ChannelHandlerContext) {
        lingering?.cancel()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // What the decoder refuses: wrong masks, reserved bits, frames that are too long.
        fail(context, error as? NIOWebSocketError == .invalidFrameLength ? 1009 : 1002)
    }
}

/// A place for one value that one side sets and the other takes.
final class LockedSlot<Value: Sendable>: Sendable {
    private let value = Locked<Value?>(nil)

    func set(_ new: Value) { value.withLock { $0 = new } }
    func take() -> Value? {
        value.withLock { value in
            defer { value = nil }
            return value
        }
    }
}
