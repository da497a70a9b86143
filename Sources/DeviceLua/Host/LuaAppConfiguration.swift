public import DeviceCore
import Glibc

/// What an app is made of.
public enum LuaAppSource: Sendable {
    /// A directory with `.preload`, `*.xlua` and `.lua/`.
    case directory(String)
    /// One file, which is an app of its own. Its `.lua/` is that beside it.
    case file(String)
    /// A text, for a test or a prompt; its name stands in errors.
    case text(String, name: String)
}

/// How an app is run.
public struct LuaAppConfiguration: Sendable {
    /// Its name, in logs and on pages.
    public var name: String
    /// Its files.
    public var source: LuaAppSource
    /// What it may use.
    public var limits = LuaLimits()
    /// What it may touch.
    public var permissions = LuaPermissions()
    /// What it can require, besides the runtime's own.
    public var libraries: [LuaLibrary] = []
    /// Apps start in this order, lowest first.
    public var startPriority = 100
    /// Where its lines go. Called on the app's thread; must not block.
    public var output: @Sendable (LuaLine) -> Void = { _ in }
    /// Called for every error of a script, on the app's thread.
    public var onError: @Sendable (LuaErrorRecord) -> Void = { _ in }
    /// The clock of timers and waits.
    public var now: @Sendable () -> MonotonicTime = { LuaAppConfiguration.monotonicNow() }
    /// Whether ``now`` moves only when a test says so; then ``LuaApp/wake()`` has to follow.
    public var hasManualClock = false

    /// An app with the limits and permissions as documented.
    public init(name: String, source: LuaAppSource) {
        self.name = name
        self.source = source
    }

    /// The kernel's monotonic clock.
    public static func monotonicNow() -> MonotonicTime {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return MonotonicTime(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }
}
