import DeviceCore

/// Makes 64 bits of a counter that comes with 32, and guesses it between two values by the host's clock.
struct CounterExtension: Hashable, Sendable {
    /// A guess that is off by more means that the counter has begun anew.
    static let tolerance: UInt64 = 30_000_000

    private var anchor: Anchor?
    /// Times at which the counter was seen to begin anew.
    private(set) var restarts: UInt64 = 0

    private struct Anchor: Hashable, Sendable {
        var count: UInt64
        var time: MonotonicTime
    }

    /// Takes a value and the host's time at which it was current.
    ///
    /// The nearest value to the guess is taken, so that frames may come out of order. After a restart of the counter
    /// the 64 bits go on upwards.
    mutating func extend(_ value: UInt32, at now: MonotonicTime) -> UInt64 {
        guard let guess = guess(at: now) else {
            anchor = Anchor(count: UInt64(value), time: now)
            return UInt64(value)
        }
        let difference = Int32(bitPattern: value &- UInt32(truncatingIfNeeded: guess))
        let nearest = difference >= 0 ? guess &+ UInt64(difference) : guess &- min(guess, UInt64(difference.magnitude))
        guard difference.magnitude <= Self.tolerance else {
            restarts += 1
            let base = guess & ~0xFFFF_FFFF
            let next = base | UInt64(value) > guess ? base | UInt64(value) : (base | UInt64(value)) &+ (1 << 32)
            anchor = Anchor(count: next, time: now)
            return next
        }
        // Old frames say nothing new of the present.
        if difference >= 0 || difference.magnitude < 1_000_000 { anchor = Anchor(count: nearest, time: now) }
        return nearest
    }

    /// What the counter should be; nil before the first value.
    func guess(at now: MonotonicTime) -> UInt64? {
        guard let anchor else { return nil }
        let elapsed = max(0, (now - anchor.time).wholeNanoseconds / 1000)
        return anchor.count &+ UInt64(elapsed)
    }
}
