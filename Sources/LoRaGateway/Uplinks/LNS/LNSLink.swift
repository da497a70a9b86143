import DeviceCore
import DeviceProtocols
import DeviceTransport
import NIOCore

/// What an LNS link needs of the gateway around it.
protocol LNSEnvironment: AnyObject {
    /// The radio as the server's times see it.
    var radioView: LNSSession.RadioView { get }
    /// The radio's name, for the server.
    var radioModel: String { get }
    /// A server says which channels and rules it wants.
    func configure(_ config: LNSRouterConfig, for name: String)
    /// A server says what GPS time it is.
    func synchronize(_ reference: RadioTimeReference)
}

/// A Basics Station server: connections, names and timers around ``LNSSession``. The radio goes on whatever happens
/// here.
final class LNSLink: ServerLink {
    private enum Phase: String {
        case waiting
        case resolving
        case discovering
        case connecting
        case configuring
        case up
    }

    private let context: LinkContext
    private unowned let owner: any ServerLinkOwner
    private unowned let environment: any LNSEnvironment
    private let name: String
    private let connector: LNSConnector
    private var phase = Phase.waiting
    private var channel: (any Channel)?
    private var session: LNSSession?
    private var sessionCounters = LNSSession.Counters()
    private var nextTicket: UInt64 = 0
    private var endpoint: Endpoint?
    private var addresses = 0
    private var problem: String?
    private var failures = 0
    private var outageAt: MonotonicTime?
    private var random = SplitMix64()
    private var timer: Scheduled<Void>?
    private var timerAt = MonotonicTime.distantFuture
    private var retry: Scheduled<Void>?
    private var connections: UInt64 = 0
    private var isStopped = false
    /// Told apart from what an earlier attempt's connection still says.
    private var attempt: UInt64 = 0

    /// - Parameter name: the up-link's.
    init(
        _ server: LNSServer, name: String, context: LinkContext, owner: any ServerLinkOwner,
        environment: any LNSEnvironment
    ) {
        self.context = context
        self.owner = owner
        self.environment = environment
        self.name = name
        connector = LNSConnector(server, context: context)
    }

    var isReady: Bool { phase == .up }
    var sendsBlindly: Bool { false }

    var state: ServerLinkState {
        ServerLinkState(
            word: phase.rawValue, isUp: phase == .up, address: endpoint?.description, addresses: addresses,
            roundTrip: session?.roundTrip, problem: phase == .up ? nil : problem)
    }

    var counters: [(name: String, value: UInt64)] {
        let counters = session?.counters ?? sessionCounters
        return [
            ("connection", connections), ("message", counters.messages), ("bad_message", counters.bad),
            ("unwanted", counters.unwanted), ("dnmsg", counters.downlinks), ("dntxed", counters.transmitted),
            ("refused_command", counters.refusedCommands),
        ]
    }

    func start() { discover() }

    func stop() -> EventLoopFuture<Void> {
        retry?.cancel()
        timer?.cancel()
        endSession()
        isStopped = true
        guard let channel else { return context.eventLoop.makeSucceededVoidFuture() }
        self.channel = nil
        return channel.close().flatMapErrorThrowing { _ in }
    }

    func send(_ frames: [ReceivedFrame]) {
        guard session != nil else { return owner.missed(frames, isFull: false) }
        perform { $0.send(frames, radio: environment.radioView, now: context.clock.now) }
    }

    func tell(_ fate: DownlinkFate, of ticket: DownlinkTicket, frame: RadioDownlink) {
        guard case .lns(let number) = ticket else { return }
        perform { $0.tell(fate, of: number, frame: frame, radio: environment.radioView, now: context.clock.now) }
    }

    // MARK: Connecting

    private func discover() {
        attempt += 1
        do throws(DeviceError) {
            open(try connector.discoveryURL(), .discovering)
        } catch {
            failed(error)
        }
    }

    /// Looks the name up and tries its addresses one after the other.
    private func open(_ url: BrokerURL, _ next: Phase) {
        guard !isStopped else { return }
        phase = .resolving
        let attempt = attempt
        connector.endpoints(of: url).hop(to: context.eventLoop).assumeIsolated().whenComplete { [weak self] result in
            guard let self, self.attempt == attempt, !isStopped else { return }
            switch result {
            case .success(let endpoints):
                addresses = endpoints.count
                connect(endpoints[...], url, next, after: nil)
            case .failure(let error):
                failed(
                    error as? DeviceError ?? DeviceError(.unavailable, "\(url.host) cannot be looked up", cause: error))
            }
        }
    }

    /// - Parameter last: what was wrong with the address before.
    private func connect(
        _ endpoints: ArraySlice<Endpoint>, _ url: BrokerURL, _ next: Phase, after last: DeviceError?
    ) {
        guard let endpoint = endpoints.first else {
            return failed(last ?? DeviceError(.unavailable, "no address of \(url.host) answers"))
        }
        phase = next
        self.endpoint = endpoint
        let attempt = attempt
        // Short at first, so that a server that is back is found soon; longer when that does not help.
        let timeout = Duration.seconds(failures < 30 ? 2 : 10)
        let opening = connector.connect(to: endpoint, url: url, timeout: timeout) { [weak self] event in
            guard let self, self.attempt == attempt else { return }
            took(event, next)
        }
        opening.assumeIsolated().whenComplete { [weak self] result in
            guard let self, self.attempt == attempt, !isStopped else {
                if case .success(let channel) = result { channel.close(promise: nil) }
                return
            }
            switch result {
            case .success(let channel): opened(channel, next)
            case .failure(let error):
                let error =
                    error as? DeviceError ?? DeviceError(.unavailable, "no connection to \(url)", cause: error)
                problem = error.message
                connect(endpoints.dropFirst(), url, next, after: error)
            }
        }
    }

