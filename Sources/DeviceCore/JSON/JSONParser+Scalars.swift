// Strings and numbers.
extension JSONParser {
    /// The string whose opening quote stands at the position.
    mutating func parseString() throws(DeviceError) -> String {
        let start = position
        position += 1
        var content: [UInt8] = []
        while let byte = current {
            switch byte {
            case UInt8(ascii: "\""):
                guard let string = String(validating: content, as: UTF8.self) else {
                    throw error("this string is not valid UTF-8", at: start, hint: "Save the text as UTF-8")
                }
                position += 1
                return string
            case UInt8(ascii: "\\"):
                try parseEscape(into: &content)
            case UInt8(ascii: "\n"), UInt8(ascii: "\r"):
                throw error(
                    "the string that begins here has no closing quote on its line", at: start,
                    hint: "Write \\n for a line break within a string")
            case 0..<0x20:
                throw error(
                    "\(found) is a control character", hint: "Write \\t for a tab, \\u00XX for the other ones")
            default:
                content.append(byte)
                position += 1
            }
        }
        throw error("the string that begins here has no closing quote", at: start)
    }

    private mutating func parseEscape(into content: inout [UInt8]) throws(DeviceError) {
        let plain: Unicode.Scalar
        switch peek(1) {
        case UInt8(ascii: "\""): plain = "\""
        case UInt8(ascii: "\\"): plain = "\\"
        case UInt8(ascii: "/"): plain = "/"
        case UInt8(ascii: "b"): plain = "\u{8}"
        case UInt8(ascii: "f"): plain = "\u{C}"
        case UInt8(ascii: "n"): plain = "\n"
        case UInt8(ascii: "r"): plain = "\r"
        case UInt8(ascii: "t"): plain = "\t"
        case UInt8(ascii: "u"):
            content.append(contentsOf: String(try parseUnicodeEscape()).utf8)
            return
        default:
            throw error(
                "a backslash cannot stand before this",
                hint: "Write \\\\ for a backslash; \\n, \\t, \\u0000 are escapes")
        }
        content.append(UInt8(ascii: plain))
        position += 2
    }

    /// `\uXXXX`, or two of them that make up one character beyond U+FFFF.
    private mutating func parseUnicodeEscape() throws(DeviceError) -> Character {
        let start = position
        let unit = try parseCodeUnit()
        var value = UInt32(unit)
        if UTF16.isLeadSurrogate(unit), current == UInt8(ascii: "\\"), peek(1) == UInt8(ascii: "u") {
            let trail = try parseCodeUnit()
            if UTF16.isTrailSurrogate(trail) {
                value = 0x10000 + (UInt32(unit & 0x3FF) << 10 | UInt32(trail & 0x3FF))
            }
        }
        guard let scalar = Unicode.Scalar(value) else {
            throw error(
                "this is half of a surrogate pair and no character", at: start,
                hint: "Write both halves, \\uD83D\\uDE00, or the character itself")
        }
        return Character(scalar)
    }

    private mutating func parseCodeUnit() throws(DeviceError) -> UInt16 {
        var unit: UInt16 = 0
        for distance in 2..<6 {
            guard let byte = peek(distance), let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw error("\\u needs four hexadecimal digits")
            }
            unit = unit << 4 | UInt16(digit)
        }
        position += 6
        return unit
    }

    /// The number that begins at the position with a minus sign or a digit.
    mutating func parseNumber() throws(DeviceError) -> JSONValue {
        let start = position
        let negative = current == UInt8(ascii: "-")
        if negative { position += 1 }
        let firstDigit = current
        guard skipDigits() > 0 else { throw error("expected a digit instead of \(found)") }
        if firstDigit == UInt8(ascii: "0"), position - start > (negative ? 2 : 1) {
            throw error(
                "a number cannot begin with 0", at: start, hint: "Remove the zero, or use quotes if it is a name")
        }
        var isWhole = true
        if current == UInt8(ascii: ".") {
            isWhole = false
            position += 1
            guard skipDigits() > 0 else { throw error("expected a digit after the decimal point instead of \(found)") }
        }
        if current == UInt8(ascii: "e") || current == UInt8(ascii: "E") {
            isWhole = false
            position += 1
            if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { position += 1 }
            guard skipDigits() > 0 else { throw error("expected a digit in the exponent instead of \(found)") }
        }
        if let byte = current, byte.isWordCharacter || byte == UInt8(ascii: ".") {
            throw error(
                "\(found) cannot stand in a number", hint: "Numbers are decimal; put anything else into double quotes")
        }
        // No number that means something is longer; a bound keeps the conversion cheap.
        guard position - start <= 1100 else { throw error("this number is too long", at: start) }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)  // safe: position only grows
        // -0 stays a Double: whole numbers have no negative zero.
        if isWhole, text != "-0" {
            if let integer = Int64(text) { return .integer(integer) }
            if let unsigned = UInt64(text) { return .unsigned(unsigned) }
        }
        guard let number = Double(text), number.isFinite else {
            throw error("\(text.count > 40 ? "this number" : text) is too large", at: start)
        }
        return .number(number)
    }

    private mutating func skipDigits() -> Int {
        let start = position
        while let byte = current, byte.isDigit { position += 1 }
        return position - start
    }
}
