/// How a program says which GPIO line it means.
///
/// There is no address by chip number (`gpiochip4`): those change between kernels.
public enum LineAddress: Hashable, Sendable {
    /// The pin of the board's header.
    case pin(Int)
    /// The line's name: `GPIO17`, or the name in the board's documentation, `GPIO4_C2`.
    case name(String)
    /// The label of the chip and the line's offset in it: `pinctrl-bcm2711:17`.
    case offset(chip: String, offset: Int)

    /// Reads `GPIO17`, `pin11` or `label:offset`; nil where the text is none of them.
    public init?(_ text: String) {
        guard !text.isEmpty, text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else { return nil }
        let lower = text.lowercased()
        if lower.hasPrefix("pin"), let number = Int(lower.dropFirst(3)), number > 0 {
            self = .pin(number)
        } else if let colon = text.lastIndex(of: ":") {
            guard let offset = Int(text[text.index(after: colon)...]), offset >= 0, colon > text.startIndex else {
                return nil
            }
            self = .offset(chip: String(text[..<colon]), offset: offset)
        } else {
            self = .name(text)
        }
    }
}

extension LineAddress: CustomStringConvertible, ExpressibleByStringLiteral {
    /// The address as ``init(_:)`` reads it.
    public var description: String {
        switch self {
        case .pin(let number): "pin\(number)"
        case .name(let name): name
        case .offset(let chip, let offset): "\(chip):\(offset)"
        }
    }

    /// `"GPIO17"`, `"pin11"` or `"label:offset"` in a program's text; anything else is taken as a line's name, which
    /// is then not found.
    public init(stringLiteral value: String) { self = LineAddress(value) ?? .name(value) }
}
