/// A function that scripts call. It runs on the app's thread and must not block: what takes time waits, see
/// ``LuaCall/wait(_:)`` and ``LuaCall/inBackground(_:)``.
public typealias LuaBody = @Sendable (LuaCall) throws -> LuaOutcome

/// How a host function ends, unless it throws.
public enum LuaOutcome: Sendable {
    /// With these results.
    case values([LuaValue])
    /// With what ``LuaCall/push(_:)-(Bool)`` and its kind have pushed.
    case pushed
    /// The script waits: what ``LuaCall/wait(_:)`` returns.
    case waiting

    /// Without a result.
    public static let nothing = LuaOutcome.values([])
    /// With one result.
    public static func value(_ value: LuaValue) -> LuaOutcome { .values([value]) }
    /// With true.
    public static let success = LuaOutcome.values([.boolean(true)])
    /// With nil and a reason: how Xedge32 tells that an operation failed. A mistake of the script is thrown instead.
    public static func failure(_ reason: String) -> LuaOutcome { .values([.nil, .string(reason)]) }
}

/// What stands in a library under a name.
public enum LuaMember: Sendable {
    /// A function.
    case function(LuaBody)
    /// A constant.
    case value(LuaValue)
    /// A table with members of its own.
    case library(LuaLibrary)
    /// An object that is made for the app when it is first used.
    case computed(@Sendable (LuaContext) throws -> LuaObject)
    /// Something of the shim's own.
    case builtIn(LuaBuiltIn)
}

/// What the shim itself brings.
public enum LuaBuiltIn: Int64, Sendable {
    /// The functions of `ba.bytearray`.
    case bytearray
    /// `ba.socket.h2n`.
    case hostToNetwork
    /// `ba.socket.n2h`.
    case networkToHost
    /// `xedge.log`.
    case log
    /// `xedge.elog`.
    case errorLog
    /// `io:dofile`, by the object's `loadfile`.
    case doFile
    /// Steps through a list of names and values by turns, in a `for` loop.
    case nextListed
}

/// A module: a table that scripts reach by `require "name"` and, where it is global, by its name.
///
/// One library serves all apps; what belongs to an app is kept in its ``LuaContext``. Members are handed over to a
/// script when it first uses them, so that a large library costs an app that does not use it 500 bytes.
public final class LuaLibrary: Sendable {
    /// The name to require it by.
    public let name: String
    /// Whether it is a global too.
    public let isGlobal: Bool
    let members: [String: LuaMember]
    let start: (@Sendable (LuaContext) throws -> Void)?

    /// Makes a library.
    ///
    /// - Parameter start: called once in each app, on its thread, before its first script runs.
    public init(
        _ name: String, isGlobal: Bool = true, members: [String: LuaMember],
        start: (@Sendable (LuaContext) throws -> Void)? = nil
    ) {
        self.name = name
        self.isGlobal = isGlobal
        self.members = members
        self.start = start
    }
}

/// A kind of objects that scripts hold: their methods. Make one of each kind, as a static constant.
public final class LuaClass: Sendable {
    /// What `tostring` shows, and errors say.
    public let name: String
    /// Whether scripts may set fields of an object: `smq.onmsg = function ... end`. ``LuaCallable/member(_:_:)`` finds
    /// them.
    public let hasFields: Bool
    let members: [String: LuaMember]
    /// What the shim has to know of it.
    let flags: Int32

    private static let metamethods = ["__call", "__tostring", "__add", "__sub", "__lt", "__le", "__eq"]

    /// Makes a class. The first argument of every method is the object, but for `__add` and its kind, where it may be
    /// the second.
    ///
    /// Methods named `__call`, `__tostring`, `__add`, `__sub`, `__lt`, `__le` and `__eq` are what Lua means by them.
    public init(
        _ name: String, hasFields: Bool = false, methods: [String: LuaBody], builtIns: [String: LuaBuiltIn] = [:]
    ) {
        self.name = name
        self.hasFields = hasFields
        members = methods.mapValues { .function($0) }.merging(builtIns.mapValues { .builtIn($0) }) { own, _ in own }
        var flags: Int32 = hasFields ? 1 : 0
        for (bit, name) in Self.metamethods.enumerated() where members[name] != nil { flags |= 2 << Int32(bit) }
        self.flags = flags
    }
}

/// What is behind an object of a script. Used by the app's thread alone.
///
/// It is closed when the script calls `close` (where the class offers it by ``LuaCall/close(_:)``), when a variable
/// declared `<close>` goes out of scope, when the collector finds the object unused, when the file that made it is
/// unloaded, and when the app ends.
public protocol LuaResource: AnyObject {
    /// Its class.
    static var luaClass: LuaClass { get }
    /// Lets go of what it holds. Called once.
    func close(in context: LuaContext)
}
