/// A JSON value (RFC 8259), as read from a settings file or a peer, or about to be written.
///
/// ```swift
/// let line: JSONValue = ["event": "led", "id": 1, "on": true]
/// print(line)  // {"event":"led","id":1,"on":true}
/// ```
public enum JSONValue: Sendable, Equatable {
    /// `null`.
    case null
    /// `true` or `false`.
    case bool(Bool)
    /// A number written without fraction and exponent that fits; exact.
    case integer(Int64)
    /// A number written without fraction and exponent between 2^63 and 2^64; exact. Smaller ones are never this.
    case unsigned(UInt64)
    /// Any other number, as the nearest `Double`. Always finite when it was parsed.
    case number(Double)
    /// A string.
    case string(String)
    /// An array.
    case array([JSONValue])
    /// An object; keeps the order of its members.
    case object(JSONObject)

    /// The string, or nil if this is none.
    public var stringValue: String? {
        if case .string(let value) = self { value } else { nil }
    }

    /// The truth value, or nil if this is none.
    public var boolValue: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    /// The whole number, or nil if this is none. `1e3` and `7.0` are whole numbers too; a `Double` so large
    /// that it may have been rounded (from 2^53) is not, nor is what an `Int64` does not hold.
    public var integerValue: Int64? {
        switch self {
        case .integer(let value): value
        // Not Int64(exactly:), which needs libm's trunc: nothing here makes a program link libm.
        case .number(let value) where value.magnitude < 0x1p53 && Double(Int64(value)) == value: Int64(value)
        default: nil
        }
    }

    /// The whole number, or nil if this is none or below zero.
    public var unsignedValue: UInt64? {
        if case .unsigned(let value) = self { value } else { integerValue.flatMap { UInt64(exactly: $0) } }
    }

    /// The number as the nearest `Double`, or nil if this is none.
    public var doubleValue: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .unsigned(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }

    /// The elements, or nil if this is no array.
    public var arrayValue: [JSONValue]? {
        if case .array(let value) = self { value } else { nil }
    }

    /// The object, or nil if this is none.
    public var objectValue: JSONObject? {
        if case .object(let value) = self { value } else { nil }
    }

    /// True for `null`.
    public var isNull: Bool { self == .null }

    /// The member of that name, or nil if this is no object or has none.
    public subscript(key: String) -> JSONValue? { objectValue?[key] }

    /// The element at that index, or nil if this is no array or is shorter.
    public subscript(index: Int) -> JSONValue? {
        guard let elements = arrayValue, elements.indices.contains(index) else { return nil }
        return elements[index]  // safe: looked up above
    }

    /// What this is, for a message to a person: `a string`, `an object`, ...
    public var kind: String {
        switch self {
        case .null: "null"
        case .bool: "true or false"
        case .integer, .unsigned: "a whole number"
        case .number: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

// Not by nil: `object["name"] = nil` has to mean one thing.
extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    /// Makes a string.
    public init(stringLiteral value: String) { self = .string(value) }
    /// Makes a whole number.
    public init(integerLiteral value: Int64) { self = .integer(value) }
    /// Makes a number.
    public init(floatLiteral value: Double) { self = .number(value) }
    /// Makes a truth value.
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    /// Makes an array.
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    /// Makes an object with its members in the order written.
    public init(dictionaryLiteral elements: (String, JSONValue)...) { self = .object(JSONObject(elements)) }
}
