/// How hard a symbol is to read; the mask with the least is chosen (ISO/IEC 18004, 7.8.3).
enum QRPenalty {
    /// The sum of the four rules.
    static func total(_ rows: [[Bool]]) -> Int {
        let columns = rows.indices.map { column in rows.map { $0[column] } }  // safe: as many columns as rows
        let lines = rows + columns
        return lines.reduce(0) { $0 + runs($1) + finders($1) } + squares(rows) + balance(rows)
    }

    /// Five and more of one colour in a line: 3, and one for each further.
    private static func runs(_ line: [Bool]) -> Int {
        var penalty = 0
        var length = 0
        var previous: Bool?
        for module in line {
            length = module == previous ? length + 1 : 1
            previous = module
            if length == 5 { penalty += 3 } else if length > 5 { penalty += 1 }
        }
        return penalty
    }

    /// What looks like a finder, 1:1:3:1:1 with four light modules before or after it: 40. Beyond the edge it is light.
    static func finders(_ line: [Bool]) -> Int {
        var penalty = 0
        var window = 0
        let quiet = Array(repeating: false, count: 4)
        for (index, module) in (quiet + line + quiet).enumerated() {
            window = (window << 1 | (module ? 1 : 0)) & 0x7FFF
            let isAlone = window >> 11 == 0 || window & 0xF == 0
            if index >= 14, isAlone, window >> 4 & 0x7F == 0b101_1101 { penalty += 40 }
        }
        return penalty
    }

    /// Squares of two by two of one colour: 3 each.
    private static func squares(_ rows: [[Bool]]) -> Int {
        var penalty = 0
        for (upper, lower) in zip(rows, rows.dropFirst()) {
            for (left, right) in zip(zip(upper, lower), zip(upper, lower).dropFirst())
            where left.0 == left.1 && left.0 == right.0 && left.0 == right.1 { penalty += 3 }
        }
        return penalty
    }

    /// For each 5 percent that the share of dark modules is off one half: 10.
    private static func balance(_ rows: [[Bool]]) -> Int {
        let total = rows.count * rows.count
        let dark = rows.reduce(0) { $0 + $1.count { $0 } }
        return total == 0 ? 0 : abs(dark * 20 - total * 10) / total * 10
    }
}
