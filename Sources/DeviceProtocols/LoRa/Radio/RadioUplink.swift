public import DeviceCore

/// A frame that a concentrator heard.
public struct RadioUplink: Hashable, Sendable {
    /// The radio's clock at the frame's end, in microseconds (see ``Radio/now()``). Its low 32 bits are GWMP's `tmst`.
    public var count: UInt64
    /// The channel's frequency.
    public var frequency: RadioFrequency
    /// Modulation and data rate.
    public var modulation: LoRaModulation
    /// Forward error correction; nil with FSK.
    public var codingRate: LoRaCodingRate?
    /// The checksum's state.
    public var crc: CRCStatus
    /// Strength of the channel in dBm.
    public var rssi: Double
    /// Strength of the signal in dBm; nil where the chip does not measure it (SX1301, FSK).
    public var signalRSSI: Double?
    /// Signal to noise ratio in dB; nil with FSK.
    public var snr: Double?
    /// The IF chain that heard it: 0 to 7 multi-SF, 8 LoRa standard, 9 FSK.
    public var ifChain: UInt8
    /// The RF chain that heard it.
    public var rfChain: UInt8
    /// The modem that heard it; nil where the chip does not say.
    public var modem: UInt8?
    /// Distance from the channel's frequency in Hz; nil where it is not measured.
    public var frequencyOffset: Int32?
    /// Nanoseconds since the last full second of GPS time (SX1303).
    public var fineTime: UInt32?
    /// The frame's bytes, at most 255.
    public var payload: [UInt8]
    /// When the host took it from the radio.
    public var receivedAt: MonotonicTime
    /// When it was received, from a radio with a valid time reference.
    public var time: UTCTime?
    /// The same in microseconds of GPS time: since 1980-01-06, without leap seconds.
    public var gpsTime: UInt64?

    /// Makes a frame; what is optional is nil until it is set.
    public init(
        count: UInt64, frequency: RadioFrequency, modulation: LoRaModulation, codingRate: LoRaCodingRate? = nil,
        crc: CRCStatus = .ok, rssi: Double, snr: Double? = nil, ifChain: UInt8 = 0, rfChain: UInt8 = 0,
        payload: [UInt8], receivedAt: MonotonicTime
    ) {
        self.count = count
        self.frequency = frequency
        self.modulation = modulation
        self.codingRate = codingRate
        self.crc = crc
        self.rssi = rssi
        self.snr = snr
        self.ifChain = ifChain
        self.rfChain = rfChain
        self.payload = payload
        self.receivedAt = receivedAt
    }
}
