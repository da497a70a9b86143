import DeviceCore
import DeviceProtocols
import NIOCore

/// The one handler between a connection to a broker and the client's state.
final class SMQSessionHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let client: SMQClient
    private let url: BrokerURL
    private let ended: EventLoopPromise<SMQSessionEnd>
    private var timer: Scheduled<Void>?
    private var end: SMQSessionEnd?

    init(_ client: SMQClient, url: BrokerURL, ended: EventLoopPromise<SMQSessionEnd>) {
        self.client = client
        self.url = url
        self.ended = ended
    }

    static var now: MonotonicTime {
        MonotonicTime(nanoseconds: Int64(clamping: NIODeadline.now().uptimeNanoseconds))
    }

    // Over WebSocket the handler comes when the connection is up already.
    func handlerAdded(context: ChannelHandlerContext) { if context.channel.isActive { start(context) } }

    func channelActive(context: ChannelHandlerContext) {
        start(context)
        context.fireChannelActive()
    }

    private func start(_ context: ChannelHandlerContext) {
        guard timer == nil else { return }
        client.state.withLock { $0.begin(url, now: Self.now) }
        flush(context)
        tick(context)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        let effects = client.state.withLock { $0.receive(bytes, now: Self.now) }
        perform(effects, context)
    }

    func channelReadComplete(context: ChannelHandlerContext) { flush(context) }

    func channelWritabilityChanged(context: ChannelHandlerContext) { flush(context) }

    func channelInactive(context: ChannelHandlerContext) {
        finish(.lost)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        finish((error as? DeviceError).map { .failed($0) } ?? .lost)
        context.close(promise: nil)
    }

    /// Writes what has gathered. Called once per batch, from any number of publishers.
    func flush(_ context: ChannelHandlerContext) {
        guard context.channel.isWritable else { return }
        if let output = client.takeOutput() { context.writeAndFlush(wrapOutboundOut(output), promise: nil) }
        client.resumePublishers()
    }

    private func tick(_ context: ChannelHandlerContext) {
        let now = Self.now
        let (next, effects) = client.state.withLock { $0.tick(now: now) }
        perform(effects, context)
        flush(context)
        timer?.cancel()
        guard end == nil, next != .distantFuture else { return }
        timer = context.eventLoop.assumeIsolated().scheduleTask(
            in: .nanoseconds(max(1_000_000, (next - now).wholeNanoseconds))
        ) { self.tick(context) }
    }

    private func perform(_ effects: SMQSessionState.Effects, _ context: ChannelHandlerContext) {
        client.perform(effects)
        if effects.isConnected {
            client.connected(context.channel, url)
            for announcement in effects.announcements { client.make(announcement) }
            client.delivery.sessionOpened(effects.delivery.session)
            // From the handshake's deadline to the pings' times.
            tick(context)
        }
        if let (seed, address) = effects.credentials { makeCredentials(seed, address, context) }
        if let end = effects.end {
            finish(end)
            context.close(promise: nil)
        }
    }

    private func makeCredentials(_ seed: UInt32, _ address: String, _ context: ChannelHandlerContext) {
        guard let credentials = client.configuration.credentials else { return }
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        context.eventLoop.makeFutureWithTask { try await credentials(seed, address) }.whenComplete { result in
            let (handler, context) = bound.value
            // Too late: the state is another session's by now, with another seed.
            guard handler.end == nil else { return }
            switch result {
            case .success(let bytes):
                let effects = handler.client.state.withLock { $0.sendCredentials(bytes) }
                handler.perform(effects, context)
                handler.flush(context)
            case .failure(let error):
                handler.finish(.failed(DeviceError(.configuration, "the credentials could not be made", cause: error)))
                context.close(promise: nil)
            }
        }
    }

    private func finish(_ reason: SMQSessionEnd) {
        guard end == nil else { return }
        end = reason
        timer?.cancel()
        client.sessionEnded()
        ended.succeed(reason)
    }
}
