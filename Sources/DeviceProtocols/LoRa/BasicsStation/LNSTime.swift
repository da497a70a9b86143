/// Basics Station's `xtime`: the radio's clock with the radio's session, so that a time from before a restart is known
/// as such. Always exact: 63 bits, which a JSON number as `Double` does not hold.
public struct LNSTime: Hashable, Sendable {
    /// The number in messages.
    public var rawValue: Int64

    /// Takes a number from a message.
    public init(rawValue: Int64) { self.rawValue = rawValue }

    /// Makes a time: bits 62 to 56 the radio unit, 55 to 48 its session, which is never 0, the rest the clock's low 48
    /// bits.
    public init(unit: UInt8, session: UInt8, count: UInt64) {
        rawValue = Int64(unit & 0x7F) << 56 | Int64(session) << 48 | Int64(count & Self.mask)
    }

    private static let mask: UInt64 = (1 << 48) - 1

    /// The radio unit.
    public var unit: UInt8 { UInt8(truncatingIfNeeded: rawValue >> 56 & 0x7F) }
    /// The radio's session.
    public var session: UInt8 { UInt8(truncatingIfNeeded: rawValue >> 48) }

    /// The radio's clock at this time; nil for another session. The clock's bits above 48, nine years of microseconds,
    /// are those that bring it nearest to `now`.
    public func count(session: UInt8, now: UInt64) -> UInt64? {
        guard rawValue > 0, self.session == session else { return nil }
        let low = UInt64(bitPattern: rawValue) & Self.mask
        // The distance from now, as a number of 48 bits with a sign.
        let distance = Int64(bitPattern: (low &- now) << 16) >> 16
        if distance >= 0 { return now.addingClamped(UInt64(distance)) }
        return now >= distance.magnitude ? now - distance.magnitude : nil
    }
}
