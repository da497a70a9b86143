/// How long a frame is on the air, in whole microseconds (rounded up), computed without floating point.
///
/// LoRa: Semtech's AN1200.13, section 4, and for spreading factors 5 and 6 the SX1261/2 data sheet, section 6.1.4. The
/// low data rate optimisation follows the length of a symbol (16 ms and more), as in the modems; libloragw's own
/// function turns it on for spreading factors 11 and 12 at any bandwidth and is wrong by 10 % for SF12BW500.
public enum TimeOnAir {
    /// What a frame has besides its payload.
    public struct Format: Hashable, Sendable {
        /// Forward error correction.
        public var codingRate: LoRaCodingRate
        /// Symbols of the preamble with LoRa, bytes with FSK.
        public var preamble: UInt16
        /// Whether a checksum follows the payload.
        public var hasCRC: Bool
        /// Whether the header is left out.
        public var isImplicitHeader: Bool

        /// Makes a format; what is left out is as for a LoRaWAN uplink.
        public init(
            codingRate: LoRaCodingRate = .fourFifths, preamble: UInt16 = 8, hasCRC: Bool = true,
            isImplicitHeader: Bool = false
        ) {
            self.codingRate = codingRate
            self.preamble = preamble
            self.hasCRC = hasCRC
            self.isImplicitHeader = isImplicitHeader
        }
    }

    /// The time of a frame with that many bytes of payload, of which at most 255 count.
    public static func microseconds(
        bytes: Int, modulation: LoRaModulation, format: Format = Format()
    ) -> UInt64 {
        let bytes = Int64(min(max(bytes, 0), 255))
        switch modulation {
        case .lora(let rate): return lora(bytes, rate, format)
        case .fsk(let bitRate):
            // Preamble, three bytes of sync word, one of length, payload, two of checksum.
            let all = Int64(format.preamble) + 3 + (format.isImplicitHeader ? 0 : 1) + bytes + (format.hasCRC ? 2 : 0)
            return ceiling(UInt64(all) * 8_000_000, by: UInt64(max(bitRate, 1)))
        }
    }

    /// The time of a frame to send.
    public static func microseconds(of downlink: RadioDownlink) -> UInt64 {
        microseconds(
            bytes: downlink.payload.count, modulation: downlink.modulation,
            format: Format(
                codingRate: downlink.codingRate, preamble: downlink.preamble, hasCRC: downlink.hasCRC,
                isImplicitHeader: downlink.isImplicitHeader))
    }

    /// Whether the modem protects symbols of this length against a drifting clock, at the price of two bits a symbol.
    public static func isLowDataRate(_ rate: LoRaDataRate) -> Bool {
        (1 << UInt64(rate.modemFactor)) * 1000 >= 16 * rate.hertz
    }

    private static func lora(_ bytes: Int64, _ rate: LoRaDataRate, _ format: Format) -> UInt64 {
        let factor = Int64(rate.modemFactor)
        let isShort = factor < 7
        let bits =
            8 * bytes - 4 * factor + (isShort ? 0 : 8) + (format.hasCRC ? 16 : 0) + (format.isImplicitHeader ? 0 : 20)
        let bitsPerBlock = UInt64(4 * (isLowDataRate(rate) ? factor - 2 : factor))
        let blocks = ceiling(UInt64(max(bits, 0)), by: bitsPerBlock)
        let payload = 8 + blocks * (4 + format.codingRate.parityBits)
        // Quarters of a symbol, because a sync word takes 4.25 symbols (6.25 with the short ones).
        let quarters = 4 * UInt64(format.preamble) + (isShort ? 25 : 17) + 4 * payload
        return ceiling((quarters << UInt64(factor)) * 250_000, by: rate.hertz)
    }

    private static func ceiling(_ value: UInt64, by divisor: UInt64) -> UInt64 { (value + divisor - 1) / divisor }
}

extension LoRaDataRate {
    /// The bandwidth in Hz: names in kHz leave out the fraction of 7.8125, 31.25 and 203.125 kHz.
    public var hertz: UInt64 {
        switch bandwidth {
        case 7: 7_812
        case 10: 10_417
        case 15: 15_625
        case 20: 20_833
        case 31: 31_250
        case 41: 41_667
        case 62: 62_500
        case 203: 203_125
        case 406: 406_250
        case 812: 812_500
        default: UInt64(max(bandwidth, 1)) * 1000
        }
    }

    /// The spreading factor within what a modem can do.
    fileprivate var modemFactor: UInt8 { min(max(spreadingFactor, 5), 12) }
}

extension LoRaCodingRate {
    /// Bits that are added to four.
    public var parityBits: UInt64 {
        switch self {
        case .off: 0
        case .fourFifths: 1
        case .fourSixths: 2
        case .fourSevenths: 3
        case .fourEighths: 4
        }
    }
}
