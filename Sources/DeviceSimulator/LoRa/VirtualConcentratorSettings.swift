/// What a virtual concentrator and the air around it are like.
public struct VirtualConcentratorSettings: Hashable, Sendable {
    /// Where all chance comes from: the same seed and the same calls give the same frames.
    public var seed: UInt64 = 1
    /// The clock's value at the first start, in microseconds. Just below 2^32 it soon shows what a wrap does; later
    /// starts begin at 0, as the chips do.
    public var counterStart: UInt64 = 0
    /// Demodulators for LoRa: 16 in an SX1302, 8 in an SX1301.
    public var demodulators = 16
    /// The way between devices and the concentrator.
    public var link = RadioLink()
    /// Height of the antenna and such: added to what is received and what is sent, in dB.
    public var antennaGain = 3.0
    /// Frames that nobody sent and the modems believe to hear, in an hour.
    public var ghostsPerHour = 6.0
    /// How long a start takes; seconds on real hardware.
    public var startTime: Duration = .zero
    /// Frames that wait for the reader; then the oldest are dropped and counted.
    public var uplinkLimit = 4096
    /// GPS time at the world's beginning, in microseconds since 1980-01-06; nil for a concentrator without GPS.
    public var gpsTime: UInt64?

    /// The defaults: an SX1302 without GPS, in a town.
    public init() {}
}
