public import DeviceCore

extension JSONValue {
    /// What a script's value is as JSON: a table with 1, 2, 3... is an array, any other an object. Throws for what JSON
    /// has no place for.
    ///
    /// - Parameter isNull: whether an object of the host stands for null.
    public init(_ value: LuaValue, isNull: (LuaObject) -> Bool = { _ in false }) throws {
        switch value {
        case .nil: self = .null
        case .boolean(let value): self = .bool(value)
        case .integer(let value): self = .integer(value)
        case .number(let value):
            guard value.isFinite else { throw LuaError("JSON has no number \(value)") }
            self = .number(value)
        case .bytes(let bytes), .bytearray(let bytes): self = .string(String(decoding: bytes, as: UTF8.self))
        case .object(let object) where isNull(object): self = .null
        case .table(let table):
            let list = table.list
            if !list.isEmpty, list.count == table.members.count {
                self = .array(try list.map { try JSONValue($0, isNull: isNull) })
                return
            }
            var object = JSONObject()
            let members = try table.members.map { member in
                (try Self.name(member.key), try JSONValue(member.value, isNull: isNull))
            }
            // Tables have no order of their own; this one is the same each time.
            for (name, value) in members.sorted(by: { $0.0 < $1.0 }) { object[name] = value }
            self = .object(object)
        default: throw LuaError("JSON has no place for a \(value.kind)")
        }
    }

    private static func name(_ key: LuaValue) throws -> String {
        switch key {
        case .bytes(let bytes): return String(decoding: bytes, as: UTF8.self)
        case .integer(let number): return "\(number)"
        case .number(let number): return "\(number)"
        default: throw LuaError("a \(key.kind) cannot be a member's name in JSON")
        }
    }
}

extension LuaValue {
    /// What JSON is for a script; null is nil.
    public init(_ value: JSONValue) { self.init(value, null: { .nil }) }

    /// What JSON is for a script.
    ///
    /// - Parameter null: what null becomes; asked where there is one.
    public init(_ value: JSONValue, null: () throws -> LuaValue) rethrows {
        switch value {
        case .null: self = try null()
        case .bool(let value): self = .boolean(value)
        case .integer(let value): self = .integer(value)
        // Lua has no such whole number; a float is what its own reader makes of one.
        case .unsigned(let value): self = .number(Double(value))
        case .number(let value): self = .number(value)
        case .string(let text): self = .string(text)
        case .array(let elements): self = .table(LuaTable(list: try elements.map { try LuaValue($0, null: null) }))
        case .object(let object):
            self = .table(LuaTable(named: try object.map { ($0.key, try LuaValue($0.value, null: null)) }))
        }
    }
}
