public import DeviceCore

/// Keeps a client in session with some node of its cluster: which node, when, and where to next. No I/O.
///
/// It joins what the DNS says, a ``NodeChooser``, an ``AttemptScheduler`` for the session in use and, if wanted, a second
/// one for a hot standby at another node, which takes over without a handshake.
public struct ClusterStateMachine: Sendable {
    /// How it works.
    public struct Settings: Sendable {
        /// Times and bounds of attempts.
        public var attempts = AttemptSettings()
        /// Whether a second session is kept at another node.
        public var keepsStandby = false
        /// The way to choose among nodes that are well.
        public var policy: any NodePolicy = RandomPolicy()
        /// When the DNS no longer names the node in use, the client leaves it within a random part of this.
        public var drainTime: Duration = .seconds(2)
        /// Fresh answers of the DNS in a row that must leave a node out before it is left: a server may give some of
        /// its nodes only, others each time.
        public var answersToLeave = 2

        /// The usual.
        public init() {}
    }

    /// Attempts of the standby are numbered from here.
    static let standbyIDs: UInt64 = 1 << 62

    /// How it works.
    public let settings: Settings
    var active: AttemptScheduler
    var standby: AttemptScheduler
    var chooser: NodeChooser
    var isRunning = false
    var isResolving = false
    var resolveAt = MonotonicTime.distantFuture
    /// Fresh answers in a row that left the node in use out.
    var absences = 0
    /// Whether the session in use has lasted long enough for its node to be forgiven.
    var isForgiven = false
    /// Whether there was a session: before it, no policy has anything to go by.
    var hasHadSession = false
    /// What is to be said about the policy once there was a session, if it then still holds.
    var untoldNotice: String?
    /// Addresses that turned out to be one node.
    var aliases: [Set<Endpoint>] = []

    /// A machine that has not started.
    public init(_ settings: Settings) {
        self.settings = settings
        active = AttemptScheduler(settings.attempts)
        standby = AttemptScheduler(settings.attempts, idsAfter: Self.standbyIDs)
        chooser = NodeChooser(policy: settings.policy)
    }

    /// The node in use.
    public var endpoint: Endpoint? { active.session?.endpoint }
    /// The node of the standby that is ready.
    public var standbyEndpoint: Endpoint? { standby.session?.endpoint }
    /// All nodes that are known.
    public var endpoints: [Endpoint] { chooser.endpoints }
    /// Attempts that have begun so far.
    public var attemptCount: UInt64 { active.attemptCount + standby.attemptCount }

    /// When ``tick(at:using:)`` has something to do.
    public var nextDeadline: MonotonicTime {
        guard isRunning else { return .distantFuture }
        var next = min(active.nextDeadline, standby.nextDeadline)
        if !isResolving { next = min(next, resolveAt) }
        if let session = active.session, !isForgiven { next = min(next, session.since + settings.attempts.stableAfter) }
        return next
    }

    /// Begins at once.
    public mutating func start(
        at now: MonotonicTime, using random: inout some RandomNumberGenerator
    ) -> [ClusterAction] {
        guard !isRunning else { return [] }
        isRunning = true
        return translate(active.start(at: now), of: .active, at: now, using: &random)
    }

    /// Ends everything; sessions too.
    public mutating func stop() -> [ClusterAction] {
        isRunning = false
        isResolving = false
        return (active.stop() + standby.stop()).compactMap { action in
            if case .cancel(let attempt) = action { .cancel(attempt: attempt) } else { nil }
        }
    }

    // MARK: Names

    /// The names' nodes. `isFresh`: the DNS said so just now, or the nodes are given by address; an older answer says
    /// nothing about nodes that have gone.
    public mutating func resolved(
        _ records: [ResolvedEndpoint], timeLeft: Duration, isFresh: Bool, at now: MonotonicTime,
        using random: inout some RandomNumberGenerator
    ) -> [ClusterAction] {
        guard isRunning else { return [] }
        isResolving = false
        resolveAt = now + max(.seconds(1), timeLeft)
        let before = chooser.endpoints
        let leftOut = chooser.leftOut
        // The node in use stays known, with what is known about it, until it is left.
        var records = records
        let current = active.session?.endpoint
        let isAbsent = current.map { current in !records.contains { $0.endpoint == current } } ?? false
        if let current, isAbsent { records.append(ResolvedEndpoint(current, target: "")) }
        chooser.update(records)
        var actions: [ClusterAction] = []
        if chooser.leftOut > 0, leftOut == 0 {
            actions.append(.notice("\(chooser.leftOut) nodes are left out: there are more than \(chooser.limit)"))
        }
        let isChanged = before != chooser.endpoints
        for role in Role.allCases where self[role].isChoosing || (isChanged && self[role].isRacing) {
            actions += offer(role, at: now, using: &random)
        }
        if isFresh { absences = isAbsent ? absences + 1 : 0 }
        if absences >= settings.answersToLeave, isFresh, let current, records.count > 1 {
            absences = 0
            actions.append(.notice("the DNS no longer names \(current), which is left"))
            actions += leave(within: settings.drainTime, at: now, using: &random)
        }
        return actions
    }

