import CLuaShim
import DeviceCore

/// `ba.timer`: calls a function again and again.
///
/// A function that returns something true is called again after the interval; one that yields is a coroutine, which
/// goes on after the interval when it yielded something true. The time counts from when the call was due, so that the
/// rate is kept; calls that were missed are left out. A timer that nobody holds ends when it is collected, unless it
/// holds itself (the second argument of `set`).
final class LuaTimer: LuaResource {
    static let luaClass = LuaClass(
        "timer",
        methods: [
            "set": { call in
                let timer: LuaTimer = try call.resource(0)
                let milliseconds = try call.integer(1, in: 0...1 << 40, "the interval")
                try timer.set(milliseconds, isAnchored: call.isTrue(2), atOnce: call.isTrue(3), call.context)
                return .success
            },
            "reset": { call in
                let timer: LuaTimer = try call.resource(0)
                let milliseconds = call.isNil(1) ? timer.interval : try call.integer(1, in: 0...1 << 40, "the interval")
                guard timer.isRunning else { return .value(.boolean(false)) }
                try timer.set(milliseconds, isAnchored: timer.isAnchored, atOnce: false, call.context)
                return .success
            },
            "cancel": { call in
                let timer: LuaTimer = try call.resource(0)
                defer { timer.stop(call.context) }
                return .value(.boolean(timer.isRunning))
            },
            "close": { call in
                try call.close()
                return .nothing
            },
        ])

    /// `ba.timer(function)`
    static let make: LuaBody = { call in
        let timer = LuaTimer()
        let object = try call.context.add(timer, keeping: [("function", .function(try call.function(0)))])
        timer.object = object
        return .value(.object(object))
    }

    private var object = LuaObject(handle: 0)
    private var interval = 0
    private var isRunning = false
    private var isAnchored = false
    private var due = MonotonicTime.zero
    private var deadline: UInt64?
    /// Counts calls of set and cancel, so that a tick notices those that it made itself.
    private var changes = 0
    private var isParked = false
    private var isTicking = false

    private func set(_ milliseconds: Int, isAnchored: Bool, atOnce: Bool, _ context: LuaContext) throws {
        let limit = context.app.configuration.limits.timers
        if !isRunning {
            guard context.runningTimers < limit else { throw LuaError("too many timers run (at most \(limit))") }
            context.runningTimers += 1
            isRunning = true
        }
        changes += 1
        interval = milliseconds
        if isAnchored != self.isAnchored {
            try context.anchor(object, isAnchored)
            self.isAnchored = isAnchored
        }
        // A tick that sets its own timer anew does not call itself without a pause.
        let wait = atOnce ? (isTicking ? 1 : 0) : max(1, milliseconds)
        arm(at: context.now + .milliseconds(wait), context)
    }

    private func arm(at time: MonotonicTime, _ context: LuaContext) {
        if let deadline { context.unschedule(deadline) }
        due = time
        deadline = context.schedule(at: time) { [weak self] context in self?.tick(context) }
    }

    private func tick(_ context: LuaContext) {
        deadline = nil
        let before = changes
        var thread: Int32 = -1
        if isParked {
            thread = clua_unpark(context.host, object.handle)
            isParked = false
        }
        let activation = LuaActivation(
            thread: max(0, thread), owner: context.objects[object.handle]?.owner ?? 0, activity: "timer",
            yielded: { [weak self] context, activation, isTrue in
                guard let self, isRunning, isTrue || changes != before, park(activation, context) else {
                    clua_abandon(context.host, activation.thread)
                    self?.stop(context)
                    return
                }
                if changes == before { rearm(context) }
            },
            finish: { [weak self] context, end in
                guard let self, changes == before else { return }
                if end.isTrue { rearm(context) } else { stop(context) }
            })
        isTicking = true
        defer { isTicking = false }
        if thread >= 0 {
            context.goOn(activation, [.boolean(true)])
        } else {
            context.start(.member(object, "function"), [], activation)
        }
    }

    private func park(_ activation: LuaActivation, _ context: LuaContext) -> Bool {
        isParked = clua_park(context.host, activation.thread, object.handle) == 0
        return isParked
    }

    private func rearm(_ context: LuaContext) {
        let step = Duration.milliseconds(max(1, interval))
        let next = due + step
        arm(at: next > context.now ? next : context.now + step, context)
    }

    private func stop(_ context: LuaContext) {
        changes += 1
        if let deadline { context.unschedule(deadline) }
        deadline = nil
        guard isRunning else { return }
        isRunning = false
        context.runningTimers -= 1
        if isAnchored { try? context.anchor(object, false) }
        isAnchored = false
    }

    func close(in context: LuaContext) { stop(context) }
}
