/// Takes little-endian numbers off the front of a frame; nil where it ends.
struct LoRaWANReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { rest = bytes[...] }

    var count: Int { rest.count }

    mutating func byte() -> UInt8? { rest.popFirst() }

    /// A number of that many bytes.
    mutating func number(_ count: Int) -> UInt64? {
        guard rest.count >= count, count <= 8 else { return nil }
        var value: UInt64 = 0
        for (place, byte) in rest.prefix(count).enumerated() { value |= UInt64(byte) << UInt64(8 * place) }
        rest = rest.dropFirst(count)
        return value
    }

    mutating func integer<Integer: FixedWidthInteger & UnsignedInteger>(_: Integer.Type) -> Integer? {
        number(Integer.bitWidth / 8).map { Integer(truncatingIfNeeded: $0) }
    }

    mutating func bytes(_ count: Int) -> [UInt8]? {
        guard rest.count >= count else { return nil }
        defer { rest = rest.dropFirst(count) }
        return Array(rest.prefix(count))
    }

    mutating func remainder() -> [UInt8] {
        defer { rest = [] }
        return Array(rest)
    }
}

extension [UInt8] {
    /// Appends the low bytes of a number, lowest first.
    mutating func appendLittleEndian(_ value: UInt64, count: Int) {
        for place in 0..<count { append(UInt8(truncatingIfNeeded: value >> UInt64(8 * place))) }
    }

    /// Appends a number, lowest byte first.
    mutating func appendLittleEndian(_ value: some FixedWidthInteger & UnsignedInteger) {
        appendLittleEndian(UInt64(value), count: value.bitWidth / 8)
    }
}
