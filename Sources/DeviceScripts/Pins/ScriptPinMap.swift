public import DeviceCore

/// Which line of the board a script's pin number means.
///
/// Scripts for an ESP32 name pins by number. Here a number is Broadcom's, as on every Raspberry Pi: GPIO 17 is pin 11 of
/// the header, and so it is also on a ROCK Pi, where the line at that pin has another name. Settings say otherwise for
/// single numbers.
public struct ScriptPinMap: Sendable {
    /// The header pins of BCM 0 to 27 (the same on all models with 40 pins).
    private static let headerPins = [
        27, 28, 3, 5, 7, 29, 31, 26, 24, 21, 19, 23, 32, 33, 8, 10, 36, 11, 12, 35, 38, 40, 15, 16, 18, 22, 37, 13,
    ]

    private let own: [Int: LineAddress]

    /// A map with exceptions from the rule.
    public init(_ own: [Int: LineAddress] = [:]) { self.own = own }

    /// Reads exceptions as settings have them: `4=GPIO23`, `5=pin29`, `6=gpio4:18`.
    ///
    /// - Throws: `.invalidArgument` with the part that is wrong.
    public init(parsing texts: [String]) throws(DeviceError) {
        var own: [Int: LineAddress] = [:]
        for text in texts {
            let pair = text.split(separator: "=", maxSplits: 1).map(String.init)
            guard pair.count == 2, let first = pair.first, let pin = Int(first), (0...255).contains(pin),
                let last = pair.last, let line = LineAddress(last)
            else {
                throw DeviceError(
                    .invalidArgument, "\"\(text.prefix(100))\" maps no pin of a script",
                    hint: "Example: 4=GPIO23, or 4=pin16, or 4=gpio4:18")
            }
            guard own.updateValue(line, forKey: pin) == nil else {
                throw DeviceError(.invalidArgument, "pin \(pin) of scripts is mapped twice")
            }
        }
        self.init(own)
    }

    /// The line of a number, or nil for one that no header pin has.
    public func line(of pin: Int) -> LineAddress? {
        if let line = own[pin] { return line }
        return Self.headerPins.indices.contains(pin) ? .pin(Self.headerPins[pin]) : nil  // safe: checked before
    }
}
