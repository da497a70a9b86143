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
