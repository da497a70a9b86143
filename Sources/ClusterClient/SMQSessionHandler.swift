import DeviceCore
import DeviceProtocols
import NIOCore

/// The one handler between a connection to a broker and the client: an attempt at first, then the session in use or a
/// standby, at last a session that is being left.
///
/// The state machine of an attempt and of a standby lives here. That of the session in use lives in the client's state,
/// where publishers reach it.
final class SMQSessionHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    enum Role {
        /// Its own machine, up to the session; and beyond, for a standby.
        case attempt(SMQClientStateMachine)
        /// The session in use.
        case current
        /// Another session is in use; what is on its way through this one is still taken.
        case leaving
        case over
    }

    let attempt: UInt64
    let node: String
    private let client: SMQClient
    private let connections: SMQConnections
    private(set) var role: Role
    private var context: ChannelHandlerContext?
    private var address = ""
    private var timer: Scheduled<Void>?
    private var timerAt = MonotonicTime.distantFuture
    private var isStarted = false

    init(_ client: SMQClient, connections: SMQConnections, attempt: UInt64, url: BrokerURL, node: String) {
        self.client = client
        self.connections = connections
        self.attempt = attempt
        self.node = node
        role = .attempt(SMQClientStateMachine(client.configuration.session(with: url)))
    }

    // Over WebSocket the handler comes when the connection is up already.
    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { start(context) }
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelActive(context: ChannelHandlerContext) {
        start(context)
        context.fireChannelActive()
    }

    private func start(_ context: ChannelHandlerContext) {
        guard !isStarted, case .attempt(var machine) = role else { return }
        isStarted = true
        machine.start(now: ClusterKeeper.now)
        role = .attempt(machine)
        flush(context)
        tick(context)
    }

    // MARK: Reading

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        let now = ClusterKeeper.now
        switch role {
        case .attempt(var machine):
            role = .over
            machine.receive(bytes, now: now) { _, _, _, _ in }
            role = .attempt(machine)
            handleAttempt(context)
        case .current: perform(client.state.withLock { $0.receive(bytes, now: now) }, context)
        case .leaving: perform(client.state.withLock { $0.receiveLeaving(bytes, now: now) }, context)
        case .over: break
        }
    }

    /// Handles the events of an attempt one by one: after each the role may be another one.
    private func handleAttempt(_ context: ChannelHandlerContext) {
        while case .attempt(var machine) = role {
            let events = machine.takeEvents()
            role = .attempt(machine)
            guard !events.isEmpty else { return }
            for event in events { handle(event, context) }
            guard case .attempt(var machine) = role else { break }
            machine.proceed { _, _, _, _ in }
            role = .attempt(machine)
        }
        guard case .current = role else { return }
        // What came in the same read belongs to the session.
        perform(client.state.withLock { $0.proceed() }, context)
    }

    private func handle(_ event: SMQClientStateMachine.Event, _ context: ChannelHandlerContext) {
        guard case .attempt(var machine) = role else { return }
        switch event {
        case .credentialsNeeded(let seed, let address):
            self.address = address
            connections.sendsConnect(attempt)
            if client.configuration.credentials == nil {
                machine.sendConnect(credentials: [])
                role = .attempt(machine)
            } else {
                makeCredentials(seed, address, context)
            }
        case .connected:
            connections.ready(self)
            // From the handshake's deadline to the pings' times.
            tick(context)
        case .askedToLeave: connections.askedToLeave(attempt)
        case .acknowledged, .changed, .pong: break
        case .disconnected(let reason): finish(.disconnected(reason: reason))
        case .failed(let error): finish(.failed(error))
        }
    }

    private func perform(_ effects: SMQSessionState.Effects, _ context: ChannelHandlerContext) {
        client.perform(effects)
        if let roundTrip = effects.roundTrip { connections.measured(roundTrip, of: attempt) }
        if effects.isSettled { connections.settled() }
        if effects.isAskedToLeave { connections.askedToLeave(attempt) }
        if let end = effects.end { finish(end) }
    }

    func channelReadComplete(context: ChannelHandlerContext) { flush(context) }

    func channelWritabilityChanged(context: ChannelHandlerContext) { flush(context) }

    func channelInactive(context: ChannelHandlerContext) {
        finish(.lost)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        finish((error as? DeviceError).map { .failed($0) } ?? .lost)
    }

    // MARK: Writing

    /// Writes what has gathered. Called once per batch, from any number of publishers.
    func flush(_ context: ChannelHandlerContext) {
        guard context.channel.isWritable else { return }
        var output: ByteBuffer?
        switch role {
        case .attempt(var machine):
            output = machine.takeOutput()
            role = .attempt(machine)
        case .current: output = client.state.withLock { $0.machine?.takeOutput() }
        case .leaving: output = client.state.withLock { $0.leaving?.machine.takeOutput() }
        case .over: break
        }
        if let output { context.writeAndFlush(wrapOutboundOut(output), promise: nil) }
        if case .current = role { client.resumePublishers() }
    }

    func flush() { if let context { flush(context) } }

    // MARK: Time

    private func tick(_ context: ChannelHandlerContext) {
        let now = ClusterKeeper.now
        var next = MonotonicTime.distantFuture
        switch role {
        case .attempt(var machine):
            next = machine.tick(now: now)
            role = .attempt(machine)
            handleAttempt(context)
        case .current:
            let (time, effects) = client.state.withLock { $0.tick(now: now) }
            next = time
            perform(effects, context)
        case .leaving, .over: return
        }
        flush(context)
        if case .over = role { return }
        // See ``ClusterKeeper``: one that is early enough is left alone, one that is over needs no cancelling.
        if timer != nil, timerAt <= next { return }
        timer?.cancel()
        timer = nil
        timerAt = next
        guard next != .distantFuture else { return }
        timer = context.eventLoop.assumeIsolated().scheduleTask(
            in: .nanoseconds(max(1_000_000, (next - now).wholeNanoseconds))
        ) {
            self.timer = nil
            self.tick(context)
        }
    }

    private func makeCredentials(_ seed: UInt32, _ address: String, _ context: ChannelHandlerContext) {
        guard let credentials = client.configuration.credentials else { return }
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        context.eventLoop.makeFutureWithTask { try await credentials(seed, address) }.whenComplete { result in
            let (handler, context) = bound.value
            // The attempt may be over by now.
            guard case .attempt(var machine) = handler.role else { return }
            switch result {
            case .success(let bytes):
                machine.sendConnect(credentials: bytes)
                handler.role = .attempt(machine)
                handler.handleAttempt(context)
                handler.flush(context)
            case .failure(let error):
                handler.finish(.failed(DeviceError(.configuration, "the credentials could not be made", cause: error)))
            }
        }
    }

    // MARK: Roles

    /// This session is the one in use from now on.
    func adopt() {
        guard case .attempt(let machine) = role else { return }
        role = .current
        let effects = client.state.withLock { $0.adopt(machine, address: address) }
        client.perform(effects)
        if let context {
            client.adopted(context.channel, node: node)
            for announcement in effects.announcements { client.make(announcement) }
            client.delivery.sessionOpened(effects.delivery.session)
            if effects.isSettled { connections.settled() }
            flush(context)
            tick(context)
        }
    }

    /// Another session is in use now. Call it before that one is adopted.
    func beginLeaving() {
        guard case .current = role else { return }
        flush()
        role = .leaving
        timer?.cancel()
    }

    /// Says goodbye and closes; reports nothing.
    func leave() {
        switch role {
        case .attempt(var machine):
            if machine.isOpen { machine.output.writeSMQ(.disconnect) }
            role = .attempt(machine)
        case .current: client.state.withLock { _ = $0.machine?.output.writeSMQ(.disconnect) }
        case .leaving: client.state.withLock { _ = $0.leaving?.machine.output.writeSMQ(.disconnect) }
        case .over: return
        }
        flush()
        end()
    }

    private func finish(_ reason: SMQSessionEnd) {
        if case .over = role { return }
        let silence = silence
        let wasCurrent = if case .current = role { true } else { false }
        end()
        connections.ended(self, reason, wasCurrent: wasCurrent, silence: silence)
    }

    /// How long nothing has come.
    private var silence: Duration {
        let last: MonotonicTime? =
            switch role {
            case .attempt(let machine): machine.lastReceived
            case .current: client.state.withLock { $0.machine?.lastReceived }
            case .leaving, .over: nil
            }
        return last.map { ClusterKeeper.now - $0 } ?? .zero
    }

    private func end() {
        switch role {
        case .current: client.sessionEnded()
        case .leaving: client.state.withLock { $0.leaving = nil }
        case .attempt, .over: break
        }
        role = .over
        timer?.cancel()
        context?.close(promise: nil)
    }
}
