/// Lets one warning of a kind through in a while and counts the others: a log that a peer can fill is none.
package struct WarningLimiter<Kind: Hashable & Sendable>: Sendable {
    private struct Entry {
        var nextAt: MonotonicTime
        var held: UInt64 = 0
    }

    private let interval: Duration
    private let limit: Int
    private var entries: [Kind: Entry] = [:]
    /// Warnings held back that no entry counts: of kinds that found no place, or had to make room.
    private var others: UInt64 = 0

    /// - Parameters:
    ///   - interval: between two warnings of a kind.
    ///   - kinds: that are told apart within an interval. Where peers choose the kinds, as by their address, more are
    ///     held back, and counted with the next warning of a new kind.
    package init(every interval: Duration, kinds: Int = 1000) {
        self.interval = interval
        limit = kinds
    }

    /// - Returns: nil when this warning is to be held back, else how many were since the last that was not.
    package mutating func admit(_ kind: Kind, at now: MonotonicTime) -> UInt64? {
        if let known = entries[kind] {
            guard known.nextAt <= now else {
                entries[kind]?.held += 1
                return nil
            }
            entries[kind] = Entry(nextAt: now + interval)
            return known.held
        }
        if entries.count >= limit { makeRoom(now) }
        guard entries.count < limit else {
            others += 1
            return nil
        }
        entries[kind] = Entry(nextAt: now + interval)
        defer { others = 0 }
        return others
    }

    /// Forgets the kinds of which a warning would be let through anyway.
    private mutating func makeRoom(_ now: MonotonicTime) {
        for (kind, entry) in entries where entry.nextAt <= now {
            others += entry.held
            entries[kind] = nil
        }
    }
}
