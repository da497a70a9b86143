/// The 32-bit address of a device in its network, written as 8 hexadecimal digits; on the air its lowest byte is first.
public struct DevAddr: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The number.
    public var rawValue: UInt32

    /// Makes an address from its number.
    public init(_ rawValue: UInt32) { self.rawValue = rawValue }

    /// Reads 8 hexadecimal digits; nil for anything else.
    public init?(_ text: String) {
        guard let bytes = HexText.bytes(from: text), bytes.count == 4 else { return nil }
        self.init(bytes.reduce(0) { $0 << 8 | UInt32($1) })
    }

    /// The network's identifier as Basics Station filters by it: the highest 7 bits.
    public var networkID: UInt8 { UInt8(truncatingIfNeeded: rawValue >> 25) }

    /// 8 hexadecimal digits in small letters.
    public var description: String { HexText.digits(rawValue) }

    /// Order by number.
    public static func < (left: DevAddr, right: DevAddr) -> Bool { left.rawValue < right.rawValue }
}
