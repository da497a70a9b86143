import CLuaShim
import DeviceCore

extension LuaContext {
    /// A line for the app's log. Too many in a second are left out, and their number is told.
    public func write(_ level: LuaLine.Level, _ text: String) {
        let (admitted, suppressed) = lines.admit(at: now)
        if suppressed > 0 {
            app.configuration.output(LuaLine(app: app.name, level: .info, text: "\(suppressed) lines were left out"))
        }
        guard admitted else {
            statistics.droppedLines += 1
            return
        }
        app.configuration.output(LuaLine(app: app.name, level: level, text: text))
    }

    /// Notes an error of a script, logs it, and tells those who listen for the `error` event.
    func report(_ activity: String, _ message: String, _ traceback: String, isKill: Bool) {
        statistics.errors += isKill ? 0 : 1
        let record = errors.note(
            LuaErrorRecord(
                app: app.name, activity: activity, message: message, traceback: traceback, isKill: isKill))
        // The same error again is only counted, but for every power of ten.
        if record.isWorthALine {
            let times = record.count > 1 ? " (\(record.count) times)" : ""
            write(.error, "\(activity): \(message)\(times)")
            if record.count == 1, !traceback.isEmpty { write(.error, traceback) }
        }
        app.configuration.onError(record)
        if activity != "event error" {
            app.mailbox.post { context in context.emit("error", [.string("\(activity): \(message)")], isRetained: false)
            }
        }
        // Not of its own errors, which would not end.
        if activity != "error handler" {
            let text = traceback.isEmpty ? "\(activity): \(message)" : "\(activity): \(message)\n\(traceback)"
            app.mailbox.post { context in
                guard let handler = context.errorHandler else { return }
                context.start(
                    .function(handler.function), [.string(text)],
                    LuaActivation(
                        thread: 0, owner: handler.owner, activity: "error handler", yielded: nil, finish: nil))
            }
        }
        if !isEnding { onFault() }
    }

    /// Tells an event to those who listen, and, where it is retained, to those who will.
    public func emit(_ name: String, _ arguments: [LuaValue], isRetained: Bool = true) {
        for listener in events.emit(name, arguments, isRetained: isRetained) {
            start(
                .function(listener.function), arguments,
                LuaActivation(
                    thread: 0, owner: listener.owner, activity: "event \(name)", yielded: nil, finish: nil))
        }
    }

    /// Takes every listener off an event.
    public func forgetListeners(_ name: String) { events.remove(name) }

    /// Figures for a page.
    func currentStatistics() -> LuaAppStatistics {
        var figures = statistics
        figures.memory = clua_memory(host)
        figures.peakMemory = clua_memory_peak(host)
        figures.waiting = waits.count
        figures.timers = runningTimers
        figures.objects = objects.count
        figures.recentErrors = errors.records
        return figures
    }
}

extension LuaErrorRecord {
    /// The first time, the tenth, the hundredth...
    fileprivate var isWorthALine: Bool {
        var rest = count
        while rest >= 10, rest % 10 == 0 { rest /= 10 }
        return rest == 1
    }
}

/// The newest errors, the same one only once.
struct LuaErrorTable {
    private(set) var records: [LuaErrorRecord] = []

    mutating func note(_ record: LuaErrorRecord) -> LuaErrorRecord {
        if let index = records.firstIndex(where: { $0.message == record.message && $0.activity == record.activity }) {
            var known = records.remove(at: index)
            known.count += 1
            records.append(known)
            return known
        }
        if records.count >= 16 { records.removeFirst() }
        records.append(record)
        return record
    }
}

/// So many lines in a second.
struct LuaLineLimiter {
    private let perSecond: Int
    private var second: Int64 = .min
    private var count = 0
    private var suppressed = 0

    init(perSecond: Int) { self.perSecond = max(1, perSecond) }

    /// Whether a line may be written, and how many were left out before, to be told first.
    mutating func admit(at now: MonotonicTime) -> (Bool, Int) {
        let current = now.nanoseconds / 1_000_000_000
        var told = 0
        if current != second {
            second = current
            count = 0
            told = suppressed
            suppressed = 0
        }
        count += 1
        if count > perSecond { suppressed += 1 }
        return (count <= perSecond, told)
    }
}

/// `xedge.event`: who listens for what, and the last values of events that are retained.
struct LuaEventTable {
    struct Listener {
        let function: LuaFunction
        let owner: Int
    }

    private static let maximumListeners = 64
    private static let maximumRetained = 32
    private var listeners: [String: [Listener]] = [:]
    private var retained: [String: [LuaValue]] = [:]

    /// The values to tell the new listener at once, where the event has been before.
    mutating func add(_ name: String, _ listener: Listener) throws -> [LuaValue]? {
        let count = listeners.values.reduce(0) { $0 + $1.count }
        guard count < Self.maximumListeners else {
            throw LuaError("too many event listeners (at most \(Self.maximumListeners))")
        }
        listeners[name, default: []].append(listener)
        return retained[name]
    }

    mutating func remove(_ name: String, _ function: LuaFunction) -> Bool {
        guard let index = listeners[name]?.firstIndex(where: { $0.function.isSame(as: function) }) else { return false }
        listeners[name]?.remove(at: index)
        return true
    }

    mutating func remove(_ name: String) { listeners[name] = nil }

    mutating func remove(owner: Int) {
        for name in listeners.keys { listeners[name]?.removeAll { $0.owner == owner } }
    }

    mutating func emit(_ name: String, _ arguments: [LuaValue], isRetained: Bool) -> [Listener] {
        if isRetained, retained[name] != nil || retained.count < Self.maximumRetained { retained[name] = arguments }
        return listeners[name] ?? []
    }
}
