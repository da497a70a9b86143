import CLuaShim

/// Writes values as the shim's program that pushes them.
struct LuaProgram {
    private let output: UnsafeMutablePointer<clua_output>
    /// Whether something did not fit.
    private(set) var overflowed = false

    /// Begins a program; what was there is gone.
    init(_ output: UnsafeMutablePointer<clua_output>) {
        self.output = output
        clua_clear(output)
    }

    /// Adds to a program that was begun before.
    init(continuing output: UnsafeMutablePointer<clua_output>) { self.output = output }

    /// One instruction.
    mutating func put(_ type: Int, integer: Int64 = 0, tag: UInt32 = 0) {
        var value = clua_value()
        value.type = UInt32(truncatingIfNeeded: type)
        value.tag = tag
        value.integer = integer
        if clua_put(output, value) != 0 { overflowed = true }
    }

    mutating func put(number: Double) {
        var value = clua_value()
        value.type = UInt32(truncatingIfNeeded: CLUA_NUMBER)
        value.number = number
        if clua_put(output, value) != 0 { overflowed = true }
    }

    mutating func put(bytes: UnsafeRawBufferPointer) {
        if clua_put_string(output, bytes.baseAddress, bytes.count) != 0 { overflowed = true }
    }

    mutating func put(text: String) {
        var text = text
        text.withUTF8 { put(bytes: UnsafeRawBufferPointer($0)) }
    }

    /// A value. An object that the script has not got yet is made from what `fresh` knows of it.
    mutating func put(_ value: LuaValue, fresh: (LuaObject) -> LuaFreshObject?) {
        switch value {
        case .nil, .other: put(CLUA_NIL)
        case .boolean(let value): put(CLUA_BOOLEAN, integer: value ? 1 : 0)
        case .integer(let value): put(CLUA_INTEGER, integer: value)
        case .number(let value): put(number: value)
        case .bytes(let bytes): bytes.withUnsafeBytes { put(bytes: $0) }
        case .bytearray(let bytes):
            let before = Int64(output.pointee.scratch_count)
            bytes.withUnsafeBytes { put(bytes: $0) }
            // The string that was just put becomes an array of the same bytes.
            guard !overflowed, output.pointee.count > 0 else { return }
            let last = output.pointee.values + Int(output.pointee.count - 1)
            last.pointee.type = UInt32(truncatingIfNeeded: CLUA_NEW_ARRAY)
            last.pointee.integer = before
        case .table(let table):
            put(CLUA_NEW_TABLE, integer: Int64(table.members.count))
            for member in table.members {
                put(member.key, fresh: fresh)
                put(member.value, fresh: fresh)
                put(CLUA_SET)
            }
        case .function(let function): put(CLUA_REFERENCE, integer: Int64(function.reference))
        case .builtIn(let builtIn): put(CLUA_BUILT_IN, integer: builtIn.rawValue)
        case .object(let object):
            guard let made = fresh(object) else { return put(CLUA_OBJECT, integer: object.handle) }
            put(CLUA_NEW_OBJECT, integer: object.handle, tag: made.number)
            for (name, value) in made.kept {
                put(text: name)
                put(value, fresh: fresh)
                put(CLUA_KEEP)
            }
        }
    }
}

/// An object that the host has made and the script has not got yet.
struct LuaFreshObject {
    let number: UInt32
    let kept: [(String, LuaValue)]
}
