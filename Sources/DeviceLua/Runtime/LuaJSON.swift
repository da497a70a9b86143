import DeviceCore

/// `ba.json`: texts of peers, within limits.
enum LuaJSON {
    /// Tables are copied 32 deep; a text that is nested deeper could not be given back.
    static let parsing = JSONParsingOptions(
        allowsComments: false, maximumDepth: 30, maximumSize: 1 << 20, errorCode: .protocolViolation)

    static let library = LuaLibrary(
        "json",
        members: [
            "encode": .function { call in
                let context = call.context
                return .values(
                    try (0..<max(1, call.count)).map { index in
                        let value = try JSONValue(try call.value(index)) { context.resource($0) is Null }
                        return .string("\(value)")
                    })
            },
            "decode": .function { call in
                do {
                    var sum = 0
                    let value = try value(parsing: try call.bytes(0), after: &sum, call.context)
                    return .value(try lua(value, call.context))
                } catch let error as DeviceError {
                    return .failure("\(error)")
                }
            },
            "parser": .function { call in .value(.object(try call.context.add(LuaJSONParser()))) },
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

    /// Reads a text whose tables could be in the app's memory at all; others would cost the host many times that.
    ///
    /// - Parameter sum: what the values before take that are given to the script with this one.
    static func value(
        parsing text: some Collection<UInt8>, after sum: inout Int, _ context: LuaContext
    ) throws -> JSONValue {
        sum += 16 + leastMemory(of: text)
        guard sum <= context.app.configuration.limits.memory else { throw LuaError("not enough memory") }
        return try JSONValue(parsing: text, options: parsing)
    }

    /// What the values of a text take in Lua at the least: 16 bytes each, and 56 for a table. Texts are left out, because
    /// equal ones are kept once.
    static func leastMemory(of text: some Collection<UInt8>) -> Int {
        var sum = 0
        var isInString = false
        var isEscaped = false
        for byte in text {
            if isInString {
                if byte == UInt8(ascii: "\""), !isEscaped { isInString = false }
                isEscaped = byte == UInt8(ascii: "\\") && !isEscaped
                continue
            }
            switch byte {
            case UInt8(ascii: "\""): isInString = true
            case UInt8(ascii: ","): sum += 16
            case UInt8(ascii: "{"), UInt8(ascii: "["): sum += 56
            default: continue
            }
        }
        return sum
    }

    static func lua(_ value: JSONValue, _ context: LuaContext) throws -> LuaValue {
        try LuaValue(value) { .object(try null(context)) }
    }
}

/// `ba.json.parser()`: takes a text in pieces, as they come from a socket.
///
/// `parser:parse(data)` gives true and the value once it is whole, true alone while more is needed, nil and a reason for
/// what is no JSON. `parser:parse(data, true)` gives a list of all values that are whole. Values are objects and arrays:
/// of a number nobody could say whether it goes on.
final class LuaJSONParser: LuaResource {
    static let luaClass = LuaClass(
        "jsonparser",
        methods: [
            "parse": { call in
                let parser: LuaJSONParser = try call.resource(0)
                do {
                    try call.withBytes(1) { try parser.add($0, call.context) }
                    var sum = 0
                    guard call.isTrue(2) else {
                        guard let value = try parser.next(after: &sum, call.context) else { return .success }
                        return .values([.boolean(true), try LuaJSON.lua(value, call.context)])
                    }
                    var values: [LuaValue] = []
                    while let value = try parser.next(after: &sum, call.context) {
                        values.append(try LuaJSON.lua(value, call.context))
                    }
                    return values.isEmpty ? .success : .values([.boolean(true), .table(LuaTable(list: values))])
                } catch let error as DeviceError {
                    parser.forget(call.context)
                    return .failure("\(error)")
                }
            },
            "close": { call in
                try call.close()
                return .success
            },
        ])

    private var bytes: [UInt8] = []
    /// Where the value begins that is not whole yet.
    private var start = 0
    /// How far the text was looked at, and what is open there.
    private var looked = 0
    private var depth = 0
    private var isInString = false
    private var isEscaped = false

    /// The texts of all parsers of an app: they are not in its heap, and together have no more than that may.
    private final class Held {
        var bytes = 0
    }

    private func add(_ more: UnsafeRawBufferPointer, _ context: LuaContext) throws {
        let held = context.state { Held() }
        held.bytes -= start
        bytes.removeFirst(start)
        looked -= start
        start = 0
        guard bytes.count + more.count <= LuaJSON.parsing.maximumSize else {
            throw DeviceError(.limitExceeded, "the text has more than \(LuaJSON.parsing.maximumSize) bytes")
        }
        guard held.bytes + more.count <= context.app.configuration.limits.memory else {
            throw LuaError("not enough memory")
        }
        held.bytes += more.count
        bytes += more
    }

    /// Takes the next value off the text; nil while it is not whole.
    private func next(after sum: inout Int, _ context: LuaContext) throws -> JSONValue? {
        for index in looked..<bytes.count {
            let byte = bytes[index]  // safe: within the text
            looked = index + 1
            if isInString {
                if byte == UInt8(ascii: "\""), !isEscaped { isInString = false }
                isEscaped = byte == UInt8(ascii: "\\") && !isEscaped
                continue
            }
            switch byte {
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                guard depth <= 0 else { continue }
                let text = bytes[start..<looked]  // safe: both are within the text
                (start, depth) = (looked, 0)
                return try LuaJSON.value(parsing: text, after: &sum, context)
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"), UInt8(ascii: "\n"): continue
            default:
                guard depth > 0 else {
                    throw DeviceError(.protocolViolation, "an object or an array is expected")
                }
                if byte == UInt8(ascii: "\"") { isInString = true }
            }
        }
        return nil
    }

    private func forget(_ context: LuaContext) {
        context.state { Held() }.bytes -= bytes.count
        bytes = []
        (start, looked, depth, isInString, isEscaped) = (0, 0, 0, false, false)
    }

    func close(in context: LuaContext) { forget(context) }
}
