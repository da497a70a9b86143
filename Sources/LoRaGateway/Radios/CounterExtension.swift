import DeviceCore

/// Makes 64 bits of a counter that comes with 32, and guesses it between two values by the host's clock.
struct CounterExtension: Hashable, Sendable {
    /// A guess that is off by more means that the counter has begun anew.
    static let tolerance: UInt64 = 30_000_000

    private var anchor: Anchor?
    /// Whether there was a first value.
    var isKnown: Bool { anchor != nil }
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
    ///
    /// - Parameter floor: what the first value's 64 bits are not below.
    mutating func extend(_ value: UInt32, at now: MonotonicTime, notBelow floor: UInt64 = 0) -> UInt64 {
        guard let guess = guess(at: now) else {
            let count = Self.next(value, notBelow: floor)
            anchor = Anchor(count: count, time: now)
            return count
        }
        let difference = Int32(bitPattern: value &- UInt32(truncatingIfNeeded: guess))
        let nearest = difference >= 0 ? guess &+ UInt64(difference) : guess &- min(guess, UInt64(difference.magnitude))
        guard difference.magnitude <= Self.tolerance else {
            restarts += 1
            let next = Self.next(value, notBelow: guess)
            anchor = Anchor(count: next, time: now)
            return next
        }
        // Old frames say nothing new of the present.
        if difference >= 0 || difference.magnitude < 1_000_000 { anchor = Anchor(count: nearest, time: now) }
        return nearest
    }

    /// The first 64 bits with these low ones that are not below a count.
    private static func next(_ value: UInt32, notBelow floor: UInt64) -> UInt64 {
        let count = floor & ~0xFFFF_FFFF | UInt64(value)
        return count >= floor ? count : count &+ (1 << 32)
    }

    /// What the counter should be; nil before the first value.
    func guess(at now: MonotonicTime) -> UInt64? {
        guard let anchor else { return nil }
        let elapsed = max(0, (now - anchor.time).wholeNanoseconds / 1000)
        return anchor.count &+ UInt64(elapsed)
    }
}
