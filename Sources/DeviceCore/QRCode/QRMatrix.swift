/// The modules of a symbol while it is drawn. Every index stems from the version, never from input.
struct QRMatrix {
    private(set) var modules: [[Bool]]
    /// Modules that hold no data and are not masked.
    private var isReserved: [[Bool]]
    private let version: Int
    private var size: Int { modules.count }

    /// Draws the function patterns and reserves the room for format and version information.
    init(version: Int) {
        self.version = version
        let size = 17 + 4 * version
        modules = Array(repeating: Array(repeating: false, count: size), count: size)
        isReserved = modules
        for index in 0..<size {
            set(6, index, index % 2 == 0)
            set(index, 6, index % 2 == 0)
        }
        for (row, column) in [(3, 3), (3, size - 4), (size - 4, 3)] { drawFinder(row, column) }
        drawAlignment()
        drawFormat(0)
        if version >= 7 { drawVersion() }
    }

    private mutating func set(_ row: Int, _ column: Int, _ isDark: Bool) {
        modules[row][column] = isDark  // safe: from the version
        isReserved[row][column] = true  // safe: from the version
    }

    /// The square around that centre, with its light border.
    private mutating func drawFinder(_ row: Int, _ column: Int) {
        for y in max(0, row - 4)...min(size - 1, row + 4) {
            for x in max(0, column - 4)...min(size - 1, column + 4) {
                let distance = max(abs(y - row), abs(x - column))
                set(y, x, distance != 2 && distance != 4)
            }
        }
    }

    private mutating func drawAlignment() {
        guard version >= 2 else { return }
        // Table E.1: up to version 6 one row, from 7 on three.
        let last = size - 7
        let centres = version < 7 ? [6, last] : [6, (last + 6) / 2, last]
        for row in centres {
            // Not where the finders are.
            for column in centres
            where (row, column) != (6, 6) && (row, column) != (6, last) && (row, column) != (last, 6) {
                for y in -2...2 {
                    for x in -2...2 { set(row + y, column + x, max(abs(x), abs(y)) != 1) }
                }
            }
        }
    }

    /// The 15 bits of level and mask, twice, and the module that is always dark (7.9).
    private mutating func drawFormat(_ bits: Int) {
        func bit(_ index: Int) -> Bool { bits >> index & 1 == 1 }
        for index in 0..<15 {
            // Around the top left finder, past the timing patterns; beside the other two.
            switch index {
            case 0..<6: set(index, 8, bit(index))
            case 6..<8: set(index + 1, 8, bit(index))
            case 8: set(8, 7, bit(index))
            default: set(8, 14 - index, bit(index))
            }
            if index < 8 {
                set(8, size - 1 - index, bit(index))
            } else {
                set(size - 15 + index, 8, bit(index))
            }
        }
        set(size - 8, 8, true)
    }

    /// The version, twice (7.10).
    private mutating func drawVersion() {
        let bits = version << 12 | Self.remainder(version, 12, polynomial: 0x1F25)
        for index in 0..<18 {
            let isDark = bits >> index & 1 == 1
            set(index / 3, size - 11 + index % 3, isDark)
            set(size - 11 + index % 3, index / 3, isDark)
        }
    }

    /// The remainder of `value * x^degree` over GF(2): the BCH codes of format and version.
    private static func remainder(_ value: Int, _ degree: Int, polynomial: Int) -> Int {
        var rest = value
        for _ in 0..<degree { rest = rest << 1 ^ (rest >> (degree - 1) & 1) * polynomial }
        return rest
    }

    /// Places the bits in columns of two, from the lower right corner up and down (7.7.3). What is left stays light.
    mutating func place(_ codewords: [UInt8]) {
        var bits = codewords.lazy.flatMap { byte in (0..<8).lazy.map { byte >> (7 - $0) & 1 == 1 } }.makeIterator()
        var isUpward = true
        // Column 6 is the timing pattern, and no column of data.
        for right in Array(stride(from: size - 1, to: 6, by: -2)) + Array(stride(from: 5, to: 0, by: -2)) {
            for step in 0..<size {
                let row = isUpward ? size - 1 - step : step
                for column in [right, right - 1] where !isReserved[row][column] {  // safe: from the version
                    modules[row][column] = bits.next() ?? false  // safe: from the version
                }
            }
            isUpward.toggle()
        }
    }

    /// Inverts the data where the mask says so, and writes down which mask it was.
    mutating func apply(mask: Int, _ level: QRCode.ErrorCorrection) {
        for row in 0..<size {
            for column in 0..<size where !isReserved[row][column] {  // safe: from the version
                if Self.isMasked(mask, row, column) { modules[row][column].toggle() }  // safe: from the version
            }
        }
        let data = (level == .low ? 0b01 : 0b00) << 3 | mask
        drawFormat((data << 10 | Self.remainder(data, 10, polynomial: 0x537)) ^ 0x5412)
    }

    /// Table 10.
    private static func isMasked(_ mask: Int, _ row: Int, _ column: Int) -> Bool {
        switch mask {
        case 0: (row + column) % 2 == 0
        case 1: row % 2 == 0
        case 2: column % 3 == 0
        case 3: (row + column) % 3 == 0
        case 4: (row / 2 + column / 3) % 2 == 0
        case 5: row * column % 2 + row * column % 3 == 0
        case 6: (row * column % 2 + row * column % 3) % 2 == 0
        default: ((row + column) % 2 + row * column % 3) % 2 == 0
        }
    }
}
