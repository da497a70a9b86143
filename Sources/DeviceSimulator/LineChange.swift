public import DeviceCore

/// A line's level changed on a simulated board.
public struct LineChange: Hashable, Sendable {
    /// The line.
    public let line: GPIOLine
    /// Whether its level is high now (the level on the pin; an active-low LED is lit by a low one).
    public let isHigh: Bool
    /// When, on the board's clock, from the board's making.
    public let time: MonotonicTime
}

/// Keeps the latest changes, up to a limit, and passes them on to those who follow.
struct ChangeRecorder {
    static let limit = 16384
    private(set) var changes: [LineChange] = []
    private(set) var dropped: UInt64 = 0
    var followers: [UInt64: AsyncStream<LineChange>.Continuation] = [:]
    var nextFollower: UInt64 = 0

    mutating func record(_ change: LineChange) {
        if changes.count >= Self.limit {
            // Half at once, so that the cost of moving the others is shared.
            changes.removeFirst(Self.limit / 2)
            dropped += UInt64(Self.limit / 2)
        }
        changes.append(change)
        for follower in followers.values {
            if case .dropped = follower.yield(change) { dropped += 1 }
        }
    }

    mutating func clear() {
        changes = []
        dropped = 0
    }
}
