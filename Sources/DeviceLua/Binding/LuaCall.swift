import CLuaShim

/// One call of a host function: its arguments, counted from 0, and what it may answer. Valid until the function
/// returns; not to be kept.
public struct LuaCall {
    // safe: the call is over before the context goes. Counting references would be a fifth of a short call.
    /// The app whose script calls.
    public unowned(unsafe) let context: LuaContext
    let raw: UnsafePointer<clua_call>

    /// How many arguments there are.
    public var count: Int { Int(raw.pointee.count) }

    private func argument(_ index: Int) -> clua_value? {
        guard index >= 0, index < count else { return nil }
        return raw.pointee.arguments[index]  // safe: looked up before
    }

    private func kind(_ index: Int) -> Int { argument(index).map { Int($0.type) } ?? CLUA_NIL }

    // MARK: Arguments

    /// Whether the argument is missing or nil.
    public func isNil(_ index: Int) -> Bool { kind(index) == CLUA_NIL }
    /// Whether the argument is a string.
    public func isString(_ index: Int) -> Bool { kind(index) == CLUA_STRING }
    /// Whether the argument is a number.
    public func isNumber(_ index: Int) -> Bool { kind(index) == CLUA_INTEGER || kind(index) == CLUA_NUMBER }
    /// Whether the argument is a function.
    public func isFunction(_ index: Int) -> Bool { kind(index) == CLUA_FUNCTION }
    /// Whether the argument is a table.
    public func isTable(_ index: Int) -> Bool { kind(index) == CLUA_TABLE }
    /// Whether the argument counts as true.
    public func isTrue(_ index: Int) -> Bool {
        guard let value = argument(index) else { return false }
        return Int(value.type) == CLUA_BOOLEAN ? value.integer != 0 : Int(value.type) != CLUA_NIL
    }

    /// A boolean, and nothing else.
    public func boolean(_ index: Int) throws -> Bool {
        guard let value = argument(index), Int(value.type) == CLUA_BOOLEAN else { throw expected("boolean", index) }
        return value.integer != 0
    }

    /// A whole number. Floats are floored, and strings that are numbers are taken, as by the Lua of Xedge32.
    public func integer(_ index: Int) throws -> Int64 {
        if let value = argument(index) {
            switch Int(value.type) {
            case CLUA_INTEGER: return value.integer
            case CLUA_NUMBER:
                guard let whole = Int64(exactly: value.number.rounded(.down)) else {
                    throw LuaError(argument: index, "number has no integer representation")
                }
                return whole
            case CLUA_STRING:
                if let number = Double(text(of: value)), let whole = Int64(exactly: number.rounded(.down)) {
                    return whole
                }
            default: break
            }
        }
        throw expected("number", index)
    }

    /// A whole number within a range; `what` names it in the error.
    public func integer(_ index: Int, in range: ClosedRange<Int64>, _ what: String) throws -> Int {
        let value = try integer(index)
        guard range.contains(value) else {
            throw LuaError(argument: index, "\(what) must be \(range.lowerBound) to \(range.upperBound)")
        }
        return Int(value)
    }

    /// A number.
    public func number(_ index: Int) throws -> Double {
        if let value = argument(index) {
            switch Int(value.type) {
            case CLUA_INTEGER: return Double(value.integer)
            case CLUA_NUMBER: return value.number
            case CLUA_STRING: if let number = Double(text(of: value)) { return number }
            default: break
            }
        }
        throw expected("number", index)
    }

    /// The bytes of a string, a number's text, or a bytearray.
    public func bytes(_ index: Int) throws -> [UInt8] { try withBytes(index) { Array($0) } }

    /// The text of a string; what is not UTF-8 is replaced.
    public func string(_ index: Int) throws -> String {
        try withBytes(index) { String(decoding: $0, as: UTF8.self) }
    }

    /// The bytes in place, without a copy. They are valid within `body` only.
    public func withBytes<Result>(_ index: Int, _ body: (UnsafeRawBufferPointer) throws -> Result) throws -> Result {
        guard let value = argument(index) else { throw expected("string", index) }
        switch Int(value.type) {
        case CLUA_STRING, CLUA_BYTEARRAY:
            return try body(UnsafeRawBufferPointer(start: value.bytes, count: value.count))
        case CLUA_INTEGER: return try Array(String(value.integer).utf8).withUnsafeBytes(body)
        case CLUA_NUMBER: return try Array(String(value.number).utf8).withUnsafeBytes(body)
        default: throw expected("string", index)
        }
    }

    /// A table, copied with what is in it.
    public func table(_ index: Int) throws -> LuaTable {
        guard case .table(let table) = try value(index) else { throw expected("table", index) }
        return table
    }

    /// A function, kept for the host.
    public func function(_ index: Int) throws -> LuaFunction {
        guard case .function(let function) = try value(index) else { throw expected("function", index) }
        return function
    }

    /// The resource behind an object of the host. An object that was closed raises `CLOSED`.
    public func resource<Resource: LuaResource>(_ index: Int, as type: Resource.Type = Resource.self) throws -> Resource
    {
        guard let value = argument(index), Int(value.type) == CLUA_OBJECT else {
            throw expected(type.luaClass.name, index)
        }
        guard value.integer != 0 else { throw LuaError("CLOSED") }
        guard let found = context.resource(LuaObject(handle: value.integer)) else { throw LuaError("CLOSED") }
        guard let resource = found as? Resource else { throw expected(type.luaClass.name, index) }
        return resource
    }

    /// The object itself, open or closed: to pass it on to a callback.
    public func object(_ index: Int) throws -> LuaObject {
        guard let value = argument(index), Int(value.type) == CLUA_OBJECT else { throw expected("object", index) }
        return LuaObject(handle: value.integer)
    }

