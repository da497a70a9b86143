/// Durations on the command line.
package enum DurationText {
    /// Reads `500ms`, `10s`, `2m` or `1h`. Throws `.invalidArgument`.
    package static func parse(_ text: String) throws(DeviceError) -> Duration {
        let units: [(String, Double)] = [("ms", 0.001), ("s", 1), ("m", 60), ("h", 3600)]
        for (unit, seconds) in units where text.hasSuffix(unit) {
            guard let number = Double(text.dropLast(unit.count)), number >= 0, number * seconds <= 1e9 else { continue }
            return .seconds(number * seconds)
        }
        throw DeviceError(
            .invalidArgument, "\"\(text.prefix(40))\" is not a duration", hint: "Write 500ms, 10s, 2m or 1h")
    }
}
