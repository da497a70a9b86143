/// The way of a value from one number to another in a time, in equal steps; no clock of its own.
public struct FadeCourse: Hashable, Sendable {
    /// Where it begins.
    public let from: Double
    /// Where it ends.
    public let to: Double
    /// When it began.
    public let start: MonotonicTime
    /// How long it takes.
    public let duration: Duration

    /// Makes a course.
    public init(from: Double, to: Double, start: MonotonicTime, duration: Duration) {
        self.from = from
        self.to = to
        self.start = start
        self.duration = duration
    }

    /// The value at a time; after the end the end.
    public func value(at time: MonotonicTime) -> Double {
        guard !isOver(at: time) else { return to }
        let part = max(0, (time - start) / duration)
        return from + (to - from) * part
    }

    /// Whether the end is reached.
    public func isOver(at time: MonotonicTime) -> Bool { time - start >= duration }
}