    /// Any value, copied. Throws for tables that are nested more than 32 deep or have more than 100,000 members.
    public func value(_ index: Int) throws -> LuaValue {
        guard let value = argument(index) else { return .nil }
        var reader = LuaTableReader(context: context, thread: raw.pointee.thread)
        return try reader.value(value)
    }

    /// All arguments from an index on, copied.
    public func values(from index: Int = 0) throws -> [LuaValue] {
        guard index < count else { return [] }
        return try (index..<count).map { try value($0) }
    }

    /// All arguments from an index on as the script's own, tables above all: not copied, to be handed on to a function of
    /// the script.
    public func shared(from index: Int) throws -> [LuaValue] {
        guard index < count else { return [] }
        return try (index..<count).map { index in
            guard let value = argument(index) else { return .nil }
            switch Int(value.type) {
            case CLUA_TABLE, CLUA_OTHER, CLUA_BYTEARRAY:
                var indexed = value
                indexed.integer = Int64(index + 1)
                return .function(try context.keep(indexed, thread: raw.pointee.thread))
            default: return try self.value(index)
            }
        }
    }

    /// The error that says which kind of argument is missing.
    public func expected(_ kind: String, _ index: Int) -> LuaError {
        let found = argument(index).map { value in
            switch Int(value.type) {
            case CLUA_NIL: "nil"
            case CLUA_BOOLEAN: "boolean"
            case CLUA_INTEGER, CLUA_NUMBER: "number"
            case CLUA_STRING: "string"
            case CLUA_TABLE: "table"
            case CLUA_FUNCTION: "function"
            default: "userdata"
            }
        }
        return LuaError(argument: index, "\(kind) expected, got \(found ?? "no value")")
    }

    private func text(of value: clua_value) -> Substring {
        let bytes = UnsafeRawBufferPointer(start: value.bytes, count: min(value.count, 200))
        return Substring(decoding: bytes, as: UTF8.self)
    }

    // MARK: Results without an array, for functions that are called often

    /// Adds a result; the function then returns ``LuaOutcome/pushed``.
    public func push(_ value: Int64) {
        var program = LuaProgram(continuing: context.output)
        program.put(CLUA_INTEGER, integer: value)
    }
    /// Adds a result; the function then returns ``LuaOutcome/pushed``.
    public func push(_ value: Bool) {
        var program = LuaProgram(continuing: context.output)
        program.put(CLUA_BOOLEAN, integer: value ? 1 : 0)
    }
    /// Adds a result; the function then returns ``LuaOutcome/pushed``.
    public func push(_ value: Double) {
        var program = LuaProgram(continuing: context.output)
        program.put(number: value)
    }
    /// Adds a result; the function then returns ``LuaOutcome/pushed``.
    public func push(_ bytes: UnsafeRawBufferPointer) throws {
        var program = LuaProgram(continuing: context.output)
        program.put(bytes: bytes)
        if program.overflowed { throw LuaError("not enough memory") }
    }

    // MARK: Waiting

    /// Whether the script can wait here. It cannot in a sort's comparison, a metamethod or a pattern's callback.
    public var canWait: Bool { clua_can_wait(raw) != 0 }

    /// Suspends the calling script, not the app, until the waiter is resumed.
    ///
    /// - Parameter begin: starts what is waited for, and returns what gives it up, called when the script is stopped
    ///   while it waits.
    public func wait(_ begin: (LuaWaiter) throws -> (() -> Void)?) throws -> LuaOutcome {
        guard canWait else { throw LuaError("cannot wait here: a comparison, metamethod or pattern callback must not") }
        return try context.beginWait(begin)
    }

    /// Suspends the calling script while `work` runs on a thread for blocking calls, of which there are few: for what
    /// takes milliseconds. What it throws becomes nil and the error's text.
    public func inBackground(_ work: @escaping @Sendable () throws -> [LuaValue]) throws -> LuaOutcome {
        try wait { waiter in
            try context.app.workers.run {
                do { waiter.resume(try work()) } catch { waiter.resume([.nil, .string("\(error)")]) }
            }
            return nil
        }
    }

    /// Suspends the calling script while a task runs. What it throws becomes nil and the error's text.
    public func inTask(_ work: @escaping @Sendable () async throws -> [LuaValue]) throws -> LuaOutcome {
        try wait { waiter in
            let task = Task {
                do { waiter.resume(try await work()) } catch { waiter.resume([.nil, .string("\(error)")]) }
            }
            return { task.cancel() }
        }
    }

    /// Closes the object that is the argument, and its resource. For a class's `close` method.
    public func close(_ index: Int = 0) throws {
        guard let value = argument(index), Int(value.type) == CLUA_OBJECT else { throw expected("object", index) }
        if value.integer != 0 { context.close(LuaObject(handle: value.integer)) }
    }
}

extension LuaCall {
    /// Compiles a text into a function, which is answered; nil and the reason where it cannot be.
    ///
    /// - Parameter environment: the index of an argument that is the function's environment, if it is there.
    func compile(_ text: [UInt8], named name: String, environment: Int) throws -> LuaOutcome {
        var reference: Int32 = 0
        if isTable(environment) {
            reference = clua_reference(context.host, raw.pointee.thread, Int32(truncatingIfNeeded: environment + 1))
            guard reference >= 0 else { throw LuaError("not enough memory") }
        }
        defer { if reference > 0 { clua_unreference(context.host, reference) } }
        let function = text.withUnsafeBytes { bytes in
            clua_compile(
                context.host, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count, name, reference)
        }
        guard function >= 0 else { return .failure(String(cString: clua_error_text(context.host))) }
        return .value(.function(context.adopt(function)))
    }
}
