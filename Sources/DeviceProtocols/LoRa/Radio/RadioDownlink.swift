/// A frame for a concentrator to send.
public struct RadioDownlink: Hashable, Sendable {
    /// The radio's clock when the first symbol of the preamble goes on the air; nil: at once.
    public var count: UInt64?
    /// Frequency.
    public var frequency: RadioFrequency
    /// Modulation and data rate.
    public var modulation: LoRaModulation
    /// Forward error correction; without meaning for FSK.
    public var codingRate: LoRaCodingRate
    /// Power at the antenna's socket in dBm, one of the gain table's steps.
    public var power: Int8
    /// Inverted polarity: so that devices hear the frame and other gateways do not.
    public var invertsPolarity: Bool
    /// Symbols of the preamble with LoRa, bytes with FSK.
    public var preamble: UInt16
    /// Whether a checksum follows the payload. LoRaWAN's downlinks have none.
    public var hasCRC: Bool
    /// No header: the receiver knows the length (beacons).
    public var isImplicitHeader: Bool
    /// Frequency deviation in Hz, for FSK.
    public var frequencyDeviation: UInt32
    /// The RF chain that sends. Checked against the radio by the caller's queue and by the radio.
    public var rfChain: UInt8
    /// The frame's bytes, at most 255.
    public var payload: [UInt8]

    /// Makes a frame; what is left out is as for a LoRaWAN class A downlink.
    public init(
        count: UInt64?, frequency: RadioFrequency, modulation: LoRaModulation,
        codingRate: LoRaCodingRate = .fourFifths, power: Int8, invertsPolarity: Bool = true, preamble: UInt16 = 8,
        hasCRC: Bool = false, isImplicitHeader: Bool = false, frequencyDeviation: UInt32 = 25_000, rfChain: UInt8 = 0,
        payload: [UInt8]
    ) {
        self.count = count
        self.frequency = frequency
        self.modulation = modulation
        self.codingRate = codingRate
        self.power = power
        self.invertsPolarity = invertsPolarity
        self.preamble = preamble
        self.hasCRC = hasCRC
        self.isImplicitHeader = isImplicitHeader
        self.frequencyDeviation = frequencyDeviation
        self.rfChain = rfChain
        self.payload = payload
    }
}
