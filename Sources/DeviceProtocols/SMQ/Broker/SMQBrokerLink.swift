public import DeviceCore
public import NIOCore

/// How a broker takes part in a cluster.
public struct SMQClusterSettings: Sendable {
    /// Password, HMAC and times of its links.
    public var link: SMQLinkStateMachine.Settings
    /// Tells this node from all others; a random number at each start.
    public var nodeID: UInt64
    /// For people; at most ``SMQNodeMessage/maximumName`` bytes.
    public var name: String
    /// How often the other nodes are told how this one does.
    public var statusInterval: Duration = .seconds(1)

    /// The usual times.
    public init(
        link: SMQLinkStateMachine.Settings, name: String, nodeID: UInt64 = UInt64.random(in: .min ... .max)
    ) {
        self.link = link
        self.name = name
        self.nodeID = nodeID
    }
}

/// Who is at the other end of a link.
public enum SMQNodeIdentity: Hashable, Sendable, CustomStringConvertible {
    /// A node of this package, by its id. An id of our own means that the connection leads to ourselves.
    case node(UInt64)
    /// The vendor's node at an address; there can be only one.
    case vendor(String)

    /// The id in hexadecimal, or the address.
    public var description: String {
        switch self {
        case .node(let id): String(id, radix: 16)
        case .vendor(let address): "vendor's at \(address)"
        }
    }
}

/// What another node's program has to say to this one's.
public struct SMQServerMessage: Equatable, Sendable {
    /// Where an answer goes to: an id of this node that stands for the other one's.
    public var publisher: UInt32
    /// The sub-topic's name; empty for none.
    public var subtopic: ByteBuffer
    /// What it says.
    public var payload: ByteBuffer
}

/// Why a link ended.
public enum SMQLinkCloseReason: String, Sendable, CaseIterable {
    /// The other end closed, or the network did.
    case connectionLost = "connection-lost"
    /// It had proved nothing yet, and others came.
    case crowdedOut = "crowded-out"
    /// No handshake in time.
    case handshakeTimeout = "handshake-timeout"
    /// The other end has another password.
    case wrongPassword = "wrong-password"
    /// The other end sent what the protocol does not allow.
    case protocolViolation = "protocol-violation"
    /// The connection led to this node itself.
    case ownAddress = "own-address"
    /// There is a link to that node already.
    case duplicate
    /// A newer link of the same node took its place.
    case replaced
    /// Nothing was heard in time.
    case dead
    /// The other end did not read and the queue was full.
    case queueFull = "queue-full"
    /// All queues together were full and this one was the longest.
    case queueMemory = "queue-memory"
    /// The other end closed the brokers' channel.
    case channelClosed = "channel-closed"
    /// The broker ends.
    case shutdown

    /// Whether the other end shall still read what waits for it: who this node is.
    public var leavesTimeToRead: Bool { self == .duplicate || self == .shutdown }
}

/// Counters of links since the broker's start.
public struct SMQLinkStatistics: Sendable {
    /// Publishes sent to other nodes, once for each node.
    public var messagesSent: UInt64 = 0
    /// Publishes that came from other nodes.
    public var messagesReceived: UInt64 = 0
    /// Of these, to an id that nobody here has or listens to.
    public var unroutable: UInt64 = 0
    /// Bytes read from links.
    public var bytesReceived: UInt64 = 0
    /// Links that carried messages.
    public var established: UInt64 = 0
    /// Connections closed because there were as many as allowed.
    public var refusedAtLimit: UInt64 = 0
    /// Subscriptions that all nodes confirmed in time.
    public var confirmed: UInt64 = 0
    /// Subscriptions that not all nodes confirmed in time.
    public var lateConfirmations: UInt64 = 0
    /// Names of other nodes that found no place here. Their subscriptions are not confirmed.
    public var denied: UInt64 = 0
    /// Clients of other nodes that were forgotten to make room.
    public var forgottenPhantoms: UInt64 = 0
    /// Links ended, by reason.
    public var closed: [SMQLinkCloseReason: UInt64] = [:]

    /// Counters at zero.
    public init() {}
}

/// A link at one moment.
public struct SMQLinkState: Sendable {
    /// The other node's name, or its address where it told none.
    public var name: String
    /// The other end's address.
    public var address: String
    /// The other node's id; nil for the vendor's, and before it is known.
    public var nodeID: UInt64?
    /// Whether messages go over it.
    public var isUp: Bool
    /// Whether the other end has the second channel, so that subscriptions are confirmed.
    public var confirms: Bool
    /// Since when it is up, or began.
    public var since: MonotonicTime
    /// Bytes that wait for it.
    public var queuedBytes: Int
    /// Publishes sent.
    public var sent: UInt64
    /// Publishes received.
    public var received: UInt64
    /// How the other node does, as it told last.
    public var status: NodeStatus?
}

/// What the broker knows of one link.
struct SMQBrokerLink {
    enum Remote {
        case topic(Int)
        case phantom(Int)
    }

    /// False for a place that may be used anew.
    var isInUse = true
    var slot: Int
    var machine: SMQLinkStateMachine
    var address: String
    /// Whether this node has made the connection.
    var isDialed: Bool
    var since: MonotonicTime
    var nodeID: UInt64?
    var name = ""
    /// Whether this end has opened the brokers' channel.
    var hasOpened = false
    var isActive = false
    /// The other node's ids, of topics and of clients.
    var remote: [UInt32: Remote] = [:]
    /// The other node's sub-topic ids by ours.
    var remoteSubtopics: [UInt32: UInt32] = [:]
    /// The sub-topic of the publish that comes next.
    var pendingSubtopic: UInt32?
    /// Subscriptions of the other node that found no place here, by its ids; tried again.
    var denied: [UInt32: ByteBuffer] = [:]
    /// Whether one did since the last request to confirm, which is not answered then.
    var hasDenied = false
    var status: NodeStatus?
    var sent: UInt64 = 0
    var received: UInt64 = 0

    /// Whether the other end has the channel of this package's nodes.
    var isOurs: Bool { machine.node.peer != 0 }
}

/// A client of another node.
struct Phantom {
    var id: UInt32
    var link: Int
    var remote: UInt32
    var observers: [Int] = []
    /// Whether it was heard since the hand of the clock passed it.
    var isFresh = true
    var isInUse = true
}

/// A subscription that other nodes have to confirm.
struct Confirmation {
    /// One, or all of which a node was told when it was linked.
    var topics: [Int]
    /// Whether they are such topics: they then share one.
    var isShared = false
    /// Who has not; one bit for each link.
    var links: UInt64
    var deadline: MonotonicTime
    var waiting: [SMQBrokerStateMachine.PeerID] = []
}
