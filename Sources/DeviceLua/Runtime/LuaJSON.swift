import DeviceCore

/// `ba.json`: texts of peers, within limits.
enum LuaJSON {
    static let library = LuaLibrary(
        "json",
        members: [
            "encode": .function { call in
                var values: [JSONValue] = []
                for index in 0..<max(1, call.count) { values.append(try json(try call.value(index), call.context)) }
                return .values(values.map { .string("\($0)") })
            },
            "decode": .function { call in
                do {
                    let value = try JSONValue(
                        parsing: try call.bytes(0),
                        options: JSONParsingOptions(
                            allowsComments: false, maximumDepth: 30, maximumSize: 1 << 20,
                            errorCode: .protocolViolation))
                    return .value(try lua(value, call.context))
                } catch let error as DeviceError {
                    return .failure("\(error)")
                }
            },
            "null": .computed { context in try null(context) },
        ])

    /// What null is for scripts: one object, so that they can compare with it.
    private final class Null: LuaResource {
        static let luaClass = LuaClass("null", methods: ["__tostring": { _ in .value(.string("null")) }])
        func close(in context: LuaContext) {}
    }
    private final class CurrentNull {
        var object: LuaObject?
    }

    /// The object, made anew when the last one was collected: then nobody can compare with that.
    private static func null(_ context: LuaContext) throws -> LuaObject {
        let current = context.state { CurrentNull() }
        if let object = current.object, context.resource(object) != nil { return object }
        let object = try context.add(Null())
        current.object = object
        return object
    }

    static func json(_ value: LuaValue, _ context: LuaContext) throws -> JSONValue {
        switch value {
        case .nil: return .null
        case .boolean(let value): return .bool(value)
        case .integer(let value): return .integer(value)
        case .number(let value): return .number(value)
        case .bytes(let bytes), .bytearray(let bytes): return .string(String(decoding: bytes, as: UTF8.self))
        case .object(let object) where context.resource(object) is Null: return .null
        case .table(let table):
            let list = table.list
            if !table.members.isEmpty, list.count == table.members.count {
                return .array(try list.map { try json($0, context) })
            }
            var object = JSONObject()
            for member in table.members {
                let name: String
                switch member.key {
                case .bytes(let bytes): name = String(decoding: bytes, as: UTF8.self)
                case .integer(let number): name = "\(number)"
                case .number(let number): name = "\(number)"
                default: throw LuaError("a \(member.key.kind) cannot be a name in JSON")
                }
                object[name] = try json(member.value, context)
            }
            return .object(object)
        default: throw LuaError("a \(value.kind) cannot be written as JSON")
        }
    }

    static func lua(_ value: JSONValue, _ context: LuaContext) throws -> LuaValue {
        switch value {
        case .null:
            return .object(try null(context))
        case .bool(let value): return .boolean(value)
        case .integer(let value): return .integer(value)
        case .number(let value): return .number(value)
        case .string(let text): return .string(text)
        case .array(let values): return .table(LuaTable(list: try values.map { try lua($0, context) }))
        case .object(let members):
            return .table(LuaTable(named: try members.map { ($0.key, try lua($0.value, context)) }))
        }
    }
}
