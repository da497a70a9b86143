import DeviceCore

/// When a level trigger calls: at once, and then every so often while the level stays. No I/O.
struct LevelRepeater {
    /// Between two calls. An ESP32 would call without a pause, which no script can want.
    static let interval = Duration.milliseconds(10)

    private let trigger: GPIOTrigger
    private var level: Bool
    /// When to call next; nil for not before the next edge.
    private(set) var due: MonotonicTime?

    init(_ trigger: GPIOTrigger, level: Bool, at time: MonotonicTime) {
        self.trigger = trigger
        self.level = level
        due = trigger.repeats && trigger.fires(at: level) ? time : nil
    }

    /// Whether time matters at all.
    var isRepeating: Bool { trigger.repeats }

    /// An edge came; the level to call with, or nil for no call.
    mutating func edge(to level: Bool, at time: MonotonicTime) -> Bool? {
        self.level = level
        guard trigger.fires(at: level) else {
            due = nil
            return nil
        }
        if trigger.repeats { due = time + Self.interval }
        return level
    }

    /// Time has come; the level to call with, or nil for no call.
    mutating func tick(at time: MonotonicTime) -> Bool? {
        guard let due, due <= time else { return nil }
        self.due = time + Self.interval
        return level
    }
}
