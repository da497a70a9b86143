public import DeviceCore

/// An LED as the command line names it: `name=Red,color=red,line=GPIO17[,active-low]`.
public struct LEDSpecification: Hashable, Sendable {
    /// The colors that pages and terminals can draw.
    public enum Color: String, Hashable, Sendable, CaseIterable {
        /// Red.
        case red
        /// Yellow.
        case yellow
        /// Green.
        case green
        /// Blue.
        case blue
    }

    /// The longest name, in UTF-8 bytes.
    public static let nameLimit = 32
    /// The most LEDs of one device.
    public static let countLimit = 32

    /// What people call it.
    public var name: String
    /// Its color.
    public var color: Color
    /// Its line.
    public var line: LineAddress
    /// Whether a low level lights it.
    public var isActiveLow: Bool

    /// Makes a specification without checking the name.
    public init(name: String, color: Color, line: LineAddress, isActiveLow: Bool = false) {
        self.name = name
        self.color = color
        self.line = line
        self.isActiveLow = isActiveLow
    }

    /// Red, yellow, green and blue on header pins 11, 13, 15 and 16, which are GPIOs on every known board.
    public static let defaults: [LEDSpecification] = [
        LEDSpecification(name: "Red", color: .red, line: .pin(11)),
        LEDSpecification(name: "Yellow", color: .yellow, line: .pin(13)),
        LEDSpecification(name: "Green", color: .green, line: .pin(15)),
        LEDSpecification(name: "Blue", color: .blue, line: .pin(16)),
    ]

    /// Reads one specification. Throws `.invalidArgument` with the part that is wrong and an example.
    public init(parsing text: String) throws(DeviceError) {
        var values: [String: String] = [:]
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let key = String(pair.first ?? "")
            let value = pair.count == 2 ? String(pair.last ?? "") : nil
            switch (key, value) {
            case ("name", let value?), ("color", let value?), ("line", let value?):
                guard values.updateValue(value, forKey: key) == nil else {
                    throw Self.refuse(text, "\(key) is given twice")
                }
            case ("active-low", nil): values["active-low"] = ""
            case ("active-low", _?): throw Self.refuse(text, "active-low takes no value")
            default: throw Self.refuse(text, "\"\(part)\" is not name=, color=, line= or active-low")
            }
        }
        name = try Self.checkName(values["name"], in: text)
        guard let colorName = values["color"] else { throw Self.refuse(text, "color= is missing") }
        guard let color = Color(rawValue: colorName.lowercased()) else {
            let colors = Color.allCases.map(\.rawValue).joined(separator: ", ")
            throw Self.refuse(text, "color \"\(colorName)\" is not one of \(colors)")
        }
        guard let lineText = values["line"] else { throw Self.refuse(text, "line= is missing") }
        guard let line = LineAddress(lineText) else {
            throw Self.refuse(text, "line \"\(lineText)\" is not a line name, pinN or label:offset")
        }
        self.color = color
        self.line = line
        isActiveLow = values["active-low"] != nil
    }

    /// Reads all `--led` options; none means ``defaults``. Names and lines may not repeat.
    public static func parse(_ texts: [String]) throws(DeviceError) -> [LEDSpecification] {
        guard !texts.isEmpty else { return defaults }
        guard texts.count <= countLimit else {
            throw DeviceError(.invalidArgument, "\(texts.count) LEDs are too many", hint: "At most \(countLimit)")
        }
        var all: [LEDSpecification] = []
        for text in texts {
            let led = try LEDSpecification(parsing: text)
            if all.contains(where: { $0.name == led.name }) {
                throw refuse(text, "another LED is already called \"\(led.name)\"")
            }
            if let other = all.first(where: { $0.line == led.line }) {
                throw refuse(text, "LED \"\(other.name)\" is already on line \(led.line)")
            }
            all.append(led)
        }
        return all
    }

    /// Refuses specifications that mean one line in two ways, such as `GPIO17` and `pin11`.
    public static func checkLines(_ leds: [LEDSpecification], on backend: any GPIOBackend) throws(DeviceError) {
        var owners: [GPIOLine: String] = [:]
        for led in leds {
            let line = try backend.find(led.line)
            // The same line found by name and by pin may differ in what is known of it, not in its place.
            let place = GPIOLine(chip: line.chip, device: line.device, offset: line.offset, name: nil, pin: nil)
            if let other = owners.updateValue(led.name, forKey: place) {
                throw DeviceError(
                    .invalidArgument, "LEDs \"\(other)\" and \"\(led.name)\" are both on line \(line)",
                    hint: "Give each LED a line of its own")
            }
        }
    }

    private static func checkName(_ name: String?, in text: String) throws(DeviceError) -> String {
        guard let name, !name.isEmpty else { throw refuse(text, "name= is missing") }
        guard name.utf8.count <= nameLimit else { throw refuse(text, "the name is longer than \(nameLimit) bytes") }
        guard name.unicodeScalars.allSatisfy({ $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) }) else {
            throw refuse(text, "the name holds control characters")
        }
        return name
    }

    private static func refuse(_ text: String, _ reason: String) -> DeviceError {
        DeviceError(
            .invalidArgument, "LED \"\(text)\": \(reason)",
            hint: "Example: --led name=Red,color=red,line=GPIO17 (or line=pin11, line=label:offset, and ,active-low)")
    }
}
