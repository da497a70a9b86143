import DeviceCore

/// Sleeps to points in time at given distances, so that lateness does not add up.
struct Pace {
    let clock: DeviceClock
    var next: MonotonicTime

    /// False when the task was cancelled.
    mutating func sleep(_ duration: Duration) async -> Bool {
        let due = next + duration
        guard (try? await clock.sleep(until: due)) != nil, !Task.isCancelled else { return false }
        let now = clock.now
        next = now - due > duration ? now : due
        return true
    }

    /// One period of pulse width modulation. Levels too close to 0 or 1 to be switched are left dark or lit.
    mutating func cycle(_ level: Double, of period: Duration, _ step: (Bool) -> Bool) async -> Bool {
        let lit = period * level
        if lit >= .microseconds(50) {
            guard step(true), await sleep(lit) else { return false }
        }
        let dark = period - lit
        if dark >= .microseconds(50) {
            guard step(false), await sleep(dark) else { return false }
        }
        return true
    }
}
