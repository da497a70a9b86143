import DeviceCore

/// What was wrong with a message of Basics Station's protocol.
public enum LNSError: Error, Hashable, Sendable, CustomStringConvertible {
    /// No JSON object; with the parser's sentence, in which the peer's words are escaped.
    case badJSON(String)
    /// A field is missing, of the wrong kind, or out of range.
    case field(GWMPError)
    /// A `msgtype` that stands for nothing on this way.
    case unknownMessage(String)
    /// A time of another session of the radio.
    case staleTime
    /// A message that needs what `router_config` says, before there was one.
    case notConfigured

    /// A stable word for counters and for limiting log lines.
    public var kind: String {
        switch self {
        case .badJSON: "bad-json"
        case .field(let error): error.kind
        case .unknownMessage: "unknown-message"
        case .staleTime: "stale-time"
        case .notConfigured: "not-configured"
        }
    }

    /// One clause that names the fault.
    public var description: String {
        switch self {
        case .badJSON(let message): message
        case .field(let error): error.description
        case .unknownMessage(let type): "the unknown message type \(JSONWriter.quoted(type.prefix(40)))"
        case .staleTime: "a time from before the radio's last start"
        case .notConfigured: "a message before router_config"
        }
    }
}
