/// Lets one warning of a kind through in a while and counts the others: a log that a peer can fill is none.
package struct WarningLimiter<Kind: Hashable & Sendable>: Sendable {
    private struct Entry {
        var nextAt: MonotonicTime
        var held: UInt64 = 0
    }

    private let interval: Duration
    private var entries: [Kind: Entry] = [:]

    /// - Parameter interval: between two warnings of a kind. Kinds are the program's own, so that their number is small.
    package init(every interval: Duration) { self.interval = interval }

    /// - Returns: nil when this warning is to be held back, else how many were since the last that was not.
    package mutating func admit(_ kind: Kind, at now: MonotonicTime) -> UInt64? {
        if let known = entries[kind], now < known.nextAt {
            entries[kind]?.held += 1
            return nil
        }
        let held = entries[kind]?.held ?? 0
        entries[kind] = Entry(nextAt: now + interval)
        return held
    }
}
