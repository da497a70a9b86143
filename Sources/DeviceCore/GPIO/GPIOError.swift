/// The sentences of GPIO errors, in one place, so that every backend says the same.
package enum GPIOError {
    /// No chip was found.
    package static func noChips() -> DeviceError {
        DeviceError(
            .notFound, "this machine has no GPIO chip (/dev/gpiochip*)",
            hint: "Use a simulated board, or enable the board's GPIO driver")
    }

    /// This user may not open a chip.
    package static func permission(_ device: String) -> DeviceError {
        DeviceError(
            .permission, "no permission to open \(device)",
            hint: "Add yourself to the group gpio with `sudo usermod -aG gpio $USER`, then log in again")
    }

    /// Another user owns the line.
    package static func busy(_ line: GPIOLine, owner: String?, board: Board) -> DeviceError {
        let by = owner.map { "in use by \"\($0)\"" } ?? "in use by the kernel or another program"
        var hint = "Stop that program or choose another line"
        let user = owner?.lowercased() ?? ""
        if board.leds.contains(where: { $0.chip == line.chip && $0.offset == line.offset }) {
            hint = "It drives an LED on the board: use OnboardLED"
        } else if user.hasPrefix("spi") {
            hint = "Turn the SPI bus off (dtparam=spi=off or its overlay) or choose another line"
        } else if user.hasPrefix("i2c") || user.contains("w1") || user.contains("onewire") {
            hint = "Remove the bus's overlay from the boot configuration or choose another line"
        }
        return DeviceError(.busy, "line \(line) is \(by)", hint: hint)
    }

    /// The board has no such pin.
    static func unknownPin(_ number: Int, board: Board) -> DeviceError {
        guard let last = board.header.last?.number else {
            return DeviceError(
                .notFound, "the header of this machine (\(board.model)) is not known, so pin \(number) is not either",
                hint: "Name the line (GPIO17) or give its chip's label and offset (label:offset)")
        }
        return DeviceError(
            .invalidArgument, "\(board.model) has no pin \(number)", hint: "Its pins are 1 to \(last)")
    }

    /// The pin is a supply, ground or analogue input.
    static func notGPIO(_ pin: HeaderPin, board: Board) -> DeviceError {
        let what =
            switch pin.kind {
            case .power: "a supply (\(pin.signal))"
            case .ground: "ground (GND)"
            case .adc: "an analogue input (\(pin.signal))"
            case .unconnected: "not connected"
            case .gpio: "a GPIO whose line is not known"
            }
        let near = board.header.filter(\.isGPIO)
            .sorted { abs($0.number - pin.number) < abs($1.number - pin.number) }
            .prefix(3).sorted { $0.number < $1.number }
            .map { "\($0.number) (\($0.signal))" }.joined(separator: ", ")
        return DeviceError(
            .invalidArgument, "pin \(pin.number) of \(board.model) is \(what), not a GPIO",
            hint: near.isEmpty ? nil : "GPIO pins near it: \(near)")
    }

    /// No line has the name.
    static func unknownName(_ name: String, _ resolver: LineResolver) -> DeviceError {
        if name.hasPrefix("gpiochip") { return unknownChip(name, resolver.chips) }
        let known =
            resolver.chips.flatMap { $0.lineNames.compactMap { $0 } }
            + resolver.board.header.filter(\.isGPIO).map(\.signal)
        let close = EditDistance.closest(to: name, among: known, limit: 3)
        let hint =
            close.isEmpty
            ? "Use a line's name, a header pin (pin11) or a chip's label and offset (label:offset)"
            : "Close names: \(close.joined(separator: ", "))"
        return DeviceError(.notFound, "no GPIO line is called \"\(name)\"", hint: hint)
    }

    /// No chip has the label.
    static func unknownChip(_ label: String, _ chips: [GPIOChip]) -> DeviceError {
        let labels = chips.map(\.label).joined(separator: ", ")
        let numbers = label.hasPrefix("gpiochip") ? "Chip numbers change between kernels; use a label. " : ""
        return DeviceError(
            .notFound, "no GPIO chip has the label \"\(label)\"", hint: "\(numbers)Labels here: \(labels)")
    }

    /// Several chips have the label.
    static func ambiguousChip(_ label: String, _ count: Int) -> DeviceError {
        DeviceError(
            .invalidArgument, "\(count) GPIO chips have the label \"\(label)\"", hint: "Use the line's name instead")
    }

    /// Several lines have the name.
    static func ambiguousName(_ name: String, _ lines: [GPIOLine]) -> DeviceError {
        let places = lines.prefix(4).map { "\($0.chip):\($0.offset)" }.joined(separator: ", ")
        return DeviceError(
            .invalidArgument, "\(lines.count) GPIO lines are called \"\(name)\"", hint: "Say which: \(places)")
    }

    /// The request was closed before.
    package static func closed(_ lines: [GPIOLine]) -> DeviceError {
        let names = lines.map { $0.name ?? "\($0.chip):\($0.offset)" }.joined(separator: ", ")
        return DeviceError(.closed, "\(lines.count == 1 ? "line" : "lines") \(names) was closed")
    }

    /// What a request for lines must satisfy on every backend.
    package static func check(_ lines: [GPIOLine]) throws(DeviceError) {
        guard let first = lines.first, lines.count <= 64 else {
            throw DeviceError(.invalidArgument, "a request has 1 to 64 lines, not \(lines.count)")
        }
        if let other = lines.first(where: { $0.device != first.device }) {
            throw DeviceError(
                .invalidArgument, "lines \(first) and \(other) are on different chips",
                hint: "Request the lines of each chip apart")
        }
        for (index, line) in lines.enumerated() where lines.prefix(index).contains(line) {
            throw DeviceError(.invalidArgument, "line \(line) was given twice")
        }
    }
}
