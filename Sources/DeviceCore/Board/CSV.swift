/// Reads the comma separated values of the board tables (RFC 4180 without line breaks in fields).
enum CSV {
    /// The fields of one line.
    static func fields(_ line: Substring) -> [String] {
        var fields: [String] = []
        var field = ""
        var quoted = false
        for character in line {
            switch character {
            case "\"": quoted.toggle()
            case "," where !quoted:
                fields.append(field)
                field = ""
            default: field.append(character)
            }
        }
        fields.append(field)
        return fields
    }

    /// The rows below the heading, each with as many fields as the heading; other rows are left out.
    static func rows(_ text: String) -> [[String]] {
        let lines = text.split(whereSeparator: \.isNewline)
        guard let heading = lines.first else { return [] }
        let width = fields(heading).count
        return lines.dropFirst().map(fields).filter { $0.count == width }
    }
}
