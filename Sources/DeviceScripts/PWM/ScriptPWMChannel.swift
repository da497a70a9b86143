import DeviceCore
import DeviceSDK

/// What `esp32.pwmchannel` returns, without the Lua: a duty on a pin, and fades.
final class ScriptPWMChannel: Sendable {
    private struct State {
        var duty: Double
        var fade: Task<Void, Never>?
    }

    /// Between two steps of a fade.
    private static let step = Duration.milliseconds(20)

    private let timer: PWMTimer
    private let output: any PWMChannel
    private let claim: ScriptPinOwners.Claim
    private let clock: DeviceClock
    private let state: Locked<State>

    init(
        _ timer: PWMTimer, duty: Double, output: any PWMChannel, claim: ScriptPinOwners.Claim, clock: DeviceClock
    ) throws(DeviceError) {
        self.timer = timer
        self.output = output
        self.claim = claim
        self.clock = clock
        state = Locked(State(duty: duty))
        try output.set(period: timer.period, high: timer.high(duty))
    }

    deinit { close() }

    /// Ends a fade and sets the duty.
    func set(_ duty: Double) throws(DeviceError) {
        try state.withLock { (state: inout State) throws(DeviceError) in
            state.fade?.cancel()
            state.fade = nil
            state.duty = duty
            try output.set(period: timer.period, high: timer.high(duty))
        }
    }

    /// Goes to a duty in a time, and tells when it is there.
    func fade(to duty: Double, in duration: Duration, ended: @escaping @Sendable () -> Void) {
        state.withLock { state in
            state.fade?.cancel()
            let course = FadeCourse(from: state.duty, to: duty, start: clock.now, duration: duration)
            state.fade = Task { [weak self, clock] in
                var next = course.start
                while true {
                    next = next + Self.step
                    guard (try? await clock.sleep(until: next)) != nil, !Task.isCancelled else { return }
                    let now = clock.now
                    guard let self, self.follow(course, at: now) else { return }
                    if course.isOver(at: now) { return ended() }
                }
            }
        }
    }

    func close() {
        state.withLock { state in
            state.fade?.cancel()
            state.fade = nil
        }
        output.close()
        claim.release()
    }

    /// False when the fade was ended, or the output is gone.
    private func follow(_ course: FadeCourse, at time: MonotonicTime) -> Bool {
        state.withLock { state in
            guard !Task.isCancelled else { return false }
            state.duty = course.value(at: time)
            return (try? output.set(period: timer.period, high: timer.high(state.duty))) != nil
        }
    }
}
