import CLuaShim

/// Copies values out of a script, tables with what is in them.
struct LuaTableReader {
    let context: LuaContext
    let thread: UnsafeMutableRawPointer?
    private var members = 0
    private var depth = 0

    private static let maximumMembers = 100_000
    private static let maximumDepth = 32

    init(context: LuaContext, thread: UnsafeMutableRawPointer?) {
        self.context = context
        self.thread = thread
    }

    mutating func value(_ value: clua_value) throws -> LuaValue {
        switch Int(value.type) {
        case CLUA_NIL: return .nil
        case CLUA_BOOLEAN: return .boolean(value.integer != 0)
        case CLUA_INTEGER: return .integer(value.integer)
        case CLUA_NUMBER: return .number(value.number)
        case CLUA_STRING: return .bytes(Array(UnsafeRawBufferPointer(start: value.bytes, count: value.count)))
        case CLUA_BYTEARRAY: return .bytearray(Array(UnsafeRawBufferPointer(start: value.bytes, count: value.count)))
        case CLUA_FUNCTION: return .function(try context.keep(value, thread: thread))
        case CLUA_OBJECT: return .object(LuaObject(handle: value.integer))
        case CLUA_TABLE: return .table(try table(Int32(truncatingIfNeeded: value.integer)))
        default: return .other
        }
    }

    private mutating func table(_ index: Int32) throws -> LuaTable {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.maximumDepth, clua_walk_begin(thread) == 0 else {
            throw LuaError("tables are nested more than \(Self.maximumDepth) deep")
        }
        var table = LuaTable()
        var key = clua_value()
        var member = clua_value()
        while clua_walk(thread, index, &key, &member) != 0 {
            members += 1
            do {
                guard members <= Self.maximumMembers else {
                    throw LuaError("a table has more than \(Self.maximumMembers) members")
                }
                let name = try value(key)
                table.members.append(LuaTable.Member(name, try value(member)))
            } catch {
                clua_walk_end(thread)
                throw error
            }
            clua_walk_next(thread)
        }
        return table
    }
}
