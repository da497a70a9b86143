/// Numbers for names, as scripts know topics (tid) and sub-topics (subtid).
///
/// The client finds the broker's own numbers by itself, anew at every node, so a script gets numbers that stay: they
/// begin where no broker has given one yet, with the highest bit set. At most ``limit`` names.
struct TopicNumbers {
    static let limit = 4096
    private static let first: UInt32 = 0x8000_0001

    private var names: [String] = []
    private var numbers: [String: UInt32] = [:]

    /// The number of a name, a new one where it has none; 0 when there are too many names.
    mutating func number(of name: String) -> UInt32 {
        if let number = numbers[name] { return number }
        guard names.count < Self.limit else { return 0 }
        let number = Self.first + UInt32(names.count)
        names.append(name)
        numbers[name] = number
        return number
    }

    /// The number of a name that has one.
    func known(_ name: String) -> UInt32? { numbers[name] }

    /// The name of a number, nil for one that was not given here.
    func name(of number: UInt32) -> String? {
        let index = Int(number) - Int(Self.first)
        return names.indices.contains(index) ? names[index] : nil  // safe: checked in the same line
    }
}
