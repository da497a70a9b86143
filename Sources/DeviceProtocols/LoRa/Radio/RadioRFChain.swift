/// One RF chain: a tuner with a centre frequency, which may also send.
public struct RadioRFChain: Hashable, Sendable {
    /// Whether it is used.
    public var isEnabled: Bool
    /// The centre of what it hears.
    public var frequency: RadioFrequency
    /// Added to measured strengths, in dB.
    public var rssiOffset: Double
    /// The name of the tuner's chip as the file has it: `SX1250`, `SX1255`, `SX1257`.
    public var type: String
    /// Where it may send (`tx_freq_min`, `tx_freq_max`); nil when it never sends.
    public var transmitRange: ClosedRange<RadioFrequency>?
    /// The powers it can send with, by rising power. Empty: any power, which only simulated radios have.
    public var gains: [RadioGain]

    /// Makes an RF chain.
    public init(
        isEnabled: Bool = true, frequency: RadioFrequency, rssiOffset: Double = 0, type: String = "SX1250",
        transmitRange: ClosedRange<RadioFrequency>? = nil, gains: [RadioGain] = []
    ) {
        self.isEnabled = isEnabled
        self.frequency = frequency
        self.rssiOffset = rssiOffset
        self.type = type
        self.transmitRange = transmitRange
        self.gains = gains
    }
}

/// A step of an RF chain's power table (`tx_lut`, `tx_gain_lut`).
public struct RadioGain: Hashable, Sendable {
    /// Power at the antenna's socket in dBm (`rf_power`).
    public var power: Int8
    /// Gain of the power amplifier (`pa_gain`).
    public var pa: UInt8
    /// Index of the SX1250's own power (`pwr_idx`).
    public var powerIndex: UInt8
    /// Gain before the converter (`dig_gain`).
    public var digital: UInt8
    /// Gain of the converter (`dac_gain`).
    public var dac: UInt8
    /// Gain of the mixer (`mix_gain`).
    public var mixer: UInt8

    /// Makes a step.
    public init(
        power: Int8, pa: UInt8 = 0, powerIndex: UInt8 = 0, digital: UInt8 = 0, dac: UInt8 = 3, mixer: UInt8 = 0
    ) {
        self.power = power
        self.pa = pa
        self.powerIndex = powerIndex
        self.digital = digital
        self.dac = dac
        self.mixer = mixer
    }
}
