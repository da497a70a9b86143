/// The type byte of a SMQ message, and with it who may send it.
///
/// Source: SMQ specification, "message types"; 2 in version 2 and the use of 19 as the vendor's C client sends them.
public enum SMQMessageType: UInt8, Sendable, CaseIterable {
    /// Broker to client: protocol version, seed for credentials, the client's address as the broker sees it.
    case initialize = 1
    /// Client to broker: unique id, credentials, information text.
    case connect = 2
    /// Broker to client: code and the connection's ephemeral topic id (ETID).
    case connack = 3
    /// Client to broker: a topic's name.
    case subscribe = 4
    /// Broker to client: status, topic id, the name again.
    case suback = 5
    /// Client to broker: a topic's name, to learn its id.
    case create = 6
    /// Broker to client: status, topic id, the name again.
    case createack = 7
    /// Both: destination, publisher, sub-topic, payload.
    case publish = 8
    /// Client to broker: a topic id; not acknowledged.
    case unsubscribe = 9
    /// Both: the end of the session, with an optional reason text.
    case disconnect = 11
    /// Both: "are you there".
    case ping = 12
    /// Both: the answer to a ping.
    case pong = 13
    /// Client to broker: tell me how many subscribers this topic or ETID has; not acknowledged.
    case observe = 14
    /// Client to broker: no longer tell me; not acknowledged.
    case unobserve = 15
    /// Broker to client: the subscriber count of an observed id.
    case change = 16
    /// Client to broker: a sub-topic's name, to learn its id.
    case createsub = 17
    /// Broker to client: status, sub-topic id, the name again.
    case createsuback = 18
    /// Client to broker, not over WebSocket: a part of a large publish.
    case pubfrag = 19
}

/// How a connection separates its messages.
public enum SMQFraming: Sendable {
    /// TCP or TLS: a 16-bit length that counts itself, the type, the body.
    case raw
    /// WebSocket: one binary message each, without the length.
    case webSocket
}

/// The largest things that the protocol's 16-bit length allows.
public enum SMQSize {
    /// Smallest raw frame: length and type.
    public static let minimumFrame = 3
    /// Largest raw frame.
    public static let maximumFrame = 65535
    /// Bytes of a raw publish before its payload.
    public static let publishHeader = 15
    /// Largest payload of one publish.
    public static let maximumPayload = maximumFrame - publishHeader
    /// Largest payload that fragments may add up to (measured with the vendor's broker: payload + 13 <= 65520).
    public static let maximumFragmentedPayload = 65507
    /// Shortest unique id that the vendor's broker accepts.
    public static let minimumUID = 6
    /// Longest unique id and longest credentials: their length is one byte.
    public static let maximumUID = 255
}

/// Texts in a broker's Disconnect that a client has to know.
public enum SMQGoodbye {
    /// Another client with the same unique id has taken the place (the vendor's broker says it so).
    public static let reconnect = "reconnect"
    /// The broker wants to end and asks this client to find another node, at once. Ours knows that the session is served
    /// for a while yet. Other clients are not told: some of them never connect again after a Disconnect.
    public static let drain = "drain"
    /// By this header of its HTTP request the broker knows our client.
    package static let userAgent = "DeviceSDK"
}

/// The answer to a connect.
public struct SMQConnackCode: RawRepresentable, Hashable, Sendable {
    /// The byte on the wire.
    public let rawValue: UInt8

    /// Makes a code from the byte on the wire.
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Accepted.
    public static let accepted = Self(rawValue: 0)
    /// The version is unknown, or the unique id is shorter than six bytes.
    public static let badVersion = Self(rawValue: 1)
    /// The broker cannot take clients now, or the connect came too late.
    public static let unavailable = Self(rawValue: 2)
    /// The credentials are wrong.
    public static let badCredentials = Self(rawValue: 3)
    /// A TLS client certificate is required.
    public static let certificateRequired = Self(rawValue: 4)
    /// The TLS client certificate is not accepted.
    public static let certificateRejected = Self(rawValue: 5)
    /// The broker's rules deny this client.
    public static let denied = Self(rawValue: 6)
}
