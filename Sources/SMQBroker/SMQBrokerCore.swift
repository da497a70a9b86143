import DeviceCore
import DeviceProtocols
import Logging
import NIOCore

/// The broker's state machine with its connections; belongs to one event loop.
final class SMQBrokerCore {
    typealias PeerID = SMQBrokerStateMachine.PeerID

    private var machine: SMQBrokerStateMachine
    private let eventLoop: any EventLoop
    private let logger: Logger
    private let authenticate: SMQBroker.Authenticate?
    private let questions: SMQBroker.Questions?
    private let onSession: (@Sendable (SMQSessionChange) -> Void)?
    private var handlers: [PeerID: SMQBrokerHandler] = [:]
    private var ticking: RepeatedTask?
    private var isShutDown = false
    private let cluster: SMQBroker.Cluster?
    private var dialer: LinkDialer?
    private var listener: LinkListener?
    private var linkTicking: RepeatedTask?
    private var linkOrigins: [PeerID: LinkOrigin] = [:]
    private var confirmationTimer: Scheduled<Void>?
    private let started = SMQBrokerCore.now
    private var use = ProcessUse()
    private let load: (@Sendable () -> (processor: UInt16, memoryShare: UInt16))?
    private var rates = RateMeter()
    private var linkWarnings = WarningLimiter<LinkWarning>(every: .seconds(60))

    /// Warnings that are one to those who read them: who tries again every second fills no log.
    private struct LinkWarning: Hashable {
        var address: String
        var reason: SMQLinkCloseReason
    }

    /// Where a link came from, and who is there.
    private struct LinkOrigin {
        var address: String
        var dialed: Endpoint?
        var identity: SMQNodeIdentity?
        var upSince: MonotonicTime?
    }

    init(_ configuration: SMQBroker.Configuration, eventLoop: any EventLoop, logger: Logger) {
        machine = SMQBrokerStateMachine(
            limits: configuration.limits, authenticates: configuration.authenticate != nil,
            permit: configuration.permit, cluster: configuration.cluster?.settings)
        cluster = configuration.cluster
        load = configuration.load
        authenticate = configuration.authenticate
        questions = configuration.questions
        onSession = configuration.onSession
        machine.followsSessions = onSession != nil
        self.eventLoop = eventLoop
        self.logger = logger
    }

    static var now: MonotonicTime {
        MonotonicTime(nanoseconds: Int64(clamping: NIODeadline.now().uptimeNanoseconds))
    }

    // MARK: From the handlers

    func attach(
        _ handler: SMQBrokerHandler, framing: SMQFraming, address: String, url: String, knowsGoodbye: Bool
    ) -> PeerID? {
        guard !isShutDown,
            let id = machine.attach(
                framing: framing, address: address, url: url, knowsGoodbye: knowsGoodbye, now: Self.now)
        else { return nil }
        handlers[id] = handler
        return id
    }

    func attachLink(_ handler: SMQBrokerHandler, address: String, dialed: Endpoint?) -> PeerID? {
        guard !isShutDown, let id = machine.attachLink(address: address, isDialed: dialed != nil, now: Self.now) else {
            if let dialed { dialer?.ended(dialed, failure: "there are as many links as allowed", now: Self.now) }
            return nil
        }
        handlers[id] = handler
        linkOrigins[id] = LinkOrigin(address: address, dialed: dialed)
        return id
    }

    /// What a client is sent that finds no place. Nothing, when the broker ends and nobody knows what the client makes of
    /// a refusal: a connection that just ends is tried again by all.
    func refusal(framing: SMQFraming, address: String, knowsGoodbye: Bool) -> ByteBuffer {
        if !knowsGoodbye, isEnding { return ByteBuffer() }
        var output = ByteBuffer()
        output.writeSMQInit(seed: 0, address: address, framing: framing)
        let reason = isEnding ? "the broker ends" : "the broker has as many clients as it allows"
        output.writeSMQConnack(.unavailable, etid: 0, reason: reason, framing: framing)
        return output
    }

    var isEnding: Bool { isShutDown || machine.isDraining }

    func detach(_ id: PeerID) {
        handlers[id] = nil
        machine.detach(id)
        settle()
        guard let origin = linkOrigins.removeValue(forKey: id), let dialed = origin.dialed else { return }
        let isStranger = origin.identity == nil
        let doubt = cluster?.tls == nil ? "" : ", and is this node's certificate accepted there"
        dialer?.ended(
            dialed,
            failure: isStranger ? "it ended the handshake: is the cluster password the same there\(doubt)?" : nil,
            now: Self.now)
    }

    func receive(_ id: PeerID, _ bytes: ByteBuffer) {
        if let questions { machine.asks = questions.wanted() }
        machine.receive(id, bytes, now: Self.now)
        performActions()
    }

