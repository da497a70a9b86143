public import DeviceCore

/// An error of a script, with how often it has come.
public struct LuaErrorRecord: Sendable {
    /// The app.
    public let app: String
    /// What ran: `run main.xlua`, `timer`, `event wip`.
    public let activity: String
    /// The message, with file and line before it: `blink.xlua:12: attempt to index a nil value`.
    public let message: String
    /// Where it happened and who called, in lines.
    public let traceback: String
    /// Whether the activation was ended for its budget.
    public let isKill: Bool
    /// How often the same error of the same activity has come.
    public internal(set) var count: UInt64 = 1
}

/// A line of a script's, or of the host about a script.
public struct LuaLine: Sendable {
    /// Where it comes from.
    public enum Level: String, Sendable {
        /// `trace` and `print`.
        case trace
        /// `xedge.log`, and the host's own notes.
        case info
        /// `xedge.elog`, and errors of scripts.
        case error
    }

    /// The app.
    public let app: String
    /// Its level.
    public let level: Level
    /// The text, without a line break at the end. It comes from a script: see `String.printable` before a terminal.
    public let text: String
}

/// What an app does, for a page.
public enum LuaAppState: Sendable, Equatable {
    /// It was not started.
    case stopped
    /// It runs.
    case running
    /// Too many faults: it starts again at a time.
    case backingOff(until: MonotonicTime)
    /// It failed while starting too often in a row; it starts again when a file of it changes.
    case safeMode

    /// One word, for JSON.
    public var name: String {
        switch self {
        case .stopped: "stopped"
        case .running: "running"
        case .backingOff: "backing-off"
        case .safeMode: "safe-mode"
        }
    }
}

/// Figures of an app.
public struct LuaAppStatistics: Sendable {
    /// What it does.
    public var state = LuaAppState.stopped
    /// Bytes of its heap now, and the most there ever were since it was started.
    public var memory = 0
    /// See ``memory``.
    public var peakMemory = 0
    /// Activations that were started or went on.
    public var activations: UInt64 = 0
    /// Those that ended with an error.
    public var errors: UInt64 = 0
    /// Those that were ended for their budget.
    public var kills: UInt64 = 0
    /// Processor time of all activations.
    public var processorTime: Duration = .zero
    /// The most of their instructions' budget that one of them used, 0 to 1.
    public var largestBudgetShare = 0.0
    /// Scripts that wait.
    public var waiting = 0
    /// Timers that run.
    public var timers = 0
    /// Objects: pins, sockets, files, timers.
    public var objects = 0
    /// Events that were dropped because the app was too slow for them.
    public var droppedEvents: UInt64 = 0
    /// Lines that were left out because there were too many.
    public var droppedLines: UInt64 = 0
    /// How often files were loaded again.
    public var reloads: UInt64 = 0
    /// When the activation that runs now began, nil when none does: a page shows one that hangs by it.
    public var runningSince: MonotonicTime?
    /// The newest errors, oldest first, at most 16.
    public var recentErrors: [LuaErrorRecord] = []
}
