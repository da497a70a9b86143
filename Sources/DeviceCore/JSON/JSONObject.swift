/// The members of a JSON object: looked up by name, listed in the order in which they came.
///
/// Two objects are equal if they have equal members, in whatever order.
public struct JSONObject: Sendable, Equatable, Sequence, ExpressibleByDictionaryLiteral {
    /// The names in their order.
    public private(set) var keys: [String] = []
    private var values: [String: JSONValue] = [:]

    /// Makes an object without members.
    public init() {}

    /// Makes an object; of members with the same name the last one counts.
    public init(_ members: some Sequence<(String, JSONValue)>) {
        for (key, value) in members { self[key] = value }
    }

    /// Makes an object with its members in the order written.
    public init(dictionaryLiteral elements: (String, JSONValue)...) { self.init(elements) }

    /// The number of members.
    public var count: Int { keys.count }

    /// True without members.
    public var isEmpty: Bool { keys.isEmpty }

    /// The member of that name. A new one goes to the end; nil removes it.
    public subscript(key: String) -> JSONValue? {
        get { values[key] }
        set {
            if let newValue {
                if values.updateValue(newValue, forKey: key) == nil { keys.append(key) }
            } else if values.removeValue(forKey: key) != nil {
                keys.removeAll { $0 == key }
            }
        }
    }

    /// The members in their order.
    public func makeIterator() -> some IteratorProtocol<(key: String, value: JSONValue)> {
        keys.lazy.map { (key: $0, value: values[$0] ?? .null) }.makeIterator()
    }

    /// Compares names and values; the order does not count.
    public static func == (left: Self, right: Self) -> Bool { left.values == right.values }
}
