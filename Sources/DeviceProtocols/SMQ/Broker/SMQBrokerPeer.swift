import DeviceCore
import NIOCore

/// What the broker knows of one connection.
struct SMQBrokerPeer {
    enum Phase: Equatable {
        case free
        case awaitingConnect
        case authenticating
        case open
        /// Not a client but a link to another node.
        case link
        case ending

        /// Whether the client may still be sent something.
        var isAlive: Bool {
            switch self {
            case .free, .ending: false
            case .awaitingConnect, .authenticating, .open, .link: true
            }
        }
    }

    var generation: UInt32 = 0
    var phase = Phase.free
    /// When the handshake has to be over.
    var deadline = MonotonicTime.distantFuture
    var framing = SMQFraming.raw
    var etid: UInt32 = 0
    var seed: UInt32 = 0
    var uid: ByteBuffer?
    var address = ""
    var url = ""
    /// Largest frame that the client takes, 0 for any.
    var maximumFrame = 0

    /// What waits for the client. Empty (and without storage) most of the time.
    var output = ByteBuffer()
    /// Bytes of earlier output that the socket has not taken yet.
    var handedOver = 0
    /// What the client costs in memory.
    var waitingBytes: Int { output.readableBytes + handedOver + fragments.readableBytes }
    var isDirty = false
    /// The beginning of a frame whose end has not come.
    var partial = ByteBuffer()
    /// The client's information text, while the authenticate hook still thinks and somebody follows sessions.
    var information = ""
    /// Whether what the authenticate hook decides by has changed since it was asked.
    var hasChanged = false
    /// What was sent while the authenticate hook still thinks.
    var early = ByteBuffer()
    /// Whether it is a client of the program itself, about which nobody is asked.
    var isOwn = false
    /// What the client wants, while somebody decides on it; until then nothing that it sent later is looked at.
    var question: SMQBrokerStateMachine.PendingQuestion?
    /// What was sent meanwhile, in order; nil without any, because an empty one has storage too.
    var heldInput: CircularBuffer<ByteBuffer>?
    var heldInputBytes = 0
    /// The answers on publishing to a topic.
    var answers: [Int: Bool] = [:]
    /// Fragments so far.
    var fragments = ByteBuffer()

    /// Topics that the client created, subscribed to or observes.
    var topics: Set<Int> = []
    /// The permit hook's answers on publishing to a topic.
    var mayPublish: [Int: Bool] = [:]
    var subtopics: Set<Int> = []
    var subscriptions: Set<Int> = []
    var observedTopics: Set<Int> = []
    var observedPeers: [SMQBrokerStateMachine.PeerID] = []
    /// Local ids of other nodes' clients that the client observes.
    var observedPhantoms: [UInt32] = []
    /// Slots of the clients that observe this one's ETID.
    var observers: [Int] = []

    /// Whether it is a link to another node, also while it ends.
    var isLink = false
    /// The index among the links, -1 for a client, and for a link that has left.
    var link = -1
    /// Links over which something of this client went: their nodes are told when it goes. One bit each.
    var knownToLinks: UInt64 = 0
    /// Answers that wait, in order, for subscriptions to be confirmed by the other nodes.
    var held: [HeldReply] = []
    var heldBytes = 0

    var lastReceived = MonotonicTime.zero
    var pingSent: MonotonicTime?

    /// When to ask the client to find another node.
    var leavesAt = MonotonicTime.distantFuture
    /// Whether it takes a Disconnect for a request to go elsewhere, as this package's client does.
    var knowsGoodbye = true

    /// Waits in which the client took next to nothing, since it last took its whole queue or enough of it; those of links
    /// for a client count in `linkWaits`.
    var idleWaits = 0
    /// Waits of links in which the client took next to nothing, since it last took enough of its queue, or its whole
    /// queue and a second has passed.
    var linkWaits = 0
    var lastLinkWait = MonotonicTime.zero
    var hasTakenSince = false
    /// As a link, waits of clients in which nothing was taken at all, since it took something.
    var vainWaits = 0
    /// Whether it is known to read: a client from which a link went on at its pace, a link that took anything, and none
    /// of which a later wait was in vain.
    var isReading = false
    /// Bytes that the socket took so far, and had taken when a wait for a link was last in vain.
    var taken = 0
    var takenBefore = 0
    /// As a publisher: waits in vain on links, or a link's on clients. Time gives them back.
    var patience = StallPatience()
    /// As a link, when it last waited for a client for which it has no patience left, to see how it reads now.
    var lastProbe = MonotonicTime.zero
    /// Waits of the present one so far.
    var waits = 0
    var waitingPublishers: [SMQBrokerStateMachine.PeerID] = []
    /// The receiver for which this client is held back.
    var waitsFor: SMQBrokerStateMachine.PeerID?

    var rateTime = MonotonicTime.zero
    /// Until then nothing is read from the client, so it cannot answer a ping.
    var pausedUntil = MonotonicTime.zero
    var messageCredit = 0.0
    var byteCredit = 0.0
    var hasRateCredit = false
    /// Whether it has used more than its rate allows, so that only time ends its pause.
    var isInDebt: Bool { messageCredit < 0 || byteCredit < 0 }
}

/// Waits in vain that somebody has spent of what they may in a while.
struct StallPatience {
    private(set) var spent = 0
    private var since = MonotonicTime.zero

    /// Gives one back for each interval that has passed.
    mutating func recover(now: MonotonicTime, every interval: Duration) {
        while spent > 0, since + interval <= now {
            spent -= 1
            since = since + interval
        }
        if spent == 0 { since = now }
    }

    mutating func spend(of limit: Int) { spent = min(spent + 1, limit) }

    /// Waits that have shown not to be in vain.
    mutating func giveBack(_ count: Int) { spent = max(0, spent - count) }
}

/// Answers to a client: a suback that waits for other nodes, and what must not overtake it.
struct HeldReply {
    /// The request that is waited for; 0 for none.
    var request: UInt32
    var bytes: ByteBuffer
}