    /// Writes what has gathered for whom, and does what is to be done.
    func settle() {
        // A write can make more work (a publisher goes on), never endless: each round needs new input.
        for id in machine.takeDirty() { write(to: id) }
        performActions()
        if confirmationTimer == nil, let deadline = machine.confirmationDeadline { expireConfirmations(at: deadline) }
    }

    func write(to id: PeerID) {
        guard let handler = handlers[id], handler.isWritable, let output = machine.takeOutput(id) else { return }
        handler.write(output)
    }

    /// A socket has taken what it was given, or is closed.
    func written(_ id: PeerID, _ count: Int) { machine.written(id, count) }

    /// What the receiver for which a publisher is held back has taken so far.
    func written(for publisher: PeerID) -> Int? {
        machine.receiver(holding: publisher).flatMap { handlers[$0]?.written }
    }

    /// A publisher has waited; whether it waits on.
    ///
    /// - Returns: how long; nil when it goes on.
    func continuesStall(_ publisher: PeerID, written: Int) -> Duration? {
        machine.continuesStall(publisher, written: written) ? machine.limits.stall : nil
    }

    // MARK: From the broker

    func startTicking() {
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        ticking = eventLoop.scheduleRepeatedTask(initialDelay: .milliseconds(500), delay: .milliseconds(500)) { _ in
            let core = bound.value
            core.machine.tick(now: Self.now)
            core.rates.sample(core.machine.statistics, now: Self.now)
            if core.machine.hasNodeReaders { core.machine.tellNodes(core.status, now: Self.now) }
            core.settle()
        }
    }

    func snapshot() -> SMQBroker.Snapshot {
        SMQBroker.Snapshot(
            clients: machine.clientCount, topics: machine.topicCount, queuedBytes: machine.queuedByteCount,
            isDraining: machine.isDraining, uptime: Self.now - started, process: status, rates: rates.perSecond,
            cluster: clusterSnapshot, statistics: machine.statistics)
    }

    func names(limit: Int) -> (topics: [String], subtopics: [String]) { machine.names(limit: limit) }

    private var status: NodeStatus {
        use.sample(now: Self.now)
        let load = load?() ?? (processor: use.processor, memoryShare: use.memoryShare)
        return NodeStatus(
            clients: UInt32(clamping: machine.clientCount), processor: load.processor, memory: use.memory,
            memoryShare: load.memoryShare, isDraining: machine.isDraining)
    }

    // MARK: Links

    private var clusterSnapshot: SMQBroker.ClusterSnapshot? {
        guard let cluster else { return nil }
        return SMQBroker.ClusterSnapshot(
            nodeID: cluster.settings.nodeID, name: cluster.settings.name, links: machine.linkStates,
            peers: dialer?.plan.entries ?? [], statistics: machine.linkStatistics, phantoms: machine.phantomCount)
    }

