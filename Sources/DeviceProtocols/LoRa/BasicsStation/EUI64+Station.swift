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
        // A gap is two colons with zeros between; what stands around it are up to three groups.
        var sides: [[UInt64]] = [[]]
        var rest = Substring(text)
        if rest.hasPrefix("::") { rest = rest.dropFirst() }
        for (place, group) in rest.split(separator: ":", omittingEmptySubsequences: false).enumerated() {
            if group.isEmpty {
                // `1::` ends with an empty group after the gap's.
                if sides.count == 2, sides[1].isEmpty, text.hasSuffix("::"), place > 0 { continue }
                guard sides.count == 1 else { return nil }
                sides.append([])
                continue
            }
            guard group.utf8.count <= 4, let number = UInt64(group, radix: 16), !group.hasPrefix("+") else {
                return nil
            }
            sides[sides.count - 1].append(number)
        }
        let count = sides.reduce(0) { $0 + $1.count }
        guard sides.count == 1 ? count == 4 : count <= 3 else { return nil }
        let zeros = [UInt64](repeating: 0, count: 4 - count)
        return (sides[0] + zeros + (sides.count == 2 ? sides[1] : [])).reduce(0) { $0 << 16 | $1 }
    }
}
