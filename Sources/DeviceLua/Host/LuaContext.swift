import CLuaShim
public import DeviceCore

/// A running app as modules see it: its objects, timers, waits and memory of its own. Used on the app's thread alone.
///
/// It lives as long as the app's Lua state: a restart makes a new one.
public final class LuaContext {
    /// The app, which other threads may know too.
    public let app: LuaApp
    let host: OpaquePointer
    let output: UnsafeMutablePointer<clua_output>

    // What was handed over to the state, by the numbers that it knows. Nothing else is changed while this is read.
    @exclusivity(unchecked)
    private var functions: [Unmanaged<LuaHostFunction>] = []
    /// Numbers that were given out: a script that forgets a member and asks again gets the same one.
    private(set) var numbers: [String: Int64] = [:]
    private(set) var libraries: [LuaLibrary] = []
    private(set) var classes: [LuaClass] = []
    private var classNumbers: [ObjectIdentifier: UInt32] = [:]

    var objects: [Int64: LuaHeldObject] = [:]
    private var fresh: [Int64: LuaFreshObject] = [:]
    private var storage: [ObjectIdentifier: AnyObject] = [:]
    private let releases = LuaReleases()

    var waits: [UInt64: LuaSuspended] = [:]
    private var pendingWait: (token: UInt64, cancel: (() -> Void)?)?
    var deadlines = LuaDeadlines()
    var watches: [Int32: LuaWatch] = [:]
    /// The file whose code runs: what is made now belongs to it. 0 is the app itself.
    var owner = 0
    /// Set while the app starts or ends.
    var isEnding = false
    var events = LuaEventTable()
    /// Set by `ba.seterrh`.
    var errorHandler: LuaEventTable.Listener?
    var statistics = LuaAppStatistics()
    var lines: LuaLineLimiter
    var errors = LuaErrorTable()
    var runningTimers = 0
    /// What is to be started once what runs has ended or waits.
    var pendingStarts = 0
    let files: LuaAppFiles
    var onFault: () -> Void = {}
    /// Whether Lua runs: nothing else is started within it.
    var isRunning = false

    init(_ app: LuaApp) throws(DeviceError) {
        self.app = app
        files = app.files
        let limits = app.configuration.limits
        lines = LuaLineLimiter(perSecond: limits.linesPerSecond)
        var raw = clua_limits(
            memory: max(0, limits.memory), instructions: max(1, limits.instructions),
            processor_ns: max(1, limits.processorTime.wholeNanoseconds),
            wall_ns: max(1, limits.wallTime.wholeNanoseconds))
        guard let host = clua_new(&raw, luaCallback, nil) else {
            throw DeviceError(
                .limitExceeded, "app \(app.name) has too little memory to begin",
                hint: "Give it 64 KiB or more")
        }
        self.host = host
        self.output = clua_output_of(host)
        // safe: the state goes with this object, before it
        clua_set_context(host, Unmanaged.passUnretained(self).toOpaque())
    }

    deinit {
        clua_close(host)
        for function in functions { function.release() }
    }

    /// The time on the app's clock.
    public var now: MonotonicTime { app.configuration.now() }

    /// For a function that may have blocked the app's thread for long: the time on the wall is looked at when it returns.
    public func hasBlocked() { clua_has_blocked(host) }

    // MARK: Libraries

    func install(_ library: LuaLibrary) throws(DeviceError) {
        libraries.append(library)
        guard clua_library(host, UInt32(libraries.count - 1), library.name, library.isGlobal ? 1 : 0) == 0 else {
            throw DeviceError(.limitExceeded, "no memory for the library \(library.name)")
        }
        do {
            try library.start?(self)
        } catch {
            throw DeviceError(.unavailable, "the library \(library.name) cannot start", cause: error)
        }
    }

