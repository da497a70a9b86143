public import DeviceCore

/// Looks names up, keeps the answers, and shares one lookup between all who want the same name. No I/O: events in,
/// actions out.
///
/// The order is: hosts file, `localhost`, SRV records where a service is given, A and AAAA. Who asks while an answer
/// is within its time is given it at once. After its time, or for `refresh`, the DNS is asked; when it is silent for a
/// moment, or down, the last good answer is given, marked by its age.
public struct ResolverStateMachine: Sendable {
    struct Entry: Sendable {
        var answer: ResolverAnswer?
        /// What the last lookup failed with, and until when it is not tried again.
        var failure: (kind: DNSFailure, error: DeviceError, until: MonotonicTime)?
        var flight: ResolverFlight?
        /// Grows with each use: the smallest was used longest ago.
        var use: UInt64 = 0
    }

    /// Times and bounds.
    public let limits: ResolverLimits
    /// What has happened so far.
    public internal(set) var counters = ResolverCounters()
    var entries: [ResolverKey: Entry] = [:]
    /// Flights by their id and by the questions that have no answer yet, also of flights that have ended.
    var flightKeys: [UInt64: ResolverKey] = [:]
    var questionKeys: [UInt64: ResolverKey] = [:]
    var waiterKeys: [UInt64: ResolverKey] = [:]
    private var lastID: UInt64 = 0
    private var uses: UInt64 = 0
    private var isEnded = false

    /// A resolver that knows nothing yet.
    public init(limits: ResolverLimits = ResolverLimits()) { self.limits = limits }

    /// When ``tick(at:)`` has something to do.
    public var nextDeadline: MonotonicTime {
        flightKeys.values.reduce(.distantFuture) { min($0, entries[$1]?.flight?.nextDeadline ?? .distantFuture) }
    }

    /// The last answer for a key, of whatever age.
    public func lastAnswer(for key: ResolverKey) -> ResolverAnswer? { entries[key]?.answer }

    /// A caller wants an answer; `finish` with its id comes once, now or later.
    ///
    /// - Parameter refresh: ask the DNS even within the answer's time, but not more often than the minimum time to
    ///   live allows.
    public mutating func resolve(
        waiter: UInt64, key: ResolverKey, refresh: Bool, at now: MonotonicTime
    ) -> [ResolverAction] {
        guard !isEnded else { return [fail(waiter, DeviceError(.closed, "the resolver has been shut down"))] }
        uses += 1
        entries[key]?.use = uses
        let usable = entries[key]?.answer.flatMap { isUsable($0, at: now) ? $0 : nil }
        if let answer = usable, now < answer.expires,
            !refresh || now < answer.received + limits.minimumTimeToLive
        {
            counters.hits += 1
            return [.finish(waiter: waiter, .success(answer))]
        }
        if let failure = entries[key]?.failure, now < failure.until {
            return [give(waiter, failure.kind.isNegative ? nil : usable, failure.error, at: now)]
        }
        guard waiterKeys.count < limits.waiters else { return [refuse(waiter, usable, "callers wait for names", now)] }
        let staleAt = usable == nil ? MonotonicTime.distantFuture : now + limits.staleWait
        let wait = ResolverFlight.Waiter(id: waiter, staleAt: staleAt)
        if entries[key]?.flight != nil {
            counters.joined += 1
            entries[key]?.flight?.waiters.append(wait)
            waiterKeys[waiter] = key
            return []
        }
        let mostQuestions = key.service == nil ? 2 : limits.targets * 2
        guard flightKeys.count < limits.flights, questionKeys.count + mostQuestions <= limits.questions else {
            return [refuse(waiter, usable, "names are being looked up", now)]
        }
        makeRoom(for: key)
        lastID += 1
        var flight = ResolverFlight(id: lastID, started: now, deadline: now + limits.deadline)
        flight.waiters = [wait]
        entries[key, default: Entry(use: uses)].flight = flight
        flightKeys[lastID] = key
        waiterKeys[waiter] = key
        return [.readHosts(flight: lastID, name: key.name)]
    }

    /// A caller no longer wants its answer; it gets `closed` at once. The lookup goes on for the next caller.
    public mutating func cancel(waiter: UInt64) -> [ResolverAction] {
        guard let key = waiterKeys.removeValue(forKey: waiter) else { return [] }
        entries[key]?.flight?.waiters.removeAll { $0.id == waiter }
        return [.finish(waiter: waiter, .failure(DeviceError(.closed, "the lookup of \(key.name) was cancelled")))]
    }

    /// Ends everything; all who wait get `closed`.
    public mutating func shutDown() -> [ResolverAction] {
        isEnded = true
        let waiters = waiterKeys.keys.sorted()
        entries = [:]
        flightKeys = [:]
        questionKeys = [:]
        waiterKeys = [:]
        return waiters.map { fail($0, DeviceError(.closed, "the resolver has been shut down")) }
    }

    mutating func newID() -> UInt64 {
        lastID += 1
        return lastID
    }

    /// Whether an answer is still given at all.
    func isUsable(_ answer: ResolverAnswer, at now: MonotonicTime) -> Bool {
        guard let limit = limits.maximumStaleness else { return true }
        return now < answer.expires + limit
    }

    mutating func fail(_ waiter: UInt64, _ error: DeviceError) -> ResolverAction {
        counters.failed += 1
        return .finish(waiter: waiter, .failure(error))
    }

    /// Gives the older answer where there is one, otherwise the error.
    mutating func give(
        _ waiter: UInt64, _ answer: ResolverAnswer?, _ error: DeviceError?, at now: MonotonicTime
    ) -> ResolverAction {
        guard var answer else { return fail(waiter, error ?? DNSFailure.local.error(for: "", after: .zero)) }
        if now >= answer.expires {
            counters.stale += 1
            answer.isStale = true
            answer.renewalError = error
        } else {
            counters.hits += 1
        }
        return .finish(waiter: waiter, .success(answer))
    }

    private mutating func refuse(
        _ waiter: UInt64, _ answer: ResolverAnswer?, _ what: String, _ now: MonotonicTime
    ) -> ResolverAction {
        counters.refused += 1
        return give(
            waiter, answer, DeviceError(.limitExceeded, "too many \(what) at the same time", hint: "Try again later"),
            at: now)
    }

    private mutating func makeRoom(for key: ResolverKey) {
        guard entries[key] == nil, entries.count >= max(1, limits.names) else { return }
        let oldest = entries.filter { $0.value.flight == nil }.min { $0.value.use < $1.value.use }
        guard let oldest else { return }
        entries[oldest.key] = nil
        counters.evicted += 1
    }
}
