import DeviceCore

/// Counts the calls of a script's function that are queued and not done, up to a limit.
final class PendingCalls: Sendable {
    private let state = Locked((count: 0, dropped: UInt64(0)))
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    /// Calls that there was no room for.
    var dropped: UInt64 { state.withLock { $0.dropped } }

    /// Makes room for a call; false, and counted, when there is none.
    func begin() -> Bool {
        state.withLock { state in
            guard state.count < limit else {
                state.dropped += 1
                return false
            }
            state.count += 1
            return true
        }
    }

    /// A call is done.
    func end() { state.withLock { $0.count -= 1 } }
}
