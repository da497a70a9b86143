/// Lets one warning of each kind through in a second, and tells with the next one how many were left out.
struct WarningLimiter: Sendable {
    enum Kind: Hashable, Sendable {
        case noCommand
        case unknownLED
        case cannotSwitch
        case refusedByScript
    }

    private struct Entry {
        var last: ContinuousClock.Instant
        var suppressed = 0
    }

    private var entries: [Kind: Entry] = [:]

    /// - Returns: the text to print, or nil when this one is only counted.
    mutating func admit(_ kind: Kind, _ text: String, now: ContinuousClock.Instant) -> String? {
        if let entry = entries[kind], now - entry.last < .seconds(1) {
            entries[kind]?.suppressed += 1
            return nil
        }
        let suppressed = entries[kind]?.suppressed ?? 0
        entries[kind] = Entry(last: now)
        return suppressed == 0 ? text : "\(text) (\(suppressed) more like this were left out.)"
    }
}
