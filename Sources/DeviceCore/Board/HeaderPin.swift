/// One pin of a board's 40-pin header.
public struct HeaderPin: Hashable, Sendable {
    /// What a pin is.
    public enum Kind: String, Hashable, Sendable {
        /// A line of a GPIO chip.
        case gpio
        /// A supply voltage.
        case power
        /// Ground.
        case ground
        /// An analogue input.
        case adc
        /// Not connected.
        case unconnected = "nc"
    }

    /// The pin's number on the header, 1 to 40.
    public let number: Int
    /// What the pin is.
    public let kind: Kind
    /// Its name in the board's documentation: `GPIO17`, `GPIO4_C2`, `GND`, `3V3`.
    public let signal: String
    /// The label of its GPIO chip, such as `pinctrl-bcm2711`; nil where it is no GPIO.
    public let chip: String?
    /// Its offset in that chip.
    public let offset: Int?
    /// The name that the board's own kernel gives the line; nil where it gives none (ROCK boards).
    public let lineName: String?
    /// The pull resistor after reset, where known.
    public let defaultPull: Bias?
    /// The level or supply voltage as the table says it: `3V3`, `3V0`, `1V8`, `5V`, `GND`.
    public let volts: String
    /// What else the pin can be, as one line of text; may be empty.
    public let alternates: String

    /// Whether a program can switch or read the pin.
    public var isGPIO: Bool { kind == .gpio }

    /// Makes a pin.
    public init(
        number: Int, kind: Kind, signal: String, chip: String? = nil, offset: Int? = nil, lineName: String? = nil,
        defaultPull: Bias? = nil, volts: String = "", alternates: String = ""
    ) {
        self.number = number
        self.kind = kind
        self.signal = signal
        self.chip = chip
        self.offset = offset
        self.lineName = lineName
        self.defaultPull = defaultPull
        self.volts = volts
        self.alternates = alternates
    }
}
