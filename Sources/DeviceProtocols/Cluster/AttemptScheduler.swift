public import DeviceCore

/// Gets a session with one of several nodes, and another one when it is lost. No I/O: events in, actions out, time and
/// randomness as arguments.
///
/// Candidates are tried in their order, each a stagger after the one before, or at once when all before have failed.
/// The first whose session is ready wins and the others are cancelled. When all have failed it waits (full jitter) and
/// asks for candidates anew. After a good session was lost, the first attempt goes to another node after a few
/// milliseconds. Within a window never more than so many attempts begin.
public struct AttemptScheduler: Sendable {
    struct Attempt: Sendable {
        let endpoint: Endpoint
        var phase = AttemptPhase.connecting
        var deadline: MonotonicTime
    }

    enum State: Sendable {
        /// Nothing to do: not started, ended, or content with its session.
        case idle
        case waiting(until: MonotonicTime)
        /// `choose` was asked for.
        case choosing
        case racing
    }

    /// A session in use.
    public struct Session: Hashable, Sendable {
        /// The attempt that made it.
        public let attempt: UInt64
        /// Its node.
        public let endpoint: Endpoint
        /// When it was adopted.
        public let since: MonotonicTime
    }

    /// Times and bounds.
    public let settings: AttemptSettings
    /// The session in use.
    public internal(set) var session: Session?
    /// Attempts that have begun so far.
    public internal(set) var attemptCount: UInt64 = 0
    var state = State.idle
    var attempts: [UInt64: Attempt] = [:]
    /// Candidates that were not tried yet in this cycle, and all that were.
    var queue: [Endpoint] = []
    var tried: Set<Endpoint> = []
    /// When the next candidate may be tried although one is under way.
    var staggerAt = MonotonicTime.zero
    /// The last beginnings, oldest first; at most as many as the limit.
    var beginnings: [MonotonicTime] = []
    var backOff: BackOff
    /// The node just lost, or to be left: avoided until a cycle has failed.
    var lost: Endpoint?
    private var lastID: UInt64

    /// A scheduler that has not started. `idsAfter`: attempts are numbered from the next number on; for two schedulers
    /// whose attempts must not be mistaken for each other's.
    public init(_ settings: AttemptSettings = AttemptSettings(), idsAfter: UInt64 = 0) {
        self.settings = settings
        lastID = idsAfter
        backOff = settings.backOff
    }

    /// Whether it waits for candidates.
    var isChoosing: Bool { if case .choosing = state { true } else { false } }
    /// Whether attempts are under way or about to be.
    var isRacing: Bool { if case .racing = state { true } else { false } }

    /// When ``tick(at:using:)`` has something to do.
    public var nextDeadline: MonotonicTime {
        var next = attempts.values.reduce(.distantFuture) { min($0, $1.deadline) }
        switch state {
        case .waiting(let until): next = min(next, until)
        case .racing where !queue.isEmpty && attempts.count < max(1, settings.concurrency):
            next = min(next, max(attempts.isEmpty ? .zero : staggerAt, allowedAt))
        default: break
        }
        return next
    }

    /// When the window allows another beginning.
    var allowedAt: MonotonicTime {
        guard beginnings.count >= max(1, settings.attemptLimit), let oldest = beginnings.first else { return .zero }
        return oldest + settings.window
    }

    /// Begins a first cycle at once; does nothing when one is under way.
    public mutating func start(at now: MonotonicTime) -> [AttemptAction] {
        guard case .idle = state, session == nil else { return [] }
        return choose()
    }

    /// Ends everything; the session too.
    public mutating func stop() -> [AttemptAction] {
        let cancelled = attempts.keys.sorted() + (session.map { [$0.attempt] } ?? [])
        attempts = [:]
        session = nil
        queue = []
        lost = nil
        state = .idle
        return cancelled.map { .cancel(attempt: $0) }
    }

    /// Takes over a session that another scheduler made. Attempts under way are cancelled; the session so far, if there
    /// is one, is given back by the caller's own means.
    mutating func take(_ session: Session, at now: MonotonicTime) -> [AttemptAction] {
        let cancelled = attempts.keys.sorted()
        attempts = [:]
        queue = []
        lost = nil
        state = .idle
        self.session = session
        return cancelled.map { .cancel(attempt: $0) }
    }

    /// Gives the session away, for ``take(_:at:)``, and rests.
    mutating func release() -> Session? {
        defer { session = nil }
        guard session != nil else { return nil }
        state = .idle
        return session
    }

    /// The nodes in the order in which to try them; those tried in this cycle already are passed over. A later list
    /// replaces what is left of the earlier one.
    public mutating func candidates(
        _ endpoints: [Endpoint], at now: MonotonicTime, using random: inout some RandomNumberGenerator
    ) -> [AttemptAction] {
        switch state {
        case .choosing:
            tried = []
            state = .racing
        case .racing: break
        default: return []
        }
        var seen = tried
        // To move means to another node.
        if let session { seen.insert(session.endpoint) }
        queue = endpoints.filter { seen.insert($0).inserted }
        return proceed(at: now, using: &random)
    }

    /// Begins what may begin now; when nothing is left to hope for, waits.
    mutating func proceed(
        at now: MonotonicTime, using random: inout some RandomNumberGenerator
    ) -> [AttemptAction] {
        guard case .racing = state else { return [] }
        var actions: [AttemptAction] = []
        while let endpoint = queue.first, attempts.count < max(1, settings.concurrency),
            attempts.isEmpty || staggerAt <= now, allowedAt <= now
        {
            queue.removeFirst()
            tried.insert(endpoint)
            lastID += 1
            attemptCount += 1
            attempts[lastID] = Attempt(endpoint: endpoint, deadline: now + settings.connectDeadline)
            if beginnings.count >= max(1, settings.attemptLimit) { beginnings.removeFirst() }
            beginnings.append(now)
            staggerAt = now + settings.stagger
            actions.append(.begin(attempt: lastID, endpoint))
        }
        if queue.isEmpty, attempts.isEmpty {
            lost = nil
            actions.append(wait(backOff.next(using: &random), .backOff, at: now))
        }
        return actions
    }

    mutating func wait(_ time: Duration, _ reason: AttemptWait, at now: MonotonicTime) -> AttemptAction {
        state = .waiting(until: now + time)
        return .wait(time, reason)
    }

    mutating func choose() -> [AttemptAction] {
        state = .choosing
        return [.choose(avoiding: lost.map { [$0] } ?? [])]
    }
}
