public import DeviceProtocols
import Glibc

/// How a signal weakens on its way, and what a receiver can still read.
///
/// Path loss: log-distance with the figures that Petäjäjärvi et al. measured for LoRa at 868 MHz in a town ("On the
/// coverage of LPWANs", ITST 2015): 128.95 dB at 1 km, exponent 2.32, shadowing of 7.8 dB.
public struct RadioLink: Hashable, Sendable {
    /// Loss at 1 km in dB.
    public var lossAtOneKilometre = 128.95
    /// How fast loss grows with distance: 2 in free space, more between houses.
    public var exponent = 2.32
    /// Standard deviation of what houses and hills add for one place, in dB: drawn once for each device.
    public var shadowing = 7.8
    /// Standard deviation of what changes from frame to frame, in dB.
    public var fading = 1.0
    /// Noise that a receiver adds to that of nature, in dB.
    public var noiseFigure = 6.0

    /// The link with the figures named above.
    public init() {}

    /// Loss in dB at a distance in metres, without shadowing; below 1 m as at 1 m.
    public func loss(metres: Double) -> Double {
        lossAtOneKilometre + 10 * exponent * log10(max(1, metres) / 1000)
    }

    /// Noise in dBm within a bandwidth in Hz: -174 dBm in each Hz at 290 K, and the receiver's own.
    public func noise(bandwidth: Double) -> Double { -174 + 10 * log10(max(1, bandwidth)) + noiseFigure }

    /// The least signal to noise ratio in dB at which a frame is read (SX1276 datasheet, table 13; SX1302 for SF5).
    public static func requiredSNR(_ modulation: LoRaModulation) -> Double {
        switch modulation {
        case .lora(let rate): -7.5 - 2.5 * (Double(rate.spreadingFactor) - 7)
        // A discriminator needs what LoRa does not.
        case .fsk: 10
        }
    }

    /// How much stronger than an interferer a frame has to be, in dB.
    ///
    /// Of the same spreading factor 6 dB, the capture effect. Others are nearly orthogonal and may be stronger by what
    /// the frame's own spreading gains (Croce et al., "Impact of LoRa imperfect orthogonality", 2018).
    public static func requiredSIR(_ wanted: LoRaModulation, against other: LoRaModulation) -> Double {
        guard case .lora(let rate) = wanted, case .lora(let disturber) = other else { return 6 }
        if rate == disturber { return 6 }
        return -8 - 3 * (Double(rate.spreadingFactor) - 7)
    }

    /// What a weaker signal adds to a stronger one, in dB, when it is so much stronger (negative).
    static func gain(of difference: Double) -> Double { 10 * log10(1 + pow(10, difference / 10)) }

    /// The occupied bandwidth in Hz.
    public static func bandwidth(_ modulation: LoRaModulation) -> Double {
        switch modulation {
        case .lora(let rate): Double(rate.bandwidth) * 1000
        // Carson's rule with LoRaWAN's deviation of 25 kHz.
        case .fsk(let bitRate): Double(bitRate) + 50_000
        }
    }
}

extension SplitMix64 {
    /// A number with mean 0 and standard deviation 1: the sum of twelve even ones, at most 6 away.
    mutating func gaussian() -> Double {
        (0..<12).reduce(-6) { sum, _ in sum + Double.random(in: 0..<1, using: &self) }
    }

    /// The time to the next event of a Poisson process with that mean, in microseconds.
    mutating func exponential(mean: Double) -> UInt64 {
        let share = Double.random(in: 0..<1, using: &self)
        return UInt64(min(1e15, max(1, -mean * log(1 - share))))
    }
}
