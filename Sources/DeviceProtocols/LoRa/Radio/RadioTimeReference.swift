/// Ties the radio's clock to GPS time: what class B and `tmms` need.
public struct RadioTimeReference: Hashable, Sendable {
    /// A value of the radio's clock, in microseconds.
    public var count: UInt64
    /// GPS time at it: microseconds since 1980-01-06 without leap seconds.
    public var gpsTime: UInt64

    /// Makes a reference.
    public init(count: UInt64, gpsTime: UInt64) {
        self.count = count
        self.gpsTime = gpsTime
    }

    /// The radio's clock at a GPS time; nil before the clock's zero and where 64 bits do not reach.
    public func count(atGPSTime time: UInt64) -> UInt64? {
        if time >= gpsTime {
            let (sum, overflow) = count.addingReportingOverflow(time - gpsTime)
            return overflow ? nil : sum
        }
        let back = gpsTime - time
        return back <= count ? count - back : nil
    }

    /// GPS time at a value of the radio's clock; nil before 1980 and where 64 bits do not reach.
    public func gpsTime(atCount value: UInt64) -> UInt64? {
        RadioTimeReference(count: gpsTime, gpsTime: count).count(atGPSTime: value)
    }
}
