/// Numbers of the protocol between brokers.
///
/// A link is one TCP connection between two nodes, over which named channels run. Everything on it is a frame: a u32
/// length that counts its own header, a u16 id, the data; all integers big-endian. Ids below 100 are the link's own.
/// Source: the vendor's link and cluster modules, and a recorded link (Tests/Vectors/smq-cluster-link.txt).
public enum SMQLinkFormat {
    /// Length and id.
    public static let headerLength = 6
    /// The first frame of each end, whole.
    public static let greetingLength = 18
    /// The second frame of each end, whole: 64 bytes of HMAC-SHA-512.
    public static let proofLength = 70
    /// The smallest id of a channel.
    public static let firstChannel: UInt16 = 100
    /// Header, message type, three ids: what a forwarded publish has before its payload.
    public static let publishHeader = headerLength + 13
    /// The longest frame that is of any use: a forwarded publish with the longest payload.
    public static let maximumFrame = publishHeader + SMQSize.maximumPayload
    /// Where links listen unless told otherwise; the vendor's examples use it too.
    public static let defaultPort = 1900
    static let magicBegin: UInt32 = 0x0015_A5A5
    static let magicEnd: UInt32 = 0xA5A5_5AAA
}

/// The link's own frames, after the handshake, whose frames have the id 0.
public enum SMQLinkControl: UInt16, Sendable, CaseIterable {
    /// u16 channel id, name: what comes on that id from now on is for the sender's channel of that name.
    case open = 1
    /// u16 length of the name, name, text: the channel ends.
    case close = 2
    /// Are you still there? Asked when a second link of the same node comes.
    case checkRequest = 3
    /// Yes.
    case checkResponse = 4
    /// Are you there?
    case ping = 5
    /// The answer. The vendor's node ends a link on which it comes unasked.
    case pong = 6
}

/// The messages of the channel on which brokers talk; the first byte of a frame's data.
public enum SMQLinkMessageType: UInt8, Sendable, CaseIterable {
    /// u32 the sender's topic id, name: the sender has a subscriber.
    case subscribe = 1
    /// Name: the sub-topic of the publish that follows.
    case subtopic = 3
    /// u32 the sender's sub-topic id, name: the answer to a sub-topic.
    case subtopicAck = 4
    /// u32 the receiver's topic id or ETID, u32 the publisher's ETID, u32 sub-topic id, payload.
    case publish = 5
    /// u32 the sender's topic id: its last subscriber has gone.
    case unsubscribe = 7
    /// u32 ETID: that client has gone.
    case release = 8
    /// u32 the publisher's ETID, u32 sub-topic id, payload: for the program that has the broker.
    case serverMessage = 10
}

/// A channel of a link.
public enum SMQLinkChannel: String, Sendable, CaseIterable {
    /// What the vendor's brokers open first; subscriptions and publishes.
    case smq = "SMQ-1"
    /// What only nodes of this package open: node ids, states, confirmed subscriptions. The vendor's nodes remember the
    /// name and send nothing on it.
    case node = "DeviceSDK-1"
}

/// Why a link was ended: what the other end sent, or did not send.
public enum SMQLinkError: Error, Equatable, Sendable, CustomStringConvertible {
    /// A frame's length is not possible, or not allowed now.
    case badLength(Int, id: UInt16)
    /// The first frame is not that of a node.
    case badGreeting
    /// The other end does not know the cluster's password.
    case wrongPassword
    /// Weights that make the handshake prove nothing.
    case badWeight
    /// A frame that is shorter than its fields.
    case truncated(id: UInt16, length: Int)
    /// A channel id below 100, or that of another channel.
    case badChannel(UInt16)
    /// A message type that nobody knows, in a channel of ours.
    case unknownMessage(UInt8)
    /// This end has no HMAC.
    case noCrypto

    /// One clause that names the fault.
    public var description: String {
        switch self {
        case .badLength(let length, let id): "a frame of \(length) bytes with the id \(id)"
        case .badGreeting: "a first frame that is no node's"
        case .wrongPassword: "another cluster password"
        case .badWeight: "a weight that this node has chosen itself"
        case .truncated(let id, let length): "a frame with the id \(id) of only \(length) bytes"
        case .badChannel(let id): "the impossible channel \(id)"
        case .unknownMessage(let type): "the unknown node message \(type)"
        case .noCrypto: "no HMAC on this machine"
        }
    }
}
