// How Basics Station writes EUIs (its documentation, "LNS protocol"; its code where the two differ).
extension EUI64 {
    /// Four groups of 16 bits with the longest run of zeros left out: `::1`, `16:c001:ff10:a235`.
    public var id6: String {
        let groups = (0..<4).map { UInt16(truncatingIfNeeded: rawValue >> UInt64(48 - 16 * $0)) }
        let text = groups.map { String($0, radix: 16) }
        if groups[0] == 0, groups[1] == 0 { return groups[2] == 0 ? "::\(text[3])" : "::\(text[2]):\(text[3])" }
        if groups[2] == 0, groups[3] == 0 { return groups[1] == 0 ? "\(text[0])::" : "\(text[0]):\(text[1])::" }
        if groups[1] == 0, groups[2] == 0 { return "\(text[0])::\(text[3])" }
        return text.joined(separator: ":")
    }

    /// Eight pairs of digits with dashes, in capitals: `00-16-C0-01-FF-10-A2-35`.
    public var dashed: String {
        (0..<8).map { HexText.bytes([UInt8(truncatingIfNeeded: rawValue >> UInt64(56 - 8 * $0))]) }
            .joined(separator: "-")
    }

    /// Reads every form that stations and servers use: ID6, eight pairs with dashes or colons, 16 digits.
    public init?(station text: String) {
        if let eui = EUI64(text) {
            self = eui
            return
        }
        guard text.utf8.count <= 23 else { return nil }
        let separator: Character = text.contains("-") ? "-" : ":"
        let groups = text.split(separator: separator, omittingEmptySubsequences: false)
        if groups.count == 8, groups.allSatisfy({ $0.utf8.count == 2 }), !groups.contains("") {
            guard let bytes = HexText.bytes(from: groups.joined()) else { return nil }
            self.init(bytes.reduce(0) { $0 << 8 | UInt64($1) })
            return
        }
        guard separator == ":", let value = Self.id6(text) else { return nil }
        self.init(value)
    }

    private static func id6(_ text: String) -> UInt64? {
        // What stands on both sides of the gap; without a gap there is one side.
        var sides: [[UInt64]] = []
        for side in text.split(separator: "::", omittingEmptySubsequences: false) {
            var groups: [UInt64] = []
            for group in side.isEmpty ? [] : side.split(separator: ":", omittingEmptySubsequences: false) {
                guard (1...4).contains(group.utf8.count), group.utf8.allSatisfy({ $0 != UInt8(ascii: "+") }),
                    let number = UInt64(group, radix: 16)
                else { return nil }
                groups.append(number)
            }
            sides.append(groups)
        }
        guard let first = sides.first, sides.count <= 2 else { return nil }
        let last = sides.count == 2 ? sides[1] : []  // safe: as just counted
        let zeros = 4 - first.count - last.count
        guard sides.count == 1 ? zeros == 0 : zeros > 0 else { return nil }
        return (first + [UInt64](repeating: 0, count: zeros) + last).reduce(0) { $0 << 16 | $1 }
    }
}
