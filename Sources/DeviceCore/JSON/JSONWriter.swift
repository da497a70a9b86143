/// Writes JSON on one line, without spaces, so that it is a record of a JSON-lines stream.
///
/// Besides what RFC 8259 asks for, every control character (C0, DEL, C1) and the line separators
/// U+2028 and U+2029 are escaped: a name that a peer chose can neither split the line nor steer a terminal.
public enum JSONWriter {
    /// The string in quotes, escaped.
    public static func quoted(_ string: some StringProtocol) -> String {
        var text = ""
        appendQuoted(string, to: &text)
        return text
    }

    /// Appends the string in quotes, escaped.
    public static func appendQuoted(_ string: some StringProtocol, to text: inout String) {
        text.append("\"")
        defer { text.append("\"") }
        // Nearly all strings are printable ASCII, which is appended as a whole.
        if string.utf8.allSatisfy({ (0x20..<0x7F).contains($0) && $0 != 0x22 && $0 != 0x5C }) {
            return text.append(contentsOf: string)
        }
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"": text.append("\\\"")
            case "\\": text.append("\\\\")
            case "\n": text.append("\\n")
            case "\r": text.append("\\r")
            case "\t": text.append("\\t")
            case "\0"..<" ", "\u{7F}"..."\u{9F}", "\u{2028}", "\u{2029}":
                let digits = String(scalar.value, radix: 16)
                text.append("\\u" + String(repeating: "0", count: 4 - digits.count) + digits)
            default: text.unicodeScalars.append(scalar)
            }
        }
    }

    /// Appends the value. A `Double` that is not finite, which JSON cannot say, becomes `null`.
    public static func append(_ value: JSONValue, to text: inout String) {
        switch value {
        case .null: text.append("null")
        case .bool(let value): text.append(value ? "true" : "false")
        case .integer(let value): text.append(value.description)
        case .unsigned(let value): text.append(value.description)
        case .number(let value): text.append(value.isFinite ? value.description : "null")
        case .string(let value): appendQuoted(value, to: &text)
        case .array(let elements):
            text.append("[")
            var separator = ""
            for element in elements {
                text.append(separator)
                append(element, to: &text)
                separator = ","
            }
            text.append("]")
        case .object(let members):
            text.append("{")
            var separator = ""
            for (key, value) in members {
                text.append(separator)
                appendQuoted(key, to: &text)
                text.append(":")
                append(value, to: &text)
                separator = ","
            }
            text.append("}")
        }
    }
}

extension JSONValue: CustomStringConvertible {
    /// The value as compact JSON on one line.
    public var description: String {
        var text = ""
        JSONWriter.append(self, to: &text)
        return text
    }
}

extension JSONObject: CustomStringConvertible {
    /// The object as compact JSON on one line.
    public var description: String { JSONValue.object(self).description }
}
