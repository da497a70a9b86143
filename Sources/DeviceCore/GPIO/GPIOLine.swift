/// A line that was found on this machine.
public struct GPIOLine: Hashable, Sendable, CustomStringConvertible {
    /// The label of its chip.
    public let chip: String
    /// The chip's device in this boot: `gpiochip0`. For messages and for the kernel, never for a program's settings.
    public let device: String
    /// The line's offset in the chip.
    public let offset: Int
    /// The name that the kernel gives it, where it gives one.
    public let name: String?
    /// Its pin on the board's header, where it is there.
    public let pin: Int?

    /// Makes a line. Backends do; a program gets one from ``GPIOBackend/find(_:)``.
    public init(chip: String, device: String, offset: Int, name: String?, pin: Int?) {
        self.chip = chip
        self.device = device
        self.offset = offset
        self.name = name
        self.pin = pin
    }

    /// For a person: `GPIO17 (pin 11, pinctrl-bcm2711:17)`.
    public var description: String {
        let place = "\(chip):\(offset)"
        guard let name else { return place + (pin.map { " (pin \($0))" } ?? "") }
        return "\(name) (" + (pin.map { "pin \($0), " } ?? "") + place + ")"
    }
}

/// What the kernel knows about a line now.
public struct LineInfo: Hashable, Sendable {
    /// The line.
    public let line: GPIOLine
    /// Who uses it, as the user named itself; nil where nobody does or the name is not known.
    public let consumer: String?
    /// Whether somebody uses it.
    public let isUsed: Bool
    /// Whether it is an output.
    public let isOutput: Bool
    /// Whether a low level counts as active.
    public let isActiveLow: Bool

    /// Makes a line's state.
    public init(line: GPIOLine, consumer: String?, isUsed: Bool, isOutput: Bool, isActiveLow: Bool) {
        self.line = line
        self.consumer = consumer
        self.isUsed = isUsed
        self.isOutput = isOutput
        self.isActiveLow = isActiveLow
    }
}

/// A GPIO chip with the names of its lines.
public struct GPIOChip: Hashable, Sendable {
    /// The driver's label: `pinctrl-bcm2711`.
    public let label: String
    /// The device in this boot: `gpiochip0`.
    public let device: String
    /// The name of each line by its offset, nil for lines without one.
    public let lineNames: [String?]

    /// Makes a chip.
    public init(label: String, device: String, lineNames: [String?]) {
        self.label = label
        self.device = device
        self.lineNames = lineNames
    }
}
