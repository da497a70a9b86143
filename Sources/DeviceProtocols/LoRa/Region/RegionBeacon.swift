/// Class B's beacon in a region.
public struct RegionBeacon: Hashable, Sendable {
    /// Its frequencies: one, or eight by turns with the beacon's period.
    public var frequencies: [RadioFrequency]
    /// Its data rate.
    public var dataRate: UInt8

    /// Makes a description; frequencies in Hz.
    public init(_ hertz: [UInt32], dataRate: UInt8) {
        frequencies = hertz.map { RadioFrequency(hertz: $0) }
        self.dataRate = dataRate
    }
}
