public import NIOCore

/// What the authenticate hook decides on.
public struct SMQConnectRequest: Sendable {
    /// The client's unique id.
    public var uid: ByteBuffer
    /// The client's credentials, in a form that client and hook agree on.
    public var credentials: ByteBuffer
    /// The client's information text.
    public var information: String
    /// The seed that the client was sent.
    public var seed: UInt32
    /// The client's address.
    public var address: String
    /// The path and query that the client asked for.
    public var url: String
    /// Whether a live client has the same unique id, which it loses when this one is accepted.
    public var takesOver: Bool
}

/// The decision on a connect.
public enum SMQConnectDecision: Sendable, Equatable {
    /// Let the client in.
    case accept
    /// Let it in and ask about nothing that it does: a client of the program itself.
    case acceptOwn
    /// Refuse it, with a reason that the client is told.
    case refuse(SMQConnackCode, String)
}

/// What the permit hook decides on.
public struct SMQTopicRequest: Sendable {
    /// What the client wants with the name.
    public enum Operation: Sendable {
        /// Publish to the topic.
        case create
        /// Receive from the topic.
        case subscribe
        /// Use the name as a sub-topic.
        case createSubtopic
    }

    /// What the client wants.
    public var operation: Operation
    /// The topic's or sub-topic's name.
    public var name: String
    /// The client's unique id.
    public var uid: ByteBuffer
    /// The client's address.
    public var address: String
    /// The client's ETID.
    public var etid: UInt32 = 0
}

/// What the owner of a broker wants to be asked, or told, before or after it happens. None costs nothing.
public struct SMQQuestionKinds: OptionSet, Sendable {
    /// Its bits.
    public let rawValue: UInt8
    /// Makes a set of its bits.
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Creating, subscribing to and observing topics, and publishing to one that the client has not created.
    public static let topics = SMQQuestionKinds(rawValue: 1)
    /// Creating sub-topics.
    public static let subtopics = SMQQuestionKinds(rawValue: 2)
    /// Every message that a client publishes.
    public static let messages = SMQQuestionKinds(rawValue: 4)
    /// To be told of messages that nobody gets.
    public static let drops = SMQQuestionKinds(rawValue: 8)
}

/// What a client wants to do and waits to be permitted.
public enum SMQQuestion: Sendable {
    /// Use a name.
    case topic(SMQTopicRequest)
    /// Publish a message.
    case message(SMQPublishRequest)
}

/// A message that a client publishes.
public struct SMQPublishRequest: Sendable {
    /// The publisher's ETID.
    public var publisher: UInt32
    /// The topic's id or the receiver's ETID.
    public var destination: UInt32
    /// The topic's name; nil for a message to one client, and for an id that nobody has.
    public var topic: String?
    /// The sub-topic's id, 0 for none.
    public var subtopic: UInt32
    /// The sub-topic's name, where the broker knows it.
    public var subtopicName: String?
    /// The message.
    public var payload: ByteBuffer
}

/// A client's session that has begun or ended.
public struct SMQSessionChange: Sendable {
    /// The client's ETID.
    public var etid: UInt32
    /// Its unique id.
    public var uid: ByteBuffer
    /// Its information text; empty at the end.
    public var information: String
    /// Its address.
    public var address: String
    /// The path and query that it asked for.
    public var url: String
    /// The seed that it was sent.
    public var seed: UInt32
    /// Why the session has ended; nil for one that begins.
    public var end: SMQCloseReason?
}
