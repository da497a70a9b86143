public import DeviceCore
public import NIOCore

/// Another client, or this one, as one session's broker knows it.
///
/// The number is valid only in that session: after a reconnect it may be anybody's, so publishing to it fails.
public struct SMQPeer: Hashable, Sendable {
    /// The ETID.
    public let id: UInt32
    /// The session that the id belongs to, counted by this client from 1.
    public let session: UInt64

    /// Makes a peer from an id that came by other means in the same session.
    public init(id: UInt32, session: UInt64) {
        self.id = id
        self.session = session
    }
}

/// Where a message goes.
public enum SMQDestination: Hashable, Sendable {
    /// All subscribers of a topic.
    case topic(String)
    /// One client.
    case peer(SMQPeer)
}

/// A message that was received.
public struct SMQMessage: Sendable {
    /// The topic's name, or nil when it was sent to this client alone.
    public var topic: String?
    /// The sub-topic's name, or nil for none or one that this client does not use.
    public var subtopic: String?
    /// Who published it; reply with `.peer(publisher)`.
    public var publisher: SMQPeer
    /// What was published.
    public var payload: ByteBuffer
}

/// What happens to a client's connection.
public enum SMQClientEvent: Sendable {
    /// A session is open. `address` is this client's own address as the broker sees it.
    case connected(node: String, address: String, session: UInt64)
    /// The session in use is another one than before. Comes after ``connected``.
    case moved(SMQMove)
    /// The session or the attempt ended, why, and when the next attempt starts; zero when one is under way.
    case disconnected(node: String, reason: String, hint: String?, retryIn: Duration, wasConnected: Bool)
    /// The broker does not permit a name.
    case denied(String)
    /// So many kept messages were given up since the last event of that reason; at most one a second for each.
    case dropped(UInt64, SMQDropReason)
    /// The outbox's disk does not take messages, or its directory cannot be opened. What is stored stays, and it is
    /// tried again by itself.
    case outboxFailed(DeviceError)
    /// The outbox's disk takes messages again.
    case outboxRecovered
    /// Something about the cluster that a person should know.
    case notice(String)
}
