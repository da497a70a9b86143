import DeviceCore

/// The chips and lines of a simulated board, from its table.
enum SimulatedChips {
    /// How many lines the real chips have; others get as many as the table needs.
    private static let sizes = [
        "pinctrl-bcm2835": 54, "pinctrl-bcm2711": 58, "pinctrl-rp1": 54, "raspberrypi-exp-gpio": 8,
        "gpio0": 32, "gpio1": 32, "gpio2": 32, "gpio3": 32, "gpio4": 32,
    ]

    /// What all boards of a kind begin with. Made once for each: a process may simulate thousands.
    struct Table: Sendable {
        let board: Board
        let chips: [GPIOChip]
        let lines: [SimulatedBoard.Key: SimulatedLine]
    }

    /// Bounded: a program that makes boards up is not remembered beyond this.
    private static let tableLimit = 64
    private static let tables = Locked<[String: Table]>([:])

    static func table(of board: Board) -> Table {
        // A name is no proof: programs make boards up.
        if let known = tables.withLock({ $0[board.name] }), known.board == board { return known }
        let chips = chips(of: board)
        let table = Table(board: board, chips: chips, lines: lines(of: board, chips: chips))
        tables.withLock { tables in
            if tables.count < tableLimit { tables[board.name] = table }
        }
        return table
    }

    static func chips(of board: Board) -> [GPIOChip] {
        board.chips.enumerated().map { number, label in
            let used =
                board.header.filter { $0.chip == label }.compactMap(\.offset)
                + board.leds.filter { $0.chip == label }.map(\.offset)
            let size = max(sizes[label] ?? 0, (used.max() ?? -1) + 1)
            let names = (0..<size).map { board.pin(chip: label, offset: $0)?.lineName }
            return GPIOChip(label: label, device: "gpiochip\(number)", lineNames: names)
        }
    }

    static func lines(of board: Board, chips: [GPIOChip]) -> [SimulatedBoard.Key: SimulatedLine] {
        var lines: [SimulatedBoard.Key: SimulatedLine] = [:]
        for chip in chips {
            for (offset, name) in chip.lineNames.enumerated() {
                let pin = board.pin(chip: chip.label, offset: offset)
                let line = GPIOLine(
                    chip: chip.label, device: chip.device, offset: offset, name: name, pin: pin?.number)
                var simulated = SimulatedLine(line: line, pull: pin?.defaultPull ?? .unchanged)
                if let led = board.leds.first(where: { $0.chip == chip.label && $0.offset == offset }) {
                    // The kernel's LED driver owns it.
                    simulated.consumer = led.name
                    simulated.isUsed = true
                    simulated.isOutput = true
                    simulated.isActiveLow = led.isActiveLow
                }
                lines[SimulatedBoard.Key(line)] = simulated
            }
        }
        return lines
    }
}

/// The lines of one board: those of its kind, and the few that are not as they were at first.
struct BoardLines {
    private let original: [SimulatedBoard.Key: SimulatedLine]
    private var changed: [SimulatedBoard.Key: SimulatedLine] = [:]

    init(_ original: [SimulatedBoard.Key: SimulatedLine]) { self.original = original }

    /// Nil for a line that the board does not have; such a line is not added.
    subscript(key: SimulatedBoard.Key) -> SimulatedLine? {
        get { changed[key] ?? original[key] }
        set { if original[key] != nil { changed[key] = newValue } }
    }
}
