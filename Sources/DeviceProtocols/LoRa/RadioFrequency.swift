/// A radio frequency in whole Hz, which is as exact as GWMP's six decimals of a MHz are.
public struct RadioFrequency: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The frequency in Hz.
    public var hertz: UInt32

    /// Makes a frequency from Hz.
    public init(hertz: UInt32) { self.hertz = hertz }

    /// The nearest Hz to a number of MHz as a JSON text has it; nil below 1 MHz, above 4294 MHz and for NaN.
    ///
    /// The `Double` that comes from a decimal text with at most six decimals is wrong by less than a millionth of a
    /// Hz in this range, so rounding gives exactly the Hz that were written. Semtech's forwarder truncates instead
    /// and can lose one.
    public init?(megahertz: Double) {
        guard megahertz >= 1, megahertz <= 4294 else { return nil }
        hertz = UInt32(megahertz * 1_000_000 + 0.5)
    }

    /// MHz with six decimals, as in GWMP: `868.100000`. Written from the integer; no `Double` is involved.
    public var megahertzText: String {
        let decimals = String(hertz % 1_000_000)
        return "\(hertz / 1_000_000)." + String(repeating: "0", count: 6 - decimals.count) + decimals
    }

    /// For a person: `868.1 MHz`, `865.0625 MHz`.
    public var description: String {
        var text = megahertzText[...]
        while text.hasSuffix("0"), !text.hasSuffix(".0") { text.removeLast() }
        return text + " MHz"
    }

    /// Order by frequency.
    public static func < (left: RadioFrequency, right: RadioFrequency) -> Bool { left.hertz < right.hertz }
}
