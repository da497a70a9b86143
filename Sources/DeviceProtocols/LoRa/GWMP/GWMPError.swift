import DeviceCore

/// What was wrong with a datagram of Semtech's UDP protocol, or with one rxpk in it.
public enum GWMPError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Shorter than the head that its type has.
    case truncated(length: Int, needed: Int)
    /// A protocol version that is neither 1 nor 2.
    case unknownVersion(UInt8)
    /// A type byte that stands for nothing.
    case unknownType(UInt8)
    /// The rest of the datagram is no JSON, or nests too deep, or holds NaN; with the parser's sentence, in which the peer's words are escaped.
    case badJSON(String)
    /// A field that has to be there is not.
    case missing(String)
    /// A field is, say, a string where a number has to be.
    case wrongKind(String, found: String)
    /// A number is outside what the field can mean.
    case outOfRange(String)
    /// A word that stands for nothing, for example in `modu` or `datr`.
    case unknownValue(String, String)
    /// `data` is not base64.
    case badBase64(String)
    /// `size` says something else than `data` has.
    case sizeMismatch(String, claimed: Int, actual: Int)
    /// More elements than a datagram of this protocol carries; those above the limit are ignored.
    case tooMany(String, limit: Int)

    /// A stable word for counters and for limiting log lines.
    public var kind: String {
        switch self {
        case .truncated: "truncated"
        case .unknownVersion: "unknown-version"
        case .unknownType: "unknown-type"
        case .badJSON: "bad-json"
        case .missing: "missing-field"
        case .wrongKind: "wrong-kind"
        case .outOfRange: "out-of-range"
        case .unknownValue: "unknown-value"
        case .badBase64: "bad-base64"
        case .sizeMismatch: "size-mismatch"
        case .tooMany: "too-many"
        }
    }

    /// One clause that names the fault. What the peer wrote is escaped and cut.
    public var description: String {
        switch self {
        case .truncated(let length, let needed): "a datagram of \(length) bytes, shorter than the \(needed) of its head"
        case .unknownVersion(let version): "protocol version \(version); 1 and 2 are known"
        case .unknownType(let type): "the unknown datagram type \(type)"
        case .badJSON(let message): message
        case .missing(let field): "\(field) is missing"
        case .wrongKind(let field, let found): "\(field) is \(found)"
        case .outOfRange(let field): "\(field) is outside its range"
        case .unknownValue(let field, let text): "\(field) has the unknown value \(JSONWriter.quoted(text.prefix(40)))"
        case .badBase64(let field): "\(field) is no base64"
        case .sizeMismatch(let field, let claimed, let actual):
            "\(field) says \(claimed) bytes, but there are \(actual)"
        case .tooMany(let field, let limit): "\(field) has more than \(limit) elements"
        }
    }
}
