import DeviceCore

/// Decides when an app that fails again and again is stopped, and for how long. Time comes in as an argument.
struct LuaFaultHistory {
    private let limits: LuaLimits
    private var recent: [MonotonicTime] = []
    private var delay: Duration
    private var failedStarts = 0
    private var runningSince: MonotonicTime?

    init(_ limits: LuaLimits) {
        self.limits = limits
        delay = limits.firstBackOff
    }

    /// Whether nothing has gone wrong.
    var isEmpty: Bool { recent.isEmpty && failedStarts == 0 }

    /// An activation failed or was ended.
    mutating func note(at now: MonotonicTime) {
        recent.append(now)
        if recent.count > max(1, limits.faults) { recent.removeFirst() }
    }

    /// Whether there were too many within the window.
    func isTooMany(at now: MonotonicTime) -> Bool {
        guard recent.count >= max(1, limits.faults), let oldest = recent.first else { return false }
        return now - oldest <= limits.faultWindow
    }

    /// The app is stopped for its faults.
    mutating func backOff(at now: MonotonicTime) -> LuaAppState {
        recent = []
        runningSince = nil
        defer { delay = min(delay * 2, limits.longestBackOff) }
        return .backingOff(until: now + delay)
    }

    /// The app failed while it started.
    mutating func startFailed(at now: MonotonicTime) -> LuaAppState {
        failedStarts += 1
        if failedStarts >= max(1, limits.failedStarts) {
            recent = []
            return .safeMode
        }
        return backOff(at: now)
    }

    /// It runs: after a while like that the past is forgotten.
    mutating func ranWell(at now: MonotonicTime) {
        guard let since = runningSince else {
            runningSince = now
            return
        }
        if now - since > limits.longestBackOff { forget() }
    }

    /// Begins anew: somebody changed a file or asked for a start.
    mutating func forget() {
        recent = []
        failedStarts = 0
        delay = limits.firstBackOff
        runningSince = nil
    }
}
