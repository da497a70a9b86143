/// A value of a script, copied out of it or on its way into it.
public enum LuaValue: Sendable {
    /// Nothing.
    case `nil`
    /// true or false.
    case boolean(Bool)
    /// A whole number.
    case integer(Int64)
    /// Any other number.
    case number(Double)
    /// A Lua string: bytes, not necessarily UTF-8.
    case bytes([UInt8])
    /// A `ba.bytearray`; what the script reads from it is a copy.
    case bytearray([UInt8])
    /// A table with what is in it.
    case table(LuaTable)
    /// A function of the script, kept as long as this value.
    case function(LuaFunction)
    /// An object of the host.
    case object(LuaObject)
    /// Something of the shim's own, on its way into the script.
    case builtIn(LuaBuiltIn)
    /// A coroutine, or another thing that the host has no use for.
    case other

    /// A string.
    public static func string(_ text: String) -> LuaValue { .bytes(Array(text.utf8)) }
    /// A whole number.
    public static func integer(_ value: Int) -> LuaValue { .integer(Int64(value)) }

    /// Whether a condition in Lua takes it for true: everything but nil and false.
    public var isTrue: Bool {
        switch self {
        case .nil, .boolean(false): false
        default: true
        }
    }

    /// Whether it is nil.
    public var isNil: Bool { if case .nil = self { true } else { false } }

    /// The whole number; floats are floored, as the Lua of Xedge32 does. nil for anything else.
    public var wholeNumber: Int64? {
        switch self {
        case .integer(let value): value
        case .number(let value): Int64(exactly: value.rounded(.down))
        default: nil
        }
    }

    /// The number; nil for anything else.
    public var double: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }

    /// The text of a string, with what is not UTF-8 replaced; nil for anything else.
    public var text: String? {
        if case .bytes(let bytes) = self { String(decoding: bytes, as: UTF8.self) } else { nil }
    }

    /// What Lua calls the kind of value.
    public var kind: String {
        switch self {
        case .nil: "nil"
        case .boolean: "boolean"
        case .integer, .number: "number"
        case .bytes: "string"
        case .table: "table"
        case .function, .builtIn: "function"
        case .bytearray, .object: "userdata"
        case .other: "thread"
        }
    }
}

/// A table's members, copied.
public struct LuaTable: Sendable {
    /// One member.
    public struct Member: Sendable {
        /// Its key.
        public var key: LuaValue
        /// Its value.
        public var value: LuaValue

        /// Makes a member.
        public init(_ key: LuaValue, _ value: LuaValue) {
            self.key = key
            self.value = value
        }
    }

    /// In no order that means something.
    public var members: [Member] = []

    /// An empty table.
    public init() {}
    /// A list, with indexes from 1.
    public init(list: [LuaValue]) {
        members = list.enumerated().map { Member(.integer($0.offset + 1), $0.element) }
    }
    /// Named members.
    public init(named: [(String, LuaValue)]) { members = named.map { Member(.string($0.0), $0.1) } }

    /// The member of that name; nil's value where there is none. Setting nil removes nothing that a script sees.
    public subscript(name: String) -> LuaValue {
        get {
            for member in members {
                if case .bytes(let key) = member.key, key.elementsEqual(name.utf8) { return member.value }
            }
            return .nil
        }
        set { members.append(Member(.string(name), newValue)) }
    }

    /// The values at 1, 2, 3... up to the first that is missing.
    public var list: [LuaValue] {
        var values: [Int64: LuaValue] = [:]
        for member in members {
            if case .integer(let index) = member.key { values[index] = member.value }
        }
        var list: [LuaValue] = []
        while let value = values[Int64(list.count + 1)] { list.append(value) }
        return list
    }
}

/// An object of the host as a script holds it. It says nothing about whether the script still does.
public struct LuaObject: Sendable, Hashable {
    let handle: Int64
}