    private func put(_ member: LuaMember, key: String, into program: inout LuaProgram) {
        switch member {
        case .function(let body):
            let number = number(key) {
                functions.append(.passRetained(LuaHostFunction(body)))
                return CLUA_HOST_FIRST + functions.count - 1
            }
            program.put(CLUA_HOST, integer: number)
        case .value(let value): put(value, into: &program)
        case .library(let library):
            let number = number(key) {
                libraries.append(library)
                return libraries.count - 1
            }
            program.put(CLUA_LIBRARY, integer: number)
        case .computed(let compute):
            do { put(.object(try compute(self)), into: &program) } catch { program.put(CLUA_NIL) }
        case .builtIn(let builtIn): program.put(CLUA_BUILT_IN, integer: builtIn.rawValue)
        }
    }

    private func number(_ key: String, _ make: () -> Int) -> Int64 {
        if let number = numbers[key] { return number }
        let number = Int64(make())
        numbers[key] = number
        return number
    }

    func put(_ value: LuaValue, into program: inout LuaProgram) {
        program.put(value) { fresh.removeValue(forKey: $0.handle) }
    }

    // MARK: State of modules

    /// What a module keeps for this app: made when it is first asked for, one of each type.
    public func state<State: AnyObject>(_ make: () throws -> State) rethrows -> State {
        let id = ObjectIdentifier(State.self)
        if let state = storage[id] as? State { return state }
        let state = try make()
        storage[id] = state
        return state
    }

    // MARK: Objects

    /// Makes an object of a resource, to be answered or passed on; keeps values in it under names, callbacks above all.
    ///
    /// Throws when the app has too many objects. The object belongs to the file whose code runs now.
    public func add(_ resource: any LuaResource, keeping kept: [(String, LuaValue)] = []) throws -> LuaObject {
        guard objects.count < app.configuration.limits.objects else {
            throw LuaError("too many objects (at most \(app.configuration.limits.objects))")
        }
        let type = type(of: resource).luaClass
        let number = try number(of: type)
        let handle = app.nextHandle()
        guard clua_object_reserve(host, handle) == 0 else { throw LuaError("not enough memory") }
        fresh[handle] = LuaFreshObject(number: number, kept: kept)
        objects[handle] = LuaHeldObject(resource: resource, owner: owner)
        return LuaObject(handle: handle)
    }

    private func number(of type: LuaClass) throws -> UInt32 {
        if let number = classNumbers[ObjectIdentifier(type)] { return number }
        let number = UInt32(classes.count + 1)
        guard clua_class(host, number, type.name, type.flags) == 0 else {
            throw LuaError("not enough memory")
        }
        classes.append(type)
        classNumbers[ObjectIdentifier(type)] = number
        return number
    }

    /// The resource behind an object, nil when it was closed.
    public func resource(_ object: LuaObject) -> (any LuaResource)? { objects[object.handle]?.resource }

    /// Closes an object and its resource; the script sees it as closed.
    public func close(_ object: LuaObject) {
        guard let held = objects.removeValue(forKey: object.handle) else { return }
        clua_object_close(host, object.handle)
        held.resource.close(in: self)
    }

    /// Keeps an object from being collected, or no more: for what runs without the script holding it.
    public func anchor(_ object: LuaObject, _ isAnchored: Bool) throws {
        guard clua_anchor(host, object.handle, isAnchored ? 1 : 0) == 0 else { throw LuaError("not enough memory") }
    }

    /// Closes what the collector or a `<close>` has let go.
    func drainReleased() {
        while case let handle = clua_released(host), handle != 0 {
            fresh[handle] = nil
            if let held = objects.removeValue(forKey: handle) { held.resource.close(in: self) }
        }
    }

    // MARK: Functions

    func keep(_ value: clua_value, thread: UnsafeMutableRawPointer?) throws -> LuaFunction {
        let reference = clua_reference(host, thread, Int32(truncatingIfNeeded: value.integer))
        guard reference >= 0 else { throw LuaError("not enough memory") }
        return LuaFunction(reference: reference, identity: Int(bitPattern: UInt(value.count)), released: releases)
    }

    /// A function that is kept already.
    func adopt(_ reference: Int32) -> LuaFunction {
        LuaFunction(reference: reference, identity: 0, released: releases)
    }

    func drainReferences() {
        for reference in releases.take() { clua_unreference(host, reference) }
    }

    // MARK: Calls of the script

