/// What was seen of one stream of numbers: a window for each run of them.
///
/// A sender never keeps messages under way that are further apart than a window, so its numbers are one run, or several
/// when it gave up a thousand and more in between. A number far from all runs was never seen, and begins one of its own:
/// otherwise a single wrong number, far ahead, would turn all that follow into old ones.
struct SequenceRuns: Sendable, Hashable {
    /// Runs that are remembered. A sender's own is always the one used last.
    static let limit = 8
    /// The one used last at the end.
    private(set) var windows: [SequenceWindow] = []

    /// Whether a number was seen, or lies so far back in its run that it cannot be told.
    func contains(_ number: UInt64) -> Bool { window(of: number)?.contains(number) ?? false }

    /// Whether a number lies so far back in its run that it cannot be told.
    func isBelow(_ number: UInt64) -> Bool { window(of: number)?.isBelow(number) ?? false }

    private func window(of number: UInt64) -> SequenceWindow? {
        place(of: number).map { windows[$0] }  // safe: a place of windows
    }

    /// Notes a number; returns whether that changed anything.
    mutating func insert(_ number: UInt64) -> Bool {
        guard let place = place(of: number) else {
            restore(SequenceWindow(first: number))
            return true
        }
        let isNew = windows[place].insert(number)  // safe: a place of windows
        windows.append(windows.remove(at: place))
        return isNew
    }

    /// Adds a run, as it was stored. The one used longest ago makes room.
    mutating func restore(_ window: SequenceWindow) {
        if windows.count >= Self.limit { windows.removeFirst() }
        windows.append(window)
    }

    /// The run that a number belongs to: rather one that it lies in than one that it is near to.
    private func place(of number: UInt64) -> Int? {
        windows.lastIndex { ($0.lowest...$0.highest).contains(number) } ?? windows.lastIndex { $0.reaches(number) }
    }
}
