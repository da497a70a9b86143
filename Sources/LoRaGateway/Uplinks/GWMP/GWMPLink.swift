import DeviceCore
import DeviceProtocols
import DeviceTransport
import NIOCore

/// A server of Semtech's UDP protocol: sockets, names and timers around ``GWMPUplinkStateMachine``.
final class GWMPLink: ServerLink {
    private let context: LinkContext
    private unowned let owner: any ServerLinkOwner
    private let stat: () -> GWMPStat
    private var machine: GWMPUplinkStateMachine
    private var sockets: GWMPSockets?
    private var timer: Scheduled<Void>?
    private var timerAt = MonotonicTime.distantFuture
    /// Short, so that the first frame after an outage of the DNS goes within a second.
    private var backOff = BackOff(base: .milliseconds(250), cap: .milliseconds(800))
    private var random = SplitMix64()
    private var isStopped = false
    private var problem: String?
    /// Reports that went out and how many of the datagrams before were acknowledged.
    private var reported = GWMPUplinkStateMachine.Counters()

    /// - Parameter stat: makes the report of the radio's side; the share of acknowledgements is added.
    init(
        _ server: GWMPServer, keepsOrder: Bool, context: LinkContext, owner: any ServerLinkOwner,
        stat: @escaping () -> GWMPStat
    ) {
        self.context = context
        self.owner = owner
        self.stat = stat
        machine = GWMPUplinkStateMachine(
            eui: context.eui, server: server, keepsOrder: keepsOrder, firstToken: .random(in: .min ... .max),
            now: context.clock.now)
    }

    var isReady: Bool { machine.isUp }
    var sendsBlindly: Bool { machine.endpoint != nil }

    var state: ServerLinkState {
        let word = machine.isUp ? "up" : machine.endpoint == nil ? "no-address" : "silent"
        return ServerLinkState(
            word: word, isUp: machine.isUp, address: machine.endpoint?.description, addresses: machine.addressCount,
            roundTrip: machine.roundTrip, problem: machine.isUp ? nil : problem)
    }

    var counters: [(name: String, value: UInt64)] {
        let counters = machine.counters
        return [
            ("push", counters.pushes), ("push_ack", counters.pushAcks), ("pull", counters.pulls),
            ("pull_ack", counters.pullAcks), ("pull_resp", counters.downlinks), ("missed_ack", counters.missedAcks),
            ("failover", counters.failovers), ("socket_renewal", counters.renewals), ("ignored", counters.ignored),
            ("overflow", counters.overflow), ("unsent", sockets?.unsent ?? 0),
        ]
    }

    func start() {
        sockets = GWMPSockets(
            eventLoop: context.eventLoop,
            receive: { [weak self] datagram, source in
                guard let self else { return }
                perform(machine.receive(datagram, from: source, now: context.clock.now))
            },
            failed: { [weak self] error in
                guard let self else { return }
                problem = "no UDP socket: \(error)"
                owner.warn("socket", "no UDP socket can be opened: \(error)")
            })
        perform(machine.tick(now: context.clock.now))
    }

    func stop() -> EventLoopFuture<Void> {
        perform(machine.finish(now: context.clock.now))
        isStopped = true
        timer?.cancel()
        sockets?.close()
        return context.eventLoop.makeSucceededVoidFuture()
    }

    func send(_ frames: [ReceivedFrame]) { perform(machine.push(frames, now: context.clock.now)) }

    func tell(_ fate: DownlinkFate, of ticket: DownlinkTicket, frame: RadioDownlink) {
        guard case .gwmp(let token) = ticket, let ack = fate.acknowledgement else { return }
        perform(machine.acknowledge(token, ack))
    }

    private func perform(_ actions: [GWMPUplinkStateMachine.Action]) {
        guard !isStopped else { return }
        for action in actions {
            switch action {
            case .send(let datagram, let endpoint): sockets?.write(datagram, to: endpoint)
            case .resolve(let refresh): resolve(refresh: refresh)
            case .renewSockets: sockets?.renew()
            case .changed(let isUp):
                problem = isUp ? nil : "no acknowledgement came"
                owner.linkChanged(isReady: isUp)
            case .delivered(let frames): owner.delivered(frames)
            case .missed(let frames): owner.missed(frames, isFull: false)
            case .overflowed(let frames): owner.missed(frames, isFull: true)
            case .downlink(let txpk, let token):
                owner.requested(
                    ServerDownlink(candidates: [DownlinkRequest(txpk, id: 0)], ticket: .gwmp(token)))
            case .refused(let error): owner.warn("txpk-\(error.kind)", "a frame to send that cannot be read: \(error)")
            case .warning(let kind, let message): owner.warn(kind, message)
            }
        }
        sockets?.flush()
        schedule()
    }

    private func schedule() {
        let next = min(machine.nextTime, machine.statTime)
        // One that is early enough looks again by itself.
        guard next < timerAt else { return }
        timer?.cancel()
        timerAt = next
        let delay = max(.zero, next - context.clock.now)
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: .nanoseconds(delay.wholeNanoseconds)) {
            [weak self] in self?.fire()
        }
    }

    private func fire() {
        timerAt = .distantFuture
        let now = context.clock.now
        var actions = machine.tick(now: now)
        if machine.isStatDue(now: now) {
            var report = stat()
            let counters = machine.counters
            let sent = counters.pushes - reported.pushes
            if sent > 0 { report.ackr = Double((counters.pushAcks - reported.pushAcks) * 1000 / sent) / 10 }
            report.dwnb = UInt32(clamping: counters.downlinks - reported.downlinks)
            reported = counters
            actions += machine.push([], stat: report, now: now)
        }
        perform(actions)
    }

    private func resolve(refresh: Bool) {
        let target = ResolverTarget(machine.server.host, port: machine.server.portUp)
        let bound = NIOLoopBound(WeakLink(link: self), eventLoop: context.eventLoop)
        Task { [resolver = context.resolver, eventLoop = context.eventLoop] in
            let result: Result<Resolution, DeviceError>
            do throws(DeviceError) {
                result = .success(try await resolver.resolve(target, refresh: refresh))
            } catch {
                result = .failure(error)
            }
            eventLoop.execute { bound.value.link?.resolved(result) }
        }
    }

    private func resolved(_ result: Result<Resolution, DeviceError>) {
        guard !isStopped else { return }
        let now = context.clock.now
        switch result {
        case .success(let resolution):
            backOff.reset()
            perform(
                machine.resolved(
                    resolution.endpoints.map(\.endpoint.address), again: resolution.timeLeft, now: now))
        case .failure(let error):
            if machine.endpoint == nil { problem = error.message }
            owner.warn("name", "\(machine.server.host) cannot be looked up: \(error.message)")
            machine.resolveFailed(retryIn: max(.milliseconds(200), backOff.next(using: &random)), now: now)
            schedule()
        }
    }

    private struct WeakLink {
        weak var link: GWMPLink?
    }
}
