public import DeviceCore

/// How badly a node has behaved, which time heals: each failure adds one, and half of it is gone after the half-life.
public struct NodePenalty: Hashable, Sendable {
    private var value = 0.0
    private var since = MonotonicTime.zero

    /// Above it a node is tried after all others.
    public static let threshold = 0.5
    /// It never grows above this: a node that was down all night is bad for a few half-lives more, not for a day.
    public static let limit = 8.0

    /// None.
    public init() {}

    /// The penalty at a time. Between the halvings it falls on a straight line.
    public func value(at now: MonotonicTime, halfLife: Duration) -> Double {
        guard value > 0 else { return 0 }
        let halfLife = max(halfLife, .nanoseconds(1)).wholeNanoseconds
        let age = max(0, (now - since).wholeNanoseconds)
        let (halvings, rest) = age.quotientAndRemainder(dividingBy: halfLife)
        guard halvings < 32 else { return 0 }
        return value / Double(UInt64(1) << UInt64(halvings)) * (1 - Double(rest) / Double(halfLife) / 2)
    }

    /// Adds to it.
    public mutating func add(_ amount: Double = 1, at now: MonotonicTime, halfLife: Duration) {
        value = min(Self.limit, value(at: now, halfLife: halfLife) + max(0, amount))
        since = now
    }

    /// Forgives everything.
    public mutating func clear() { value = 0 }
}
