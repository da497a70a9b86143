/// Any clock as two functions of absolute time, so that a program written for the real clock runs on a manual one.
///
/// Deadlines are absolute because a sleep "for" a while begins only when its task gets a thread.
public struct DeviceClock: Sendable {
    private let read: @Sendable () -> MonotonicTime
    private let wait: @Sendable (MonotonicTime) async throws -> Void

    /// Wraps a clock; its time counts from now.
    public init(_ clock: any Clock<Duration>) {
        // The usual one by its own type, which the compiler specialises: it is read on every frame's way.
        if let clock = clock as? ContinuousClock { self = Self.wrapping(clock) } else { self = Self.wrapping(clock) }
    }

    private init(
        read: @escaping @Sendable () -> MonotonicTime, wait: @escaping @Sendable (MonotonicTime) async throws -> Void
    ) {
        self.read = read
        self.wait = wait
    }

    private static func wrapping<C: Clock<Duration>>(_ clock: C) -> DeviceClock {
        let start = clock.now
        return DeviceClock(
            read: { MonotonicTime.zero + start.duration(to: clock.now) },
            wait: { time in
                try await clock.sleep(until: start.advanced(by: time - .zero), tolerance: .zero)
            })
    }

    /// The time since the clock was wrapped.
    public var now: MonotonicTime { read() }

    /// Returns at a time, at once when it has passed; throws `CancellationError` when the task is cancelled.
    public func sleep(until time: MonotonicTime) async throws { try await wait(time) }
}