    private func opened(_ channel: any Channel, _ next: Phase) {
        self.channel = channel
        if next == .discovering {
            write(.text(ByteBuffer(string: LNSDiscovery.request(context.eui))))
            channel.flush()
            startTimer(context.clock.now + .seconds(10))
            return
        }
        phase = .configuring
        connections += 1
        let new = LNSSession(counters: sessionCounters, firstTicket: nextTicket, now: context.clock.now)
        session = new
        perform { $0.hello(model: environment.radioModel) }
    }

    private func took(_ event: LNSConnector.Event, _ phase: Phase) {
        switch (event, phase) {
        case (.closed(let error), _): lost(error ?? DeviceError(.closed, "the server closed the connection"))
        case (.message(.text(let text)), .discovering): discovered(text)
        case (.message(.text(let text)), _):
            perform { $0.receive(text, radio: environment.radioView, now: context.clock.now) }
        case (.message(.pong(let data)), _): perform { $0.pong(data, now: context.clock.now) }
        case (.message(.binary), _): owner.warn("binary", "the server sent bytes, as for a remote shell; there is none")
        case (.message(.ping), _): break
        }
    }

    private func discovered(_ text: ByteBuffer) {
        attempt += 1
        let old = channel
        channel = nil
        old?.close(promise: nil)
        do throws(DeviceError) {
            let answer: LNSDiscovery.Answer
            do throws(LNSError) { answer = try LNSDiscovery.answer(text.readableBytesView) } catch {
                throw DeviceError(.protocolViolation, "the discovery's answer cannot be understood: \(error)")
            }
            switch answer {
            case .uri(let uri, _): open(try connector.muxURL(uri), .connecting)
            case .error(let error):
                throw DeviceError(
                    .refused, "the discovery refuses this gateway: \(error.printable)",
                    hint: "Register \(context.eui) at the network server")
            }
        } catch {
            failed(error)
        }
    }

    /// The connection ended.
    private func lost(_ error: DeviceError) {
        guard !isStopped else { return }
        let wasUp = phase == .up
        channel = nil
        attempt += 1
        endSession()
        if wasUp {
            owner.warn("lost", error.message)
            owner.linkChanged(isReady: false)
        }
        failed(error)
    }

    private func endSession() {
        guard var session else { return }
        let frames = session.takeUnacknowledged()
        sessionCounters = session.counters
        nextTicket = session.ticketLimit
        self.session = nil
        phase = .waiting
        if !frames.isEmpty { owner.missed(frames, isFull: false) }
    }

    /// How long the next attempt may be away at most.
    ///
    /// - Parameters:
    ///   - failures: attempts that failed since the server was up.
    ///   - outage: since the first of them.
    static func longestWait(_ code: DeviceError.Code, failures: Int, outage: Duration) -> Duration {
        switch code {
        // A server that says no will say so again.
        case .refused, .permission, .certificate, .configuration: min(.seconds(60), .seconds(5 * failures))
        default: outage < .seconds(120) ? .milliseconds(800) : .seconds(30)
        }
    }

    /// Tries again later: within a second for two minutes, then more seldom; always after a random part of the time,
    /// so that many gateways do not come back at once.
    private func failed(_ error: DeviceError) {
        guard !isStopped else { return }
        attempt += 1
        channel?.close(promise: nil)
        channel = nil
        timer?.cancel()
        timerAt = .distantFuture
        phase = .waiting
        problem = error.message
        failures += 1
        let now = context.clock.now
        let since = outageAt ?? now
        outageAt = since
        if failures > 1 || error.code == .refused || error.code == .certificate || error.code == .permission {
            owner.warn("connect", error.description)
        }
        let wait =
            Self.longestWait(error.code, failures: failures, outage: now - since)
            * Double.random(in: 0.1...1, using: &random)
        retry = context.eventLoop.assumeIsolated().scheduleTask(in: .nanoseconds(wait.wholeNanoseconds)) {
            [weak self] in
            self?.discover()
        }
    }

    // MARK: The session

    private func perform(_ step: (inout LNSSession) -> [LNSSession.Action]) {
        guard var current = session else { return }
        let actions = step(&current)
        session = current
        for action in actions {
            switch action {
            case .send(let text): write(.text(ByteBuffer(string: text)))
            case .ping(let number): write(.ping(ByteBuffer(integer: number)))
            case .ready(let config): ready(config)
            case .delivered(let frames): owner.delivered(frames)
            case .downlink(let downlink): owner.requested(downlink)
            case .timeReference(let reference): environment.synchronize(reference)
            case .warning(let kind, let message): owner.warn(kind, message)
            case .close(let reason):
                channel?.close(promise: nil)
                return lost(DeviceError(.timedOut, reason))
            }
        }
        channel?.flush()
        if let time = session?.nextTime { startTimer(time) }
    }

    private func ready(_ config: LNSRouterConfig) {
        environment.configure(config, for: name)
        guard phase != .up else { return }
        phase = .up
        problem = nil
        failures = 0
        outageAt = nil
        owner.linkChanged(isReady: true)
    }

    private func write(_ message: WebSocketMessage) { channel?.write(message, promise: nil) }

    private func startTimer(_ time: MonotonicTime) {
        // One that is early enough looks again by itself.
        guard time < timerAt else { return }
        timer?.cancel()
        timerAt = time
        let delay = max(.zero, time - context.clock.now)
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: .nanoseconds(delay.wholeNanoseconds)) {
            [weak self] in
            guard let self else { return }
            timerAt = .distantFuture
            if session != nil {
                perform { $0.tick(radio: environment.radioView, now: context.clock.now) }
            } else if phase == .discovering {
                lost(DeviceError(.timedOut, "the discovery did not answer within 10 s"))
            }
        }
    }
}
