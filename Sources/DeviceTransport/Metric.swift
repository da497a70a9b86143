/// A number that a program shows at `/metrics`.
public struct Metric: Sendable {
    /// What kind of number it is.
    public enum Kind: String, Sendable {
        /// Only grows, until the program ends.
        case counter
        /// Goes up and down.
        case gauge
    }

    /// Name by Prometheus' rules, with the unit at its end.
    public var name: String
    /// One sentence.
    public var help: String
    /// Counter or gauge.
    public var kind: Kind
    /// Values by the value of the label; one with an empty label where there is only one.
    public var values: [(label: String, value: Double)]
    /// The label's name, when there is one.
    public var label: String?

    /// A single number.
    public init(_ kind: Kind, _ name: String, _ help: String, _ value: some BinaryInteger) {
        self.init(kind, name, help, label: nil, [("", Double(value))])
    }

    /// Numbers that differ in one label.
    public init(
        _ kind: Kind, _ name: String, _ help: String, label: String?, _ values: [(label: String, value: Double)]
    ) {
        self.kind = kind
        self.name = name
        self.help = help
        self.label = label
        self.values = values
    }

    private static func escaped(_ text: String) -> String {
        guard text.contains(where: { $0 == "\\" || $0 == "\"" || $0 == "\n" }) else { return text }
        return text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }

    /// The number in Prometheus' text format.
    public var text: String {
        var lines = "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
        for (labelValue, value) in values {
            let selector = label.map { "{\($0)=\"\(Self.escaped(labelValue))\"}" } ?? ""
            let whole = Int64(exactly: value).map { "\($0)" } ?? "\(value)"
            lines += "\(name)\(selector) \(whole)\n"
        }
        return lines
    }
}
