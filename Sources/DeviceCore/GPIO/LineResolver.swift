/// Finds the line that an address means among a machine's chips.
///
/// A header pin is looked up by the name of its line first, then by chip label and offset, because mainline kernels
/// name some header lines by their function (`SDA1` for GPIO2).
public struct LineResolver: Sendable {
    /// The board whose pins are meant.
    public let board: Board
    /// The chips of the machine.
    public let chips: [GPIOChip]

    /// Makes a resolver.
    public init(board: Board, chips: [GPIOChip]) {
        self.board = board
        self.chips = chips
    }

    /// The line at an address, or an error that says what to do instead.
    public func find(_ address: LineAddress) throws(DeviceError) -> GPIOLine {
        guard !chips.isEmpty else { throw GPIOError.noChips() }
        switch address {
        case .pin(let number): return try findPin(number)
        case .name(let name): return try findName(name)
        case .offset(let label, let offset): return try findOffset(label, offset)
        }
    }

    private func findPin(_ number: Int) throws(DeviceError) -> GPIOLine {
        guard let pin = board.pin(number) else { throw GPIOError.unknownPin(number, board: board) }
        guard pin.isGPIO, let label = pin.chip, let offset = pin.offset else {
            throw GPIOError.notGPIO(pin, board: board)
        }
        if let name = pin.lineName {
            let named = lines(named: name)
            if let line = named.first(where: { $0.chip == label }) ?? (named.count == 1 ? named.first : nil) {
                return GPIOLine(
                    chip: line.chip, device: line.device, offset: line.offset, name: line.name, pin: number)
            }
        }
        return try findOffset(label, offset)
    }

    private func findName(_ name: String) throws(DeviceError) -> GPIOLine {
        let found = lines(named: name)
        if found.count == 1, let line = found.first { return line }
        if found.count > 1 {
            // The header is meant where one of them is on it.
            if let line = found.first(where: { $0.pin != nil }) { return line }
            throw GPIOError.ambiguousName(name, found)
        }
        if let pin = board.pin(named: name) { return try findPin(pin.number) }
        throw GPIOError.unknownName(name, self)
    }

    private func findOffset(_ label: String, _ offset: Int) throws(DeviceError) -> GPIOLine {
        let found = chips.filter { $0.label == label }
        guard let chip = found.first else { throw GPIOError.unknownChip(label, chips) }
        guard found.count == 1 else { throw GPIOError.ambiguousChip(label, found.count) }
        guard chip.lineNames.indices.contains(offset) else {
            throw DeviceError(
                .invalidArgument, "chip \(label) has no line \(offset)",
                hint: "Its lines are 0 to \(chip.lineNames.count - 1)")
        }
        return line(chip, offset)
    }

    private func lines(named name: String) -> [GPIOLine] {
        guard !name.isEmpty, name != "-" else { return [] }
        return chips.flatMap { chip in
            chip.lineNames.indices.filter { chip.lineNames[$0] == name }.map { line(chip, $0) }  // safe: own indices
        }
    }

    private func line(_ chip: GPIOChip, _ offset: Int) -> GPIOLine {
        GPIOLine(
            chip: chip.label, device: chip.device, offset: offset,
            name: chip.lineNames[offset],  // safe: callers pass offsets of this chip
            pin: board.pin(chip: chip.label, offset: offset)?.number)
    }
}
