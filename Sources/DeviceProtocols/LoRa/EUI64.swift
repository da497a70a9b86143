/// The 64-bit number of a gateway, a device (DevEUI) or a join server (JoinEUI), written as 16 hexadecimal digits.
public struct EUI64: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The number; its first byte on the wire is the highest in GWMP and the lowest in LoRaWAN.
    public var rawValue: UInt64

    /// Makes an EUI from its number.
    public init(_ rawValue: UInt64) { self.rawValue = rawValue }

    /// Reads 16 hexadecimal digits; nil for anything else.
    public init?(_ text: String) {
        guard text.utf8.count == 16, text.utf8.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
            let value = UInt64(text, radix: 16)
        else { return nil }
        self.init(value)
    }

    /// 16 hexadecimal digits in small letters.
    public var description: String { HexText.digits(rawValue) }

    /// Order by number.
    public static func < (left: EUI64, right: EUI64) -> Bool { left.rawValue < right.rawValue }
}

/// The number of a gateway.
public typealias GatewayEUI = EUI64
