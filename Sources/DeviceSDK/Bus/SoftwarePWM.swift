public import DeviceCore

/// A line that software switches with a period: good for an LED, poor for a servo, because a busy machine is late.
public final class SoftwarePWM: PWMChannel {
    private struct State {
        var period = Duration.milliseconds(10)
        var high = Duration.zero
        var task: Task<Void, Never>?
        var isClosed = false
        var failure: DeviceError?
    }

    /// The line.
    public let name: String
    /// Never.
    public var isHardware: Bool { false }
    private let request: any OutputRequest
    private let clock: DeviceClock
    private let state = Locked(State())

    /// Takes a line as an output that is low until it is set.
    ///
    /// - Throws: as ``LED/init(_:on:activeLow:initially:release:consumer:clock:)`` does.
    public init(
        _ address: LineAddress, on backend: any GPIOBackend, consumer: String = "DeviceSDK PWM",
        clock: any Clock<Duration> = ContinuousClock()
    ) throws(DeviceError) {
        let line = try backend.find(address)
        request = try backend.requestOutputs([line], OutputSettings(consumer: consumer))
        name = "software PWM on \(line)"
        self.clock = DeviceClock(clock)
    }

    deinit { close() }

    /// Why switching ended by itself, or nil.
    public var failure: DeviceError? { state.withLock { $0.failure } }

    /// Sets the period, at least a millisecond, and the high part of it; a constant level takes no time of the machine.
    public func set(period: Duration, high: Duration) throws(DeviceError) {
        try PWMRule.check(period: period, high: high, shortest: .milliseconds(1))
        try state.withLock { (state: inout State) throws(DeviceError) in
            guard !state.isClosed else { throw GPIOError.closed(request.lines) }
            state.period = period
            state.high = high
            if high == .zero || high == period {
                state.task?.cancel()
                state.task = nil
                try request.set(high == .zero ? 0 : 1, mask: 1)
            } else if state.task == nil {
                state.failure = nil
                let start = clock.now
                state.task = Task { [weak self, clock] in
                    var pace = Pace(clock: clock, next: start)
                    while let (period, part) = self?.setting,
                        await pace.cycle(part, of: period, { [weak self] lit in self?.step(lit) ?? false })
                    {}
                }
            }
        }
    }

    /// Stops low and gives the line back.
    public func close() {
        state.withLock { state in
            guard !state.isClosed else { return }
            state.isClosed = true
            state.task?.cancel()
            state.task = nil
            request.close(.off)
        }
    }

    private var setting: (Duration, Double)? {
        state.withLock { $0.isClosed || $0.task == nil ? nil : ($0.period, $0.high / $0.period) }
    }

    /// Switches the line; false when switching is to end.
    private func step(_ lit: Bool) -> Bool {
        state.withLock { state in
            guard !state.isClosed, state.task != nil, !Task.isCancelled else { return false }
            do throws(DeviceError) {
                try request.set(lit ? 1 : 0, mask: 1)
                return true
            } catch {
                state.failure = error
                state.task = nil
                return false
            }
        }
    }
}
