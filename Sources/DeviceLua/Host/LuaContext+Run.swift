import CLuaShim
public import DeviceCore

/// What can be run.
public enum LuaCallable {
    /// A function that the host keeps.
    case function(LuaFunction)
    /// What an object keeps under a name: a callback, or a field that the script has set. Nothing happens when the
    /// object was collected or keeps nothing of that name.
    case member(LuaObject, String)

    case compiled(Int32)
    case rawMember(Int32, String)
    case sweep(Int32)
    case evaluate(Int32)
    case finalizer
}

/// How an activation ended.
public enum LuaEnd {
    /// It returned these values.
    case returned([LuaValue])
    /// With an error, which was reported.
    case failed(String)
    /// For its budget, which was reported.
    case killed(String)

    /// Whether it returned something that counts as true.
    public var isTrue: Bool { if case .returned(let values) = self { values.first?.isTrue ?? false } else { false } }
}

/// One activation: a coroutine that runs, or waits.
struct LuaActivation {
    var thread: Int32
    let owner: Int
    let activity: String
    /// What a `coroutine.yield` of the script's does; without it, that is an error. Takes over the activation.
    var yielded: ((LuaContext, LuaActivation, Bool) -> Void)?
    let finish: ((LuaContext, LuaEnd) -> Void)?
}

/// One that waits for the host.
struct LuaSuspended {
    let activation: LuaActivation
    let cancel: (() -> Void)?
}

extension LuaContext {
    /// Runs something as an activation of its own: a coroutine that may wait.
    ///
    /// - Parameters:
    ///   - activity: what it is, for error records: "timer", "gpio 17".
    ///   - owner: an object to whose file the activation belongs; without one, the file whose code runs now.
    ///   - finish: called when it has ended, which may be much later.
    public func start(
        _ callable: LuaCallable, _ arguments: [LuaValue] = [], activity: String, of owner: LuaObject? = nil,
        finish: ((LuaContext, LuaEnd) -> Void)? = nil
    ) {
        let file = owner.map { objects[$0.handle]?.owner ?? 0 } ?? self.owner
        start(
            callable, arguments,
            LuaActivation(thread: 0, owner: file, activity: activity, yielded: nil, finish: finish))
    }

    func start(_ callable: LuaCallable, _ arguments: [LuaValue], _ activation: LuaActivation) {
        if isRunning {
            guard pendingStarts < app.configuration.limits.activations else {
                return report(activation.activity, "too many activations at once", "", isKill: false)
            }
            pendingStarts += 1
            deadlines.add(at: now) { context in
                context.pendingStarts -= 1
                context.start(callable, arguments, activation)
            }
            return
        }
        var program = LuaProgram(output)
        switch callable {
        case .function(let function): program.put(CLUA_REFERENCE, integer: Int64(function.reference))
        case .compiled(let reference): program.put(CLUA_REFERENCE, integer: Int64(reference))
        case .member(let object, let name):
            program.put(text: name)
            program.put(CLUA_MEMBER, integer: object.handle)
        case .rawMember(let reference, let name):
            program.put(text: name)
            program.put(CLUA_RAW_MEMBER, integer: Int64(reference))
        case .sweep(let reference): program.put(CLUA_SWEEP, integer: Int64(reference))
        case .evaluate(let reference):
            program.put(CLUA_EVALUATE)
            program.put(CLUA_REFERENCE, integer: Int64(reference))
        case .finalizer: program.put(CLUA_FINALIZER)
        }
        for argument in arguments { put(argument, into: &program) }
        if program.overflowed {
            report(activation.activity, "not enough memory for the arguments", "", isKill: false)
            activation.finish?(self, .failed("not enough memory"))
            return
        }
        run(activation) { host, thread in clua_start(host, thread) }
    }

    /// Goes on with a script that waits. Nothing happens when it does no more.
    func resume(_ token: UInt64, _ values: [LuaValue]) {
        guard let suspended = waits.removeValue(forKey: token) else { return }
        var program = LuaProgram(output)
        program.put(CLUA_BOOLEAN, integer: 1)
        for value in values { put(value, into: &program) }
        if program.overflowed {
            program = LuaProgram(output)
            program.put(CLUA_BOOLEAN, integer: 0)
            program.put(text: "not enough memory for the results")
        }
        run(suspended.activation) { host, thread in clua_resume(host, thread.pointee) }
    }

    func resume(_ token: UInt64, failing message: String) {
        guard let suspended = waits.removeValue(forKey: token) else { return }
        var program = LuaProgram(output)
        program.put(CLUA_BOOLEAN, integer: 0)
        program.put(text: message)
        run(suspended.activation) { host, thread in clua_resume(host, thread.pointee) }
    }

    /// Goes on with a script that has yielded by itself.
    func goOn(_ activation: LuaActivation, _ values: [LuaValue] = []) {
        var program = LuaProgram(output)
        for value in values { put(value, into: &program) }
        run(activation) { host, thread in clua_resume(host, thread.pointee) }
    }

