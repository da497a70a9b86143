/// What a broker allows its clients. Each limit has a policy, and a counter in ``SMQBrokerStatistics``.
public struct SMQBrokerLimits: Sendable {
    /// Clients with a session at once; more are refused with code 2, except who takes the place of its own older session.
    public var clients = 10_000
    /// Connections beyond ``clients`` that may say who they are, or be told why they may not stay; more are refused.
    public var handshakes = 500
    /// Topics, and sub-topics, with a name: four for each client. When full, the name that no connection has used for
    /// the longest time makes room; else denied.
    public var topics = 40_000
    /// Topics that one client may have created, subscribed to or observed, and as many sub-topics; more are denied.
    public var topicsPerClient = 1_000
    /// Length of a topic's name in bytes; longer ones are denied.
    public var topicNameLength = 255
    /// Largest frame accepted, and what one would be that comes in pieces; a longer one closes the session.
    public var frameLength = SMQSize.maximumFrame
    /// Bytes waiting for one client; when it does not read and more come, it is dropped.
    public var queuedBytesPerClient = 4 << 20
    /// Bytes waiting for all clients, with what was given to their sockets and not taken by the system yet, and messages in
    /// pieces whose end has not come; above it the client with the longest queue is dropped.
    public var queuedBytes = 128 << 20
    /// Bytes waiting for one client from which its publishers are held back, ``stall`` at most.
    public var stallThreshold = 256 << 10
    /// How long a publisher is held back for a receiver, and again while that one reads fast enough (a quarter of
    /// ``stallThreshold`` in that time).
    public var stall: Duration = .milliseconds(5)
    /// Waits in vain after which a receiver is not waited for any more: one that does not read costs its publishers
    /// this many times ``stall``, once. It takes some turns of the system's scheduler until a receiver on a busy machine
    /// gets a processor: with 5 ms in all, 4 of 12 full-speed readers were dropped there, with 50 ms 6 of 70.
    public var idleStalls = 20
    /// Links to other nodes that have proved to know the password; more are closed.
    public var links = 32
    /// Connections that came to the link port and have not proved anything; one more takes the place of the oldest, because
    /// a node proves itself within milliseconds.
    public var unprovenLinks = 16
    /// Of these, from one address.
    public var unprovenLinksPerAddress = 4
    /// Connections that this node has made to others and that have not proved anything; more have to wait.
    public var unprovenDials = 16
    /// Bytes waiting for one link; when the other node does not read and more come, the link is dropped. A blast brings
    /// 200 MB/s: with 8 MB a node that got no processor for 80 ms lost its link, in 1 of 12 blasts on a busy machine.
    public var queuedBytesPerLink = 32 << 20
    /// As ``idleStalls``, for links: nodes that hang cost a publisher 25 ms, however many they are. With 40 ms a survivor's
    /// subscriber waited up to 57 ms on a busy machine. Clients that do not read cost a link as much, because everything
    /// else from its node waits with it.
    public var idleStallsPerLink = 5
    /// Time that gives back one of ``idleStallsPerLink``.
    public var stallRecovery: Duration = .milliseconds(200)
    /// Clients of other nodes that can be answered; more make those forget that were silent longest.
    public var phantoms = 100_000
    /// How long a subscription waits at most until the other nodes have confirmed it.
    public var confirmation: Duration = .milliseconds(200)
    /// How long a client waits at most for an answer on what it wants; then it is refused. Looked at in ``SMQBrokerStateMachine/tick(now:)``.
    public var question: Duration = .seconds(1)
    /// Bytes that a client may have sent while it waits for an answer; its owner stops reading, so more come only from one
    /// that was read before. More end the session.
    public var heldInputBytes = 1 << 20
    /// Bytes of answers to one client that wait for a confirmation; more are sent without.
    public var heldBytes = 64 << 10
    /// Messages and requests a second from one client, with a burst of one second; above it the client is read more slowly.
    public var messagesPerSecond: Int?
    /// Bytes a second from one client, with a burst of one second; above it the client is read more slowly.
    public var bytesPerSecond: Int?
    /// Time for a client to send its connect; the vendor's broker waits as long.
    public var handshake: Duration = .seconds(4)
    /// A client from which nothing was heard for so long is sent a ping.
    public var pingAfter: Duration = .seconds(30)
    /// A client that does not answer the ping for so long is dropped.
    public var pingTimeout: Duration = .seconds(10)

    /// The default limits.
    public init() {}
}

/// Why a broker ended a session.
public enum SMQCloseReason: String, Sendable, CaseIterable {
    /// The client said goodbye.
    case clientDisconnected = "client-disconnected"
    /// The connection ended without a goodbye.
    case connectionLost = "connection-lost"
    /// Another connection came with the same unique id.
    case takenOver = "taken-over"
    /// The client did not read and its queue was full.
    case slowConsumer = "slow-consumer"
    /// All queues together were full and this one was the longest.
    case queueMemory = "queue-memory"
    /// The client sent what the protocol does not allow.
    case protocolViolation = "protocol-violation"
    /// No connect came in time.
    case handshakeTimeout = "handshake-timeout"
    /// No answer to a ping.
    case pingTimeout = "ping-timeout"
    /// The connect was refused.
    case refused
    /// The broker ends.
    case shutdown
}

/// Counters of a broker since its start. A snapshot; it costs nothing to keep.
public struct SMQBrokerStatistics: Sendable {
    /// Publishes read from clients (a fragmented one counts once).
    public var messagesReceived: UInt64 = 0
    /// Publishes queued to receivers.
    public var messagesDelivered: UInt64 = 0
    /// Bytes read from clients.
    public var bytesReceived: UInt64 = 0
    /// Bytes queued to clients.
    public var bytesQueued: UInt64 = 0
    /// Publishes to an id that nobody has or listens to; they are dropped, as the protocol says.
    public var unroutable: UInt64 = 0
    /// Publishes that a client's own largest frame did not allow.
    public var tooLongForReceiver: UInt64 = 0
    /// Publishes dropped because the permit hook had not allowed the topic to the client, or the message was refused.
    public var forbidden: UInt64 = 0
    /// Questions about what clients want to do.
    public var asked: UInt64 = 0
    /// Those that nobody answered in time.
    public var unanswered: UInt64 = 0
    /// Names denied by a limit or by the permit hook.
    public var denied: UInt64 = 0
    /// Times a publisher was held back for a receiver.
    public var stalls: UInt64 = 0
    /// Times a client was read more slowly because of its rate.
    public var throttled: UInt64 = 0
    /// Clients asked to find another node.
    public var askedToLeave: UInt64 = 0
    /// Connections refused because the broker wants to end.
    public var refusedWhileDraining: UInt64 = 0
    /// Sessions accepted.
    public var accepted: UInt64 = 0
    /// Connections refused because of the limit on clients.
    public var refusedAtLimit: UInt64 = 0
    /// Sessions ended, by reason.
    public var closed: [SMQCloseReason: UInt64] = [:]

    /// Counters at zero.
    public init() {}
}
