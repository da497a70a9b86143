extension JSONValue {
    /// Reads a JSON text (RFC 8259), with comments where the options allow them, and nothing else: no trailing
    /// commas, no single quotes, no `NaN`.
    ///
    /// - The same name twice in one object is an error: in a settings file one of the two is a mistake.
    ///   (parson, which reads Semtech's `global_conf.json`, refuses it too.)
    /// - A whole number that fits is an `Int64`, or a `UInt64`; every other number is the nearest `Double`; one too large for a
    ///   `Double` is an error.
    /// - A surrogate without its other half (`"\ud800"`) and bytes that are not UTF-8 are errors, except within
    ///   comments, where anything may stand.
    /// - A byte order mark at the start is ignored (RFC 8259, section 8.1).
    ///
    /// The error's message begins with `name:line:column:`, counted from 1, columns in Unicode scalars. Nothing that
    /// is parsed can trap.
    ///
    /// - Parameters:
    ///   - bytes: The text in UTF-8.
    ///   - name: What to call the text in errors: the file's path, the peer's topic.
    public init(
        parsing bytes: some Sequence<UInt8>, named name: String = "JSON", options: JSONParsingOptions = .settingsFile
    ) throws(DeviceError) {
        var parser = JSONParser(bytes: Array(bytes), name: name, options: options)
        self = try parser.parse()
    }

    /// Reads a JSON text; see ``init(parsing:named:options:)``.
    public init(
        parsing text: some StringProtocol, named name: String = "JSON", options: JSONParsingOptions = .settingsFile
    ) throws(DeviceError) {
        try self.init(parsing: text.utf8, named: name, options: options)
    }
}

/// A recursive descent over the bytes. `JSONParser+Scalars.swift` holds strings and numbers.
struct JSONParser {
    let bytes: [UInt8]
    let name: String
    let options: JSONParsingOptions
    var position = 0

    /// The byte at the position, nil at the end.
    var current: UInt8? { peek(0) }

    /// The byte that many bytes after the position, nil after the end.
    func peek(_ distance: Int) -> UInt8? {
        let index = position + distance
        return bytes.indices.contains(index) ? bytes[index] : nil  // safe: looked up before
    }

    /// The whole text as one value.
    mutating func parse() throws(DeviceError) -> JSONValue {
        guard bytes.count <= options.maximumSize else {
            throw DeviceError(
                options.errorCode, "\(name) has \(bytes.count) bytes, more than the \(options.maximumSize) allowed")
        }
        if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF]) {
            throw error("this is UTF-16", hint: "Save the file as UTF-8")
        }
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
        try skipBlanks()
        guard current != nil else { throw error("there is no JSON value here", hint: "The least is {}") }
        let value = try parseValue(depth: 0)
        try skipBlanks()
        guard current == nil else {
            throw error("\(found) after the end of the value", hint: "Only one value may stand here")
        }
        return value
    }

    private mutating func parseValue(depth: Int) throws(DeviceError) -> JSONValue {
        guard let byte = current else { return try parseWord() }
        switch byte {
        case UInt8(ascii: "{"): return try parseObject(depth: depth)
        case UInt8(ascii: "["): return try parseArray(depth: depth)
        case UInt8(ascii: "\""): return .string(try parseString())
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try parseNumber()
        case UInt8(ascii: "+"), UInt8(ascii: "."):
            throw error("\(found) cannot begin a number", hint: "Write 1 and 0.5, not +1 and .5")
        default: return try parseWord()
        }
    }

    /// `true`, `false`, `null`, or the error that fits what stands here.
    private mutating func parseWord() throws(DeviceError) -> JSONValue {
        var end = position
        while end < bytes.count, end - position < 32, bytes[end].isWordCharacter { end += 1 }  // safe: end < count
        let word = String(decoding: bytes[position..<end], as: UTF8.self)  // safe: end <= count
        let value: JSONValue
        switch word {
        case "true": value = true
        case "false": value = false
        case "null": value = .null
        case "": throw error("a value is missing before \(found)", hint: missingValueHint)
        default:
            let known = ["true", "false", "null"].first { $0 == word.lowercased() }
            throw error(
                "\(word) is no JSON value",
                hint: known.map { "Write \($0) in small letters" } ?? "Put text into double quotes")
        }
        position = end
        return value
    }

    private var missingValueHint: String {
        switch current {
        case UInt8(ascii: "'"): "Put text into double quotes"
        case UInt8(ascii: "]"): "Remove the comma before it"
        case UInt8(ascii: "/"), UInt8(ascii: "#"): commentHint
        case nil: "The text ends too early"
        default: "Values are objects {}, arrays [], \"text\", numbers, true, false and null"
        }
    }

    private mutating func parseArray(depth: Int) throws(DeviceError) -> JSONValue {
        try enter(depth)
        var elements: [JSONValue] = []
        try skipBlanks()
        if skip("]") { return .array(elements) }
        while true {
            elements.append(try parseValue(depth: depth + 1))
            try skipBlanks()
            if skip("]") { return .array(elements) }
            guard skip(",") else { throw error("expected , or ] instead of \(found)", hint: separatorHint) }
            try skipBlanks()
        }
    }

    private mutating func parseObject(depth: Int) throws(DeviceError) -> JSONValue {
        try enter(depth)
        var members = JSONObject()
        try skipBlanks()
        if skip("}") { return .object(members) }
        while true {
            guard current == UInt8(ascii: "\"") else {
                throw error(
                    "expected a name in double quotes instead of \(found)",
                    hint: current == UInt8(ascii: "}") ? "Remove the comma before it" : separatorHint)
            }
            let start = position
            let key = try parseString()
            guard members[key] == nil else {
                throw error("\(JSONWriter.quoted(key)) is here a second time", at: start, hint: "Remove one of the two")
            }
            try skipBlanks()
            guard skip(":") else { throw error("expected : after the name instead of \(found)") }
            try skipBlanks()
            members[key] = try parseValue(depth: depth + 1)
            try skipBlanks()
            if skip("}") { return .object(members) }
            guard skip(",") else { throw error("expected , or } instead of \(found)", hint: separatorHint) }
            try skipBlanks()
        }
    }

    private var separatorHint: String? {
        switch current {
        case nil: "The text ends too early: a closing bracket or brace is missing"
        case UInt8(ascii: "\""), UInt8(ascii: "{"), UInt8(ascii: "["): "A comma is missing before it"
        case UInt8(ascii: "/"), UInt8(ascii: "#"): commentHint
        default: nil
        }
    }

    /// Steps over the opening bracket.
    private mutating func enter(_ depth: Int) throws(DeviceError) {
        let limit = min(options.maximumDepth, 256)
        guard depth < limit else { throw error("arrays and objects nest deeper than \(limit)") }
        position += 1
    }

    /// Steps over that character if it stands here.
    private mutating func skip(_ character: Unicode.Scalar) -> Bool {
        guard current == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }
}

extension UInt8 {
    /// Letters, digits and underscore: what an unquoted word or a number's tail is made of.
    var isWordCharacter: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
            true
        default: false
        }
    }

    /// `0` to `9`.
    var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }
}
