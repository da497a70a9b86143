/// What is known about a kind of board: its names, its header and the LEDs soldered onto it.
public struct Board: Hashable, Sendable {
    /// A LED on the board that the kernel drives, found under `/sys/class/leds`.
    public struct LED: Hashable, Sendable {
        /// Its name under `/sys/class/leds`: `ACT`, `blue:status`.
        public let name: String
        /// The label of the GPIO chip that it hangs on.
        public let chip: String
        /// Its offset in that chip.
        public let offset: Int
        /// Whether a low level lights it.
        public let isActiveLow: Bool
        /// What drives it after boot: `mmc0`, `heartbeat`, `default-on`, `none`.
        public let defaultTrigger: String
    }

    /// The short name: `rpi4`, `rockpi4b`.
    public let name: String
    /// The name that a person knows: `Raspberry Pi 4 Model B`.
    public let model: String
    /// The entries of `/proc/device-tree/compatible`, most specific first.
    public let compatible: [String]
    /// The labels of the GPIO chips that serve the header and the LEDs.
    public let chips: [String]
    /// The LEDs on the board.
    public let leds: [LED]
    /// The pins of the header in the order of their numbers; empty for a machine without a known header.
    public let header: [HeaderPin]

    /// Makes a board that the tables do not know.
    public init(
        name: String, model: String, compatible: [String] = [], chips: [String] = [], leds: [LED] = [],
        header: [HeaderPin] = []
    ) {
        self.name = name
        self.model = model
        self.compatible = compatible
        self.chips = chips
        self.leds = leds
        self.header = header
    }

    /// A machine that is none of the known boards: lines can be used by name or by label and offset only.
    public static func unknown(model: String) -> Board {
        Board(name: "unknown", model: model.isEmpty ? "unknown machine" : model)
    }

    /// Whether the GPIO driver accepts a pull resistor and does nothing (Rockchip): inputs need one outside.
    public var ignoresBias: Bool { compatible.contains { $0.hasPrefix("rockchip,") } }

    /// The header pin with this number, or nil.
    public func pin(_ number: Int) -> HeaderPin? { header.first { $0.number == number } }

    /// The header pin of a GPIO line, or nil where the line is not on the header.
    public func pin(chip: String, offset: Int) -> HeaderPin? {
        header.first { $0.isGPIO && $0.chip == chip && $0.offset == offset }
    }

    /// The header pin that the board's documentation or kernel calls so, without regard to case, or nil.
    public func pin(named name: String) -> HeaderPin? {
        let wanted = name.lowercased()
        return header.first { pin in
            pin.isGPIO && (pin.lineName?.lowercased() == wanted || pin.signal.lowercased() == wanted)
        }
    }
}

extension Board {
    /// Every board of the tables, in their order.
    public static let all: [Board] = CSV.rows(BoardTables.boards).compactMap(Board.init(row:))

    /// The board with this short name, without regard to case, or an error that lists the names.
    public static func named(_ name: String) throws(DeviceError) -> Board {
        if let board = all.first(where: { $0.name == name.lowercased() }) { return board }
        let names = all.map(\.name).joined(separator: ", ")
        throw DeviceError(.notFound, "there is no board \"\(name)\"", hint: "Known boards: \(names)")
    }

    /// The board that fits the entries of a device tree's `compatible`, or nil.
    ///
    /// Only a board's first entry counts: the others name its family, which boards with other headers share.
    public static func matching(compatible: [String]) -> Board? {
        for entry in compatible {
            if let board = all.first(where: { $0.compatible.first == entry }) { return board }
        }
        return nil
    }

    /// A row of boards.csv, with the header of the table that its name selects.
    init?(row: [String]) {
        guard row.count == 5 else { return nil }
        let name = row[0]  // safe: five fields
        let model = row[1]  // safe: five fields
        let revision = model.range(ofSuffixStartingWith: " Rev ")
        self.init(
            name: name,
            model: String(revision.map { model[..<$0] } ?? model[...]),
            compatible: row[2].split(separator: ";").map(String.init),  // safe: five fields
            chips: row[3].split(separator: ";").map(String.init),  // safe: five fields
            leds: row[4].split(separator: ";").compactMap(LED.init(entry:)),  // safe: five fields
            header: CSV.rows(BoardTables.headers[name] ?? "").compactMap(HeaderPin.init(row:)))
    }
}

extension Board.LED {
    /// An entry such as `PWR=raspberrypi-exp-gpio:2:1:default-on`; the name may hold colons.
    init?(entry: Substring) {
        guard let equals = entry.firstIndex(of: "=") else { return nil }
        let fields = entry[entry.index(after: equals)...].split(separator: ":", omittingEmptySubsequences: false)
        guard fields.count == 4, let offset = Int(fields[1]) else { return nil }  // safe: four fields
        name = String(entry[..<equals])
        chip = String(fields[0])  // safe: four fields
        self.offset = offset
        isActiveLow = fields[2] == "1"  // safe: four fields
        defaultTrigger = String(fields[3])  // safe: four fields
    }
}

extension HeaderPin {
    /// A row of a board's table.
    init?(row: [String]) {
        guard row.count == 11, let number = Int(row[1]), let kind = Kind(rawValue: row[2]) else {  // safe: 11 fields
            return nil
        }
        func text(_ column: Int) -> String? { row[column].isEmpty ? nil : row[column] }  // safe: 11 fields
        let pull: Bias? =
            switch text(8) {
            case "up": .pullUp
            case "down": .pullDown
            case "none": .disabled
            default: nil
            }
        self.init(
            number: number, kind: kind, signal: row[3], chip: text(4), offset: text(5).flatMap { Int($0) },
            lineName: text(6), defaultPull: pull, volts: row[9], alternates: row[10])  // safe: 11 fields
    }
}

extension String {
    /// Where the last occurrence of `marker` begins.
    func range(ofSuffixStartingWith marker: String) -> Index? {
        indices.last { self[$0...].hasPrefix(marker) }
    }
}