    /// The names have no answer, and never had one.
    public mutating func unresolved(
        at now: MonotonicTime, using random: inout some RandomNumberGenerator
    ) -> [ClusterAction] {
        guard isRunning else { return [] }
        isResolving = false
        resolveAt = now + .seconds(1)
        return Role.allCases.flatMap { role in
            self[role].isChoosing ? offer(role, at: now, using: &random) : []
        }
    }

    // MARK: Reports

    /// The connection of an attempt is up. `isSecured`: TLS comes next.
    public mutating func connected(_ attempt: UInt64, isSecured: Bool, at now: MonotonicTime) {
        _ = self[role(of: attempt)].connected(attempt, isSecured: isSecured, at: now)
    }

    /// TLS of an attempt is up.
    public mutating func secured(_ attempt: UInt64, at now: MonotonicTime) {
        _ = self[role(of: attempt)].secured(attempt, at: now)
    }

    /// The session of an attempt is ready.
    public mutating func ready(
        _ attempt: UInt64, at now: MonotonicTime, using random: inout some RandomNumberGenerator
    ) -> [ClusterAction] {
        let role = role(of: attempt)
        let old = self[role].session?.attempt
        return translate(self[role].ready(attempt, at: now), of: role, replacing: old, at: now, using: &random)
    }

    /// A node answered a ping after so long.
    public mutating func measured(roundTrip: Duration, of attempt: UInt64) {
        for role in Role.allCases {
            guard let session = self[role].session, session.attempt == attempt else { continue }
            chooser.measured(roundTrip: roundTrip, of: session.endpoint)
        }
    }

    /// A node says how it is.
    public mutating func report(_ status: NodeStatus, of endpoint: Endpoint, at now: MonotonicTime) {
        chooser.report(status, of: endpoint, at: now)
    }

    /// An attempt failed, or a session was lost.
    public mutating func failed(
        _ attempt: UInt64, _ failure: ClusterFailure = .node, at now: MonotonicTime,
        using random: inout some RandomNumberGenerator
    ) -> [ClusterAction] {
        if failure == .replaced { learnAlias(of: attempt) }
        let blame = failure == .node
        if let lost = active.session, lost.attempt == attempt {
            isForgiven = true
            absences = 0
            if let reserve = standby.session {
                if blame { chooser.failed(lost.endpoint, at: now) }
                return promote(reserve, replacing: nil, at: now, using: &random)
            }
            // Both would race for the same nodes.
            let ended = stopStandby()
            let actions = active.failed(attempt, blame: blame, at: now, using: &random)
            return ended + translate(actions, of: .active, at: now, using: &random)
        }
        let role = role(of: attempt)
        let actions = self[role].failed(attempt, blame: blame, at: now, using: &random)
        return translate(actions, of: role, at: now, using: &random)
    }

    /// A node asks its clients to leave, and has chosen the moment.
    public mutating func askedToLeave(
        _ attempt: UInt64, at now: MonotonicTime, using random: inout some RandomNumberGenerator
    ) -> [ClusterAction] {
        if let session = standby.session, session.attempt == attempt {
            chooser.failed(session.endpoint, at: now)
            return stopStandby() + startStandby(at: now, using: &random)
        }
        guard let session = active.session, session.attempt == attempt else { return [] }
        chooser.failed(session.endpoint, at: now)
        return leave(within: .zero, at: now, using: &random)
    }

    /// Does what is due.
    public mutating func tick(
        at now: MonotonicTime, using random: inout some RandomNumberGenerator
    ) -> [ClusterAction] {
        guard isRunning else { return [] }
        var actions: [ClusterAction] = []
        if !isResolving, now >= resolveAt {
            isResolving = true
            actions.append(.resolve(refresh: false))
        }
        if let session = active.session, !isForgiven, now >= session.since + settings.attempts.stableAfter {
            isForgiven = true
            chooser.lasted(session.endpoint)
            actions += tellMissing(at: now)
        }
        for role in Role.allCases where self[role].nextDeadline <= now {
            actions += translate(self[role].tick(at: now, using: &random), of: role, at: now, using: &random)
        }
        return actions
    }
}