    /// Serves one call; the code that the shim wants.
    fileprivate func called(_ call: UnsafePointer<clua_call>) -> Int32 {
        if call.pointee.has_released != 0 { drainReleased() }
        do {
            switch Int(call.pointee.function) {
            case CLUA_HOST_RESOLVE: return resolve(LuaCall(context: self, raw: call))
            case CLUA_HOST_TRACE:
                let call = LuaCall(context: self, raw: call)
                let level: LuaLine.Level = call.isNil(1) ? .trace : try call.integer(1) == 2 ? .error : .info
                write(level, try call.string(0))
                return Int32(CLUA_RETURN)
            case CLUA_HOST_REQUIRE:
                return answer(try files.require(LuaCall(context: self, raw: call)))
            case let function:
                let index = function - CLUA_HOST_FIRST
                guard functions.indices.contains(index) else { throw LuaError("no such function") }
                let call = LuaCall(context: self, raw: call)
                // safe: looked up before, and given up with the context alone
                return answer(try functions[index]._withUnsafeGuaranteedRef { try $0.body(call) })
            }
        } catch {
            return raise(error)
        }
    }

    private func answer(_ outcome: LuaOutcome) -> Int32 {
        switch outcome {
        case .pushed: return Int32(CLUA_RETURN)
        case .waiting: return pendingWait == nil ? raise(LuaError("no wait was begun")) : Int32(CLUA_WAIT)
        case .values(let values):
            var program = LuaProgram(output)
            for value in values { put(value, into: &program) }
            return program.overflowed ? raise(LuaError("not enough memory")) : Int32(CLUA_RETURN)
        }
    }

    private func raise(_ error: any Error) -> Int32 {
        if let pending = pendingWait {
            pending.cancel?()
            pendingWait = nil
        }
        var program = LuaProgram(output)
        program.put(text: "\(error)")
        guard let argument = (error as? LuaError)?.argument else { return Int32(CLUA_RAISE) }
        program.put(CLUA_INTEGER, integer: Int64(argument))
        return Int32(CLUA_RAISE_ARGUMENT)
    }

    private func resolve(_ call: LuaCall) -> Int32 {
        var program = LuaProgram(output)
        guard let kind = try? call.integer(0), let number = try? call.integer(1), let name = try? call.string(2) else {
            program.put(CLUA_NIL)
            return Int32(CLUA_RETURN)
        }
        let member: LuaMember?
        if kind == 1 {
            let index = Int(number) - 1
            member = classes.indices.contains(index) ? classes[index].members[name] : nil  // safe: looked up
        } else {
            let index = Int(number)
            member = libraries.indices.contains(index) ? libraries[index].members[name] : nil  // safe: looked up
        }
        if let member { put(member, key: "\(kind).\(number).\(name)", into: &program) } else { program.put(CLUA_NIL) }
        return Int32(CLUA_RETURN)
    }

    // MARK: Waits

    func beginWait(_ begin: (LuaWaiter) throws -> (() -> Void)?) throws -> LuaOutcome {
        guard waits.count < app.configuration.limits.activations else {
            throw LuaError("too many scripts wait (at most \(app.configuration.limits.activations))")
        }
        let token = UInt64(app.nextHandle())
        pendingWait = (token, nil)
        let cancel = try begin(LuaWaiter(token: token, mailbox: app.mailbox))
        pendingWait = (token, cancel)
        return .waiting
    }

    func takePendingWait() -> (token: UInt64, cancel: (() -> Void)?)? {
        defer { pendingWait = nil }
        return pendingWait
    }
}

/// A resource of a script's, and the file that made it.
struct LuaHeldObject {
    let resource: any LuaResource
    let owner: Int
}

/// A function that scripts of an app know. Kept without counting, because it may be called a million times in a second.
private final class LuaHostFunction {
    let body: LuaBody
    init(_ body: @escaping LuaBody) { self.body = body }
}

/// What the shim calls. It holds nothing, because a script may call it a million times in a second: the context lives
/// longer than the state that calls.
private let luaCallback: clua_callback = { context, call in
    guard let context, let call else { return Int32(CLUA_RAISE) }
    return Unmanaged<LuaContext>.fromOpaque(context)._withUnsafeGuaranteedRef { $0.called(call) }
}
