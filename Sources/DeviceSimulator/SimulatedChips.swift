import DeviceCore

/// The chips and lines of a simulated board, from its table.
enum SimulatedChips {
    /// How many lines the real chips have; others get as many as the table needs.
    private static let sizes = [
        "pinctrl-bcm2835": 54, "pinctrl-bcm2711": 58, "pinctrl-rp1": 54, "raspberrypi-exp-gpio": 8,
        "gpio0": 32, "gpio1": 32, "gpio2": 32, "gpio3": 32, "gpio4": 32,
    ]

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
