/// Reports a level once it was quiet for a period, as the kernel's debouncer does, for systems that lack that one.
///
/// A state machine without a clock: edges and times go in, a deadline and levels come out. Edges are never ignored
/// for a while after one, which would lose a quick release: only the level at the end of the quiet period counts.
public struct QuietPeriodDebouncer: Sendable {
    /// The period of quiet.
    public let period: Duration
    /// The level that was reported last.
    public private(set) var reported: Bool
    /// When ``fire(at:)`` may have something to report; nil when nothing is pending.
    public private(set) var deadline: MonotonicTime?
    private var pending: Bool

    /// Starts with the level that the caller knows already.
    public init(period: Duration, level: Bool) {
        self.period = period
        reported = level
        pending = level
    }

    /// Takes an edge. With a period of zero it is reported at once.
    public mutating func edge(to level: Bool, at time: MonotonicTime) {
        pending = level
        deadline = time + period
    }

    /// The new level with its time, the end of the quiet period, when `now` has reached the deadline.
    public mutating func fire(at now: MonotonicTime) -> (level: Bool, time: MonotonicTime)? {
        guard let due = deadline, now >= due else { return nil }
        deadline = nil
        guard pending != reported else { return nil }
        reported = pending
        return (pending, due)
    }
}
