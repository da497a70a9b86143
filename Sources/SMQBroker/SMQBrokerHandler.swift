import DeviceCore
import DeviceProtocols
import NIOCore

/// One client's connection, or a link to another node: the only handler between the socket (or the WebSocket frames) and the state machine.
final class SMQBrokerHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let core: SMQBrokerCore
    private let framing: SMQFraming
    private let address: String
    private let url: String
    private let knowsGoodbye: Bool
    private let isLink: Bool
    /// The address that was dialled for a link.
    private let dialed: Endpoint?
    private var context: ChannelHandlerContext?
    private var id: SMQBrokerStateMachine.PeerID?
    private var isPaused = false
    /// Whether somebody is asked about what the client wants.
    private var isHeld = false
    /// Bytes given to the channel so far.
    private var handedOver = 0
    private var wantsRead = false
    private var resumption: Scheduled<Void>?
    /// Time for a last message to reach a client.
    private static let lingerTime = TimeAmount.seconds(2)
    private var lingering: Scheduled<Void>?

    /// A client's connection.
    init(_ core: SMQBrokerCore, framing: SMQFraming, address: String, url: String, knowsGoodbye: Bool) {
        self.core = core
        self.knowsGoodbye = knowsGoodbye
        self.framing = framing
        self.address = address
        self.url = url
        isLink = false
        dialed = nil
    }

    /// A link's connection.
    init(_ core: SMQBrokerCore, linkTo address: String, dialed: Endpoint?) {
        self.core = core
        framing = .raw
        self.address = address
        url = ""
        knowsGoodbye = false
        isLink = true
        self.dialed = dialed
    }

    var isWritable: Bool { context?.channel.isWritable ?? false }
    var closeFuture: EventLoopFuture<Void>? { context?.channel.closeFuture }

    // MARK: Channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        guard !isLink else {
            id = core.attachLink(self, address: address, dialed: dialed)
            if id == nil { context.close(promise: nil) } else { core.settle() }
            return
        }
        id = core.attach(self, framing: framing, address: address, url: url, knowsGoodbye: knowsGoodbye)
        guard id == nil else { return core.settle() }
        let refusal = core.refusal(framing: framing, address: address, knowsGoodbye: knowsGoodbye)
        close(after: refusal, isPatient: true, isGoingAway: core.isEnding)
    }

    func handlerRemoved(context: ChannelHandlerContext) { leave() }

    func channelInactive(context: ChannelHandlerContext) {
        leave()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if let id { core.receive(id, unwrapInboundIn(data)) }
    }

    func channelReadComplete(context: ChannelHandlerContext) { core.settle() }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if let id, context.channel.isWritable {
            core.write(to: id)
            core.settle()
        }
        context.fireChannelWritabilityChanged()
    }

    func read(context: ChannelHandlerContext) {
        if isPaused || isHeld { wantsRead = true } else { context.read() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    // MARK: From the core

    func write(_ output: ByteBuffer) {
        guard let context, let id else { return }
        let count = output.readableBytes
        handedOver &+= count
        let taken = context.eventLoop.makePromise(of: Void.self)
        taken.futureResult.assumeIsolated().whenComplete { [core] _ in core.written(id, count) }
        context.writeAndFlush(wrapOutboundOut(output), promise: taken)
    }

    /// Bytes that the socket has taken so far.
    var written: Int {
        let buffered = try? context?.channel.syncOptions?.getOption(.bufferedWritableBytes)
        return handedOver &- (buffered ?? 0)
    }

    func pause(for duration: Duration) {
        guard let context else { return }
        isPaused = true
        resumption?.cancel()
        let before = id.flatMap { core.written(for: $0) }
        resumption = context.eventLoop.assumeIsolated().scheduleTask(in: .nanoseconds(duration.wholeNanoseconds)) {
            guard let id = self.id, let before, let now = self.core.written(for: id),
                let stall = self.core.continuesStall(id, written: now &- before)
            else { return self.resume() }
            // Not as long again: the first wait may have been a longer one, for the client's rate.
            self.pause(for: stall)
        }
    }

    func resume() {
        resumption?.cancel()
        resumption = nil
        guard isPaused else { return }
        isPaused = false
        readOn()
    }

    func hold() { isHeld = true }

    func release() {
        guard isHeld else { return }
        isHeld = false
        readOn()
    }

    private func readOn() {
        guard wantsRead, !isPaused, !isHeld, let context else { return }
        wantsRead = false
        context.read()
    }

    /// - Parameter isGoingAway: the broker ends, which is no fault of the client and says nothing of the next attempt.
    func close(after output: ByteBuffer?, isPatient: Bool, isGoingAway: Bool = false) {
        guard let context else { return }
        guard isPatient, var output else { return context.close(promise: nil) }
        // A browser wants to be told that the end was meant (RFC 6455, section 7.4.1): 1000, or 1001 for "going away".
        if framing == .webSocket {
            let text = isGoingAway ? "the broker ends" : ""
            output.writeBytes([0x88, 2 + UInt8(text.utf8.count), 0x03, isGoingAway ? 0xE9 : 0xE8])
            output.writeString(text)
        }
        // Only our direction is closed first: closing both with input unread would reset the connection, and the
        // client would lose the last message.
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.writeAndFlush(wrapOutboundOut(output)).whenComplete { _ in
            bound.value.close(mode: .output, promise: nil)
        }
        lingering = context.eventLoop.assumeIsolated().scheduleTask(in: Self.lingerTime) {
            context.close(promise: nil)
        }
    }

    private func leave() {
        resumption?.cancel()
        lingering?.cancel()
        context = nil
        guard let id else { return }
        self.id = nil
        core.detach(id)
    }
}
