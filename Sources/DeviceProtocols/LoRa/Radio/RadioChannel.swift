/// One IF chain: a channel and what its modem hears there.
public struct RadioChannel: Hashable, Sendable {
    /// What a modem hears.
    public enum Modem: Hashable, Sendable {
        /// LoRa with 125 kHz and every spreading factor of a range at once (IF chains 0 to 7).
        case multiSF(spreadingFactors: ClosedRange<UInt8>)
        /// LoRa with one data rate (IF chain 8).
        case lora(LoRaDataRate)
        /// FSK with one bit rate (IF chain 9); the bandwidth in kHz.
        case fsk(bitRate: UInt32, bandwidth: UInt16)
    }

    /// The IF chain: 0 to 7 multi-SF, 8 LoRa standard, 9 FSK.
    public var ifChain: UInt8
    /// The RF chain that it takes its signal from.
    public var rfChain: UInt8
    /// The channel's frequency: the RF chain's plus the file's `if`.
    public var frequency: RadioFrequency
    /// What its modem hears.
    public var modem: Modem

    /// Makes a channel.
    public init(ifChain: UInt8, rfChain: UInt8, frequency: RadioFrequency, modem: Modem) {
        self.ifChain = ifChain
        self.rfChain = rfChain
        self.frequency = frequency
        self.modem = modem
    }
}
