/// `require"serpent"`: tables as text, which public scripts print. Only `line` and `block` with their defaults, no
/// loading back.
enum LuaSerpent {
    static let library = LuaLibrary(
        "serpent", isGlobal: false,
        members: [
            "line": .function { call in .value(.string(try text(try call.value(0), separator: ", ", indent: nil))) },
            "block": .function { call in .value(.string(try text(try call.value(0), separator: ",\n", indent: ""))) },
        ])

    private static let maximumLength = 64 << 10

    private static func text(_ value: LuaValue, separator: String, indent: String?) throws -> String {
        switch value {
        case .nil: return "nil"
        case .boolean(let value): return "\(value)"
        case .integer(let value): return "\(value)"
        case .number(let value):
            return value.isFinite ? "\(value)" : value.isNaN ? "0/0" : value > 0 ? "math.huge" : "-math.huge"
        case .bytes(let bytes), .bytearray(let bytes): return quoted(bytes)
        case .table(let table):
            guard !table.members.isEmpty else { return "{}" }
            let inner = indent.map { $0 + "  " }
            let list = table.list
            var parts = try list.map { try text($0, separator: separator, indent: inner) }
            let named = try table.members.compactMap { member -> (key: String, text: String)? in
                if case .integer(let index) = member.key, index >= 1, index <= list.count { return nil }
                let key = try name(member.key)
                return (key, "\(key) = \(try text(member.value, separator: separator, indent: inner))")
            }
            parts += named.sorted { $0.key < $1.key }.map(\.text)
            guard parts.reduce(0, { $0 + $1.utf8.count }) <= maximumLength else {
                throw LuaError("the text would have more than \(maximumLength) bytes")
            }
            guard let indent, let inner else { return "{" + parts.joined(separator: separator) + "}" }
            return "{\n" + parts.map { inner + $0 }.joined(separator: separator) + "\n\(indent)}"
        default: return "nil --[[\(value.kind)]]"
        }
    }

    private static func name(_ key: LuaValue) throws -> String {
        guard case .bytes(let bytes) = key, let first = bytes.first, !isDigit(first),
            bytes.allSatisfy({
                isDigit($0) || $0 == UInt8(ascii: "_") || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0 | 0x20)
            })
        else { return "[\(try text(key, separator: ", ", indent: nil))]" }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    private static func quoted(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = [UInt8(ascii: "\"")]
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): text += [UInt8(ascii: "\\"), byte]
            case UInt8(ascii: "\n"): text += Array("\\n".utf8)
            case 0..<32, 127: text += Array("\\\(byte < 10 ? "00" : byte < 100 ? "0" : "")\(byte)".utf8)
            default: text.append(byte)
            }
        }
        return String(decoding: text + [UInt8(ascii: "\"")], as: UTF8.self)
    }
}
