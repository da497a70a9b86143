/// The 64-bit number of a gateway, written as 16 hexadecimal digits.
public struct GatewayEUI: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The number; its first byte on the wire is the highest.
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
    public static func < (left: GatewayEUI, right: GatewayEUI) -> Bool { left.rawValue < right.rawValue }
}

/// Hexadecimal digits as radio people write them.
package enum HexText {
    /// All digits of an integer, with leading zeros, in small letters.
    package static func digits(_ value: some FixedWidthInteger & UnsignedInteger) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: value.bitWidth / 4 - digits.count) + digits
    }

    /// Two digits for each byte, in capitals: the form of frames in LoRaWAN tools.
    package static func bytes(_ bytes: some Collection<UInt8>) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count * 2)
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])  // safe: four bits are below 16
            text.append(digits[Int(byte & 15)])  // safe: as above
        }
        return String(decoding: text, as: UTF8.self)
    }
}