    private func run(
        _ activation: LuaActivation, _ go: (OpaquePointer, UnsafeMutablePointer<Int32>) -> Int32
    ) {
        var activation = activation
        let outer = owner
        owner = activation.owner
        isRunning = true
        app.noteRunning(true)
        let status = Int(go(host, &activation.thread))
        app.noteRunning(false)
        isRunning = false
        statistics.activations += 1
        statistics.processorTime += .nanoseconds(clua_used_ns(host))
        let share =
            Double(clua_used_instructions(host)) / Double(max(1, app.configuration.limits.instructions))
        statistics.largestBudgetShare = max(statistics.largestBudgetShare, min(1, share))
        switch status {
        case CLUA_WAITING:
            if let pending = takePendingWait() {
                waits[pending.token] = LuaSuspended(activation: activation, cancel: pending.cancel)
            }
        case CLUA_YIELDED:
            if let yielded = activation.yielded {
                yielded(self, activation, clua_yielded_true(host) != 0)
            } else {
                clua_abandon(host, activation.thread)
                report(activation.activity, "attempt to yield from outside a coroutine", "", isKill: false)
                activation.finish?(self, .failed("attempt to yield from outside a coroutine"))
            }
        case CLUA_DONE:
            if let finish = activation.finish { finish(self, .returned(results())) }
        case CLUA_KILLED:
            let message = String(cString: clua_error_text(host))
            dropPendingWait()
            let isStopped = clua_spent(host) == Int32(CLUA_INTERRUPTED)
            if !isStopped { statistics.kills += 1 }
            if !isEnding, !isStopped {
                report(activation.activity, message, String(cString: clua_traceback(host)), isKill: true)
            }
            activation.finish?(self, .killed(message))
        default:
            let message = String(cString: clua_error_text(host))
            dropPendingWait()
            report(activation.activity, message, String(cString: clua_traceback(host)), isKill: false)
            activation.finish?(self, .failed(message))
        }
        owner = outer
        drainReleased()
        drainReferences()
    }

    private func dropPendingWait() {
        if let pending = takePendingWait() { pending.cancel?() }
    }

    /// The results of the activation that has just ended, copied.
    private func results() -> [LuaValue] {
        (0..<clua_result_count(host)).map { index in
            var value = clua_value()
            clua_result(host, index, &value)
            switch Int(value.type) {
            case CLUA_NIL: return .nil
            case CLUA_BOOLEAN: return .boolean(value.integer != 0)
            case CLUA_INTEGER: return .integer(value.integer)
            case CLUA_NUMBER: return .number(value.number)
            case CLUA_STRING: return .bytes(Array(UnsafeRawBufferPointer(start: value.bytes, count: value.count)))
            case CLUA_TABLE:
                var reader = LuaTableReader(context: self, thread: clua_result_thread(host))
                return (try? reader.value(value)) ?? .other
            default: return .other
            }
        }
    }

    /// Runs `__gc` functions of the script that wait, each with a budget of its own; a few at a time.
    func runFinalizers() {
        var left = 16
        while clua_finalizers(host) > 0, left > 0 {
            left -= 1
            start(.finalizer, [], activity: "__gc")
        }
    }

    /// Gives up everything that belongs to a file: waits, objects, events.
    func revoke(owner file: Int) {
        for (token, suspended) in waits where suspended.activation.owner == file {
            waits[token] = nil
            suspended.cancel?()
            clua_abandon(host, suspended.activation.thread)
        }
        for (handle, held) in objects where held.owner == file { close(LuaObject(handle: handle)) }
        events.remove(owner: file)
        if errorHandler?.owner == file { errorHandler = nil }
    }

    // MARK: Time and files

    /// Calls something on the app's thread at a time.
    @discardableResult
    public func schedule(at time: MonotonicTime, _ action: @escaping (LuaContext) -> Void) -> UInt64 {
        deadlines.add(at: time, action)
    }
    /// Forgets what ``schedule(at:_:)`` has set.
    public func unschedule(_ id: UInt64) { deadlines.cancel(id) }

    /// Calls something on the app's thread when a file descriptor is ready; once for each time that `poll` says so.
    public func watch(_ file: Int32, forReading: Bool, forWriting: Bool, _ action: @escaping (LuaContext) -> Void) {
        watches[file] = LuaWatch(reads: forReading, writes: forWriting, action: action)
    }
    /// Ends ``watch(_:forReading:forWriting:_:)``; to be called before the descriptor is closed.
    public func unwatch(_ file: Int32) { watches[file] = nil }

    // MARK: Permissions

    /// Throws unless the app may use that.
    public func require(_ kind: LuaPermissions.Kind, _ name: String) throws {
        guard !app.configuration.permissions[kind].allows(name) else { return }
        throw LuaError("app \(app.name) has no permission for \(kind.name): \(name)")
    }
}

/// A descriptor in the app's poll loop.
struct LuaWatch {
    let reads: Bool
    let writes: Bool
    let action: (LuaContext) -> Void
}
