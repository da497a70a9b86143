/// How a frame is put on the air, as far as GWMP's `modu` and `datr` say it.
public enum LoRaModulation: Hashable, Sendable, CustomStringConvertible {
    /// `modu` "LORA" with a `datr` like "SF9BW125".
    case lora(LoRaDataRate)
    /// `modu` "FSK" with a `datr` in bit/s.
    case fsk(bitRate: UInt32)

    /// For a person: `SF9BW125`, `FSK 50000 bit/s`.
    public var description: String {
        switch self {
        case .lora(let rate): rate.description
        case .fsk(let bitRate): "FSK \(bitRate) bit/s"
        }
    }
}

/// Spreading factor and bandwidth of a LoRa frame.
public struct LoRaDataRate: Hashable, Sendable, CustomStringConvertible {
    /// The spreading factor, 5 to 12.
    public var spreadingFactor: UInt8
    /// The bandwidth in kHz as the gateway names it: 125, 250, 500; at 2.4 GHz also 203, 406, 812, 1625.
    public var bandwidth: UInt16

    /// Makes a data rate; nothing is checked.
    public init(spreadingFactor: UInt8, bandwidth: UInt16) {
        self.spreadingFactor = spreadingFactor
        self.bandwidth = bandwidth
    }

    /// Reads GWMP's form, `SF9BW125`; nil for another form, a spreading factor outside 5 to 12 or a bandwidth
    /// outside 7 to 1625 kHz.
    public init?(_ text: String) {
        let parts = text.utf8.split(separator: UInt8(ascii: "B"), omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0].starts(with: "SF".utf8), parts[1].first == UInt8(ascii: "W"),
            let factor = Self.number(parts[0].dropFirst(2)), (5...12).contains(factor),
            let bandwidth = Self.number(parts[1].dropFirst()), (7...1625).contains(bandwidth)
        else { return nil }
        self.init(spreadingFactor: UInt8(factor), bandwidth: bandwidth)
    }

    /// GWMP's form.
    public var description: String { "SF\(spreadingFactor)BW\(bandwidth)" }

    /// One to four decimal digits and nothing else.
    private static func number(_ digits: Substring.UTF8View) -> UInt16? {
        guard (1...4).contains(digits.count) else { return nil }
        var value: UInt16 = 0
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            value = value * 10 + UInt16(digit - UInt8(ascii: "0"))
        }
        return value
    }
}

/// The forward error correction of a LoRa frame, GWMP's `codr`.
public enum LoRaCodingRate: String, CaseIterable, Sendable, CustomStringConvertible {
    /// No coding was decoded from the header; usually a frame that nobody sent.
    case off = "OFF"
    /// 4 bits in 5.
    case fourFifths = "4/5"
    /// 4 bits in 6.
    case fourSixths = "4/6"
    /// 4 bits in 7.
    case fourSevenths = "4/7"
    /// 4 bits in 8.
    case fourEighths = "4/8"

    /// Reads today's form and the shortened fractions of old servers, `2/3` and `1/2` (also `2/4`).
    public init?(gwmp text: String) {
        switch text {
        case "2/3": self = .fourSixths
        case "1/2", "2/4": self = .fourEighths
        default: self.init(rawValue: text)
        }
    }

    /// GWMP's form.
    public var description: String { rawValue }
}
