/// A QR code (ISO/IEC 18004) for an address that a phone is to open: byte mode, versions 1 to 10.
///
/// ```swift
/// for line in try QRCode(text: "http://192.168.1.20:8080/#token=...").terminalLines() { print(line) }
/// ```
public struct QRCode: Sendable, Hashable {
    /// How much of the symbol may be unreadable.
    public enum ErrorCorrection: Sendable, Hashable {
        /// About 7 percent; at most 271 bytes.
        case low
        /// About 15 percent; at most 213 bytes.
        case medium
    }

    /// The version, 1 to 10: the symbol has 17 + 4 * version modules on a side.
    public let version: Int
    /// The mask that was applied, 0 to 7.
    public let mask: Int
    /// The rows from top to bottom; true is dark. Without the quiet zone of 4 light modules around it.
    public let modules: [[Bool]]

    /// The number of modules on a side.
    public var size: Int { modules.count }

    /// Encodes a text as UTF-8 in the smallest version that holds it.
    ///
    /// Throws `.limitExceeded` when the text has more bytes than ``ErrorCorrection`` says.
    public init(text: String, errorCorrection: ErrorCorrection = .medium) throws(DeviceError) {
        try self.init(text: text, errorCorrection: errorCorrection, mask: nil)
    }

    /// With a given mask (0 to 7), for tests; nil chooses the one with the least penalty.
    init(text: String, errorCorrection: ErrorCorrection, mask: Int?) throws(DeviceError) {
        let bytes = Array(text.utf8)
        let layout = try QRLayout.smallest(for: bytes.count, errorCorrection)
        var plain = QRMatrix(version: layout.version)
        plain.place(layout.codewords(bytes))
        var best: (mask: Int, penalty: Int, modules: [[Bool]])?
        for candidate in mask.map({ $0...$0 }) ?? 0...7 {
            var matrix = plain
            matrix.apply(mask: candidate, errorCorrection)
            let penalty = QRPenalty.total(matrix.modules)
            if penalty < best?.penalty ?? .max { best = (candidate, penalty, matrix.modules) }
        }
        self.version = layout.version
        self.mask = best?.mask ?? 0
        self.modules = best?.modules ?? []
    }

    /// Whether the module is dark; outside the symbol it is light.
    public subscript(row: Int, column: Int) -> Bool {
        // safe: both are looked up before
        modules.indices.contains(row) && modules.indices.contains(column) && modules[row][column]
    }

    /// The symbol and its quiet zone as lines for a terminal, two rows of modules in each.
    ///
    /// Colours are set on each line (black and white of the 256-colour palette, which themes leave alone), so that it
    /// reads on dark and on light terminals. A line takes `size + 8` columns.
    public func terminalLines() -> [String] {
        let quiet = 4
        return stride(from: -quiet, to: size + quiet, by: 2).map { row in
            let cells = (-quiet..<size + quiet).map { column -> Character in
                switch (self[row, column], self[row + 1, column]) {
                case (true, true): "█"
                case (true, false): "▀"
                case (false, true): "▄"
                case (false, false): " "
                }
            }
            return "\u{1B}[38;5;16;48;5;231m" + String(cells) + "\u{1B}[0m"
        }
    }
}
