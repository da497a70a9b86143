import DeviceCore

/// Lets one warning of a kind through in a minute and counts the others: a log that a peer can fill is none.
struct WarningLimiter {
    private struct Kind {
        var nextAt: MonotonicTime
        var held: UInt64 = 0
    }

    private var kinds: [String: Kind] = [:]

    /// - Parameter kind: one of the program's own words, so that there is a small number of them.
    /// - Returns: nil when this warning is to be held back, else how many were since the last that was not.
    mutating func admit(_ kind: String, at now: MonotonicTime) -> UInt64? {
        if var known = kinds[kind], now < known.nextAt {
            known.held += 1
            kinds[kind] = known
            return nil
        }
        let held = kinds[kind]?.held ?? 0
        kinds[kind] = Kind(nextAt: now + .seconds(60))
        return held
    }
}