    func startLinks(listening: LinkListener) {
        guard let cluster, dialer == nil, !isShutDown else { return listening.channel.close(promise: nil) }
        listener = listening
        dialer = LinkDialer(
            cluster, core: self, listening: listening.address, eventLoop: eventLoop, logger: logger)
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        linkTicking = eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: .milliseconds(25)) { _ in
            bound.value.tickLinks()
        }
    }

    private func tickLinks() {
        let status = status
        machine.tickLinks(status: status, now: Self.now)
        settle()
        dialer?.tick(now: Self.now)
    }

    private func expireConfirmations(at deadline: MonotonicTime) {
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let wait = max(.zero, deadline - Self.now)
        confirmationTimer = eventLoop.assumeIsolated().scheduleTask(in: .nanoseconds(wait.wholeNanoseconds)) {
            let core = bound.value
            core.confirmationTimer = nil
            core.machine.expireConfirmations(now: Self.now)
            core.settle()
        }
    }

    func publishToServers(_ payload: ByteBuffer, subtopic: ByteBuffer?) {
        machine.publishToServers(payload, subtopic: subtopic)
        settle()
    }

    private func linkChanged(_ id: PeerID, isUp: Bool) {
        guard let origin = linkOrigins[id], let identity = origin.identity else { return }
        let upSince = origin.upSince
        linkOrigins[id]?.upSince = isUp ? Self.now : nil
        if isUp {
            dialer?.linkUp(identity)
        } else {
            let lasted = upSince.map { $0 + .seconds(2) <= Self.now } ?? false
            dialer?.linkDown(identity, lasted: lasted, now: Self.now)
        }
        logger.notice(
            "\(isUp ? "link up" : "link down")", metadata: ["address": "\(origin.address)", "node": "\(identity)"])
    }

    /// Asks clients to leave, each at its moment; the promise succeeds when all have gone.
    func drain(within time: Duration, _ isEmpty: EventLoopPromise<Void>) {
        machine.drain(within: time, now: Self.now)
        settle()
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: .milliseconds(5)) { task in
            let core = bound.value
            core.machine.askToLeave(now: Self.now)
            core.settle()
            guard core.machine.clientCount == 0 || core.isShutDown else { return }
            task.cancel()
            isEmpty.succeed(())
        }
    }

    func review(isUnchanged: (ByteBuffer) -> Bool) {
        machine.review(isUnchanged: isUnchanged)
        settle()
    }

    func shutDown(reason: String) -> [EventLoopFuture<Void>] {
        ticking?.cancel()
        isShutDown = true
        linkTicking?.cancel()
        confirmationTimer?.cancel()
        dialer?.stop()
        listener?.channel.close(promise: nil)
        let closing = handlers.values.compactMap(\.closeFuture)
        machine.shutDown(reason: reason)
        settle()
        return closing
    }

    // MARK: Actions

    private func performActions() {
        // Bounded: an action can lead to others only by ending one more of finitely many sessions.
        while true {
            if let onSession { machine.takeSessionChanges().forEach(onSession) }
            if let questions {
                let dropped = machine.takeDroppedMessages()
                if !dropped.isEmpty { questions.onDrop(dropped) }
            }
            let actions = machine.takeActions()
            if actions.isEmpty { return }
            for action in actions { perform(action) }
        }
    }

    private func perform(_ action: SMQBrokerStateMachine.Action) {
        switch action {
        case .pause(let id, let duration): handlers[id]?.pause(for: duration)
        case .resume(let id): handlers[id]?.resume()
        case .authenticate(let id, let request): ask(id, request)
        case .ask(let id, let number, let question): ask(id, number, question)
        case .answered(let id): handlers[id]?.release()
        case .identified(let id, let identity):
            linkOrigins[id]?.identity = identity
            dialer?.identified(linkOrigins[id]?.dialed, identity)
        case .linkUp(let id): linkChanged(id, isUp: true)
        case .linkDown(let id): linkChanged(id, isUp: false)
        case .serverMessage(let message): cluster?.onServerMessage?(message)
        case .closeLink(let id, let reason):
            log(LinkWarning(address: machine.address(of: id), reason: reason))
            handlers[id]?.close(after: machine.takeOutput(id), isPatient: reason.leavesTimeToRead)
        case .close(let id, let reason):
            if reason == .slowConsumer || reason == .queueMemory {
                logger.warning(
                    "client dropped",
                    metadata: ["reason": "\(reason.rawValue)", "address": "\(machine.address(of: id))"])
            } else {
                logger.debug("session ended", metadata: ["reason": "\(reason.rawValue)"])
            }
            let output = machine.takeOutput(id) ?? (reason == .shutdown ? ByteBuffer() : nil)
            handlers[id]?.close(
                after: output, isPatient: reason.leavesTimeToRead, isGoingAway: reason == .shutdown)
        }
    }

    private func log(_ end: LinkWarning) {
        var metadata: Logger.Metadata = ["reason": "\(end.reason.rawValue)", "address": "\(end.address)"]
        guard !end.reason.isExpected else { return logger.debug("link ended", metadata: metadata) }
        guard let held = linkWarnings.admit(end, at: Self.now) else { return }
        if held > 0 { metadata["more"] = "\(held)" }
        logger.warning("link ended", metadata: metadata)
    }

    private func ask(_ id: PeerID, _ request: SMQConnectRequest) {
        guard let authenticate else { return }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.makeFutureWithTask { await authenticate(request) }.whenSuccess { decision in
            bound.value.machine.complete(id, decision, now: Self.now)
            bound.value.settle()
        }
    }

    private func ask(_ id: PeerID, _ number: UInt32, _ question: SMQQuestion) {
        guard let questions else { return }  // safe: not reached, nothing is asked then
        handlers[id]?.hold()
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.makeFutureWithTask { await questions.decide(question) }.whenSuccess { isPermitted in
            bound.value.machine.asks = questions.wanted()
            bound.value.machine.answer(id, number, isPermitted, now: Self.now)
            bound.value.settle()
        }
    }
}

extension SMQCloseReason {
    /// Whether a last message to the client has a chance to be read.
    var leavesTimeToRead: Bool {
        switch self {
        case .slowConsumer, .queueMemory, .pingTimeout, .connectionLost: false
        default: true
        }
    }
}

extension SMQLinkCloseReason {
    /// Whether it happens in a cluster that is well.
    var isExpected: Bool { self == .duplicate || self == .ownAddress || self == .shutdown || self == .crowdedOut }
}
