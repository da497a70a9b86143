/// What the law allows a gateway in one band.
public struct RegionBand: Hashable, Sendable {
    /// The lowest frequency.
    public var lowest: RadioFrequency
    /// The first frequency above it, except for the region's end, which belongs to it.
    public var end: RadioFrequency
    /// The part of an hour that may be spent sending, in thousandths; nil without limit.
    public var dutyCycle: UInt16?
    /// The most that may be radiated, in dBm EIRP.
    public var eirp: Int8

    /// Makes a band; frequencies in Hz.
    public init(_ lowest: UInt32, _ end: UInt32, dutyCycle: UInt16? = nil, eirp: Int8) {
        self.lowest = RadioFrequency(hertz: lowest)
        self.end = RadioFrequency(hertz: end)
        self.dutyCycle = dutyCycle
        self.eirp = eirp
    }
}
