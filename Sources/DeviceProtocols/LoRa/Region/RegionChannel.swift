/// An uplink channel of a region.
public struct RegionChannel: Hashable, Sendable {
    /// Its frequency.
    public var frequency: RadioFrequency
    /// The data rates that are used there.
    public var dataRates: ClosedRange<UInt8>

    /// Makes a channel; the frequency in Hz.
    public init(_ hertz: UInt32, _ dataRates: ClosedRange<UInt8>) {
        frequency = RadioFrequency(hertz: hertz)
        self.dataRates = dataRates
    }
}
