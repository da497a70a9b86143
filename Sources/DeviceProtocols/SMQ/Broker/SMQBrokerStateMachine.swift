public import DeviceCore
public import NIOCore

/// The SMQ broker without its sockets: sessions, topics, routing.
///
/// Bytes go in by ``receive(_:_:now:)``; what a client is to be sent gathers in its queue, which
/// ``takeOutput(_:)`` hands out; the queues that have something new are in ``takeDirty()``, and everything else
/// that the owner has to do is in ``takeActions()``. Not thread safe: it belongs to one event loop.
///
/// Facts: SMQ specification and the behaviour of the vendor's broker, for example that a topic's id and a
/// client's ETID share one number space, or that a new connection with the same unique id inherits the ETID.
public struct SMQBrokerStateMachine {
    /// A client's connection. Valid until it is detached.
    public struct PeerID: Hashable, Sendable {
        var slot: Int
        var generation: UInt32
    }

    /// What the owner of the state machine has to do.
    public enum Action: Sendable {
        /// Write the rest of the client's queue, then close its connection and detach it.
        case close(PeerID, SMQCloseReason)
        /// Ask the authenticate hook and answer by ``complete(_:_:now:)``.
        case authenticate(PeerID, SMQConnectRequest)
        /// Stop reading from the client, and give the answer by ``answer(_:_:_:now:)``.
        case ask(PeerID, UInt32, SMQQuestion)
        /// Read on from a client for which it was asked.
        case answered(PeerID)
        /// Stop reading from the client: for at most so long, or until ``resume``.
        case pause(PeerID, Duration)
        /// Read from the client again.
        case resume(PeerID)
        /// Close a link's connection and detach it.
        case closeLink(PeerID, SMQLinkCloseReason)
        /// Another node has said who it is; a link to it need not be looked for elsewhere.
        case identified(PeerID, SMQNodeIdentity)
        /// A link carries messages from now on.
        case linkUp(PeerID)
        /// A link that carried messages has ended.
        case linkDown(PeerID)
        /// Another node's program has something to say to this one's.
        case serverMessage(SMQServerMessage)
    }

    struct Topic {
        var name: ByteBuffer
        var id: UInt32
        var subscribers: [Int] = []
        var observers: [Int] = []
        /// Whether it stays on this node.
        var isLocal: Bool { name.getInteger(at: name.readerIndex, as: UInt8.self) == UInt8(ascii: "$") }
        /// Nodes with subscribers, and the id that they have for the topic.
        var remoteSubscribers: [RemoteSubscriber] = []
        /// Links whose nodes know that there are subscribers here; one bit each.
        var announced: UInt64 = 0
        /// The request that asks the other nodes to confirm the subscription; 0 for none.
        var confirmation: UInt32 = 0
        /// Connections that created, subscribed to or observe it; at 0 it may make room for another.
        var references = 0
        /// Whether it stands among the unused ones, where it may still stand when it is used again.
        var isListedUnused = false
    }

    struct Subtopic {
        var name: ByteBuffer
        var id: UInt32
        /// Connections that asked for it; at 0 it may make room for another.
        var references = 0
        /// As of a topic.
        var isListedUnused = false
    }

    enum Destination {
        case topic(Int)
        case peer(Int)
        /// A client of another node.
        case phantom(Int)
    }

    struct RemoteSubscriber: Equatable {
        var link: Int
        var id: UInt32
    }

    /// The limits that are in force.
    public let limits: SMQBrokerLimits
    /// The counters so far.
    public internal(set) var statistics = SMQBrokerStatistics()
    /// Whether a connect has to wait for ``complete(_:_:now:)``.
    public let authenticates: Bool
    let permit: (@Sendable (SMQTopicRequest) -> Bool)?
    let randomID: @Sendable () -> UInt32

    var peers: [SMQBrokerPeer] = []
    var freeSlots: [Int] = []
    var topics: [Topic] = []
    var destinations: [UInt32: Destination] = [:]
    var topicsByName: [ByteBuffer: Int] = [:]
    /// Topics that nobody used when they were put here, those first that have been unused longest.
    var unusedTopics = CircularBuffer<Int>()
    var subtopics: [Subtopic] = []
    var unusedSubtopics = CircularBuffer<Int>()
    var subtopicsByName: [ByteBuffer: Int] = [:]
    var subtopicIDs: [UInt32: Int] = [:]
    var peersByUID: [ByteBuffer: Int] = [:]
    var queuedBytes = 0
    /// Frames of clients that are no publishes and cost as much.
    var requestsReceived: UInt64 = 0
    /// Clients whose session is open.
    var sessions = 0
    /// Whether clients are asked to leave and new ones are not taken.
    public internal(set) var isDraining = false
    /// How it takes part in a cluster; nil for a broker that stands alone.
    public let cluster: SMQClusterSettings?
    /// The counters of links so far.
    public internal(set) var linkStatistics = SMQLinkStatistics()
    var links: [SMQBrokerLink] = []
    var linkSlots = 0
    /// Links that carry messages; one bit each.
    var activeLinks: UInt64 = 0
    var phantoms: [Phantom] = []
    var freePhantoms: [Int] = []
    var phantomHand = 0
    var confirmations: [UInt32: Confirmation] = [:]
    var lastRequest: UInt32 = 0
    var lastStatus = MonotonicTime.zero
    /// When clients were last told of the nodes.
    var lastReport: MonotonicTime?
    /// Frames on their way from a link to several receivers; kept for its storage.
    var scratch = ByteBuffer()
    var dirty: [PeerID] = []
    var actions: [Action] = []
    /// What is asked or told from now on.
    public var asks: SMQQuestionKinds = []
    var lastQuestion: UInt32 = 0
    var droppedMessages: [SMQPublishRequest] = []
    /// Whether ``takeSessionChanges()`` has something to tell.
    public var followsSessions = false
    var sessionChanges: [SMQSessionChange] = []
    /// Clients that were dropped while something was queued for them, and that are still in the tables; see `settle`.
    var dropped: [Int] = []

    /// Makes a broker without clients.
    ///
    /// - Parameters:
    ///   - authenticates: every connect becomes an `authenticate` action; otherwise everybody is accepted.
    ///   - permit: asked for each create, subscribe and createsub; nil permits all.
    ///   - cluster: how it takes part in a cluster; nil for a broker that stands alone.
    ///   - randomID: source of seeds and ids. They are addresses that a peer needs to reach another, so they come
    ///     from the system's cryptographic generator unless a test gives its own.
    public init(
        limits: SMQBrokerLimits = SMQBrokerLimits(), authenticates: Bool = false,
        permit: (@Sendable (SMQTopicRequest) -> Bool)? = nil, cluster: SMQClusterSettings? = nil,
        randomID: @escaping @Sendable () -> UInt32 = { UInt32.random(in: .min ... .max) }
    ) {
        self.limits = limits
        self.authenticates = authenticates
        self.permit = permit
        self.cluster = cluster
        self.randomID = randomID
    }

    /// Clients connected now, those in the handshake included.
    public var clientCount: Int { peers.count - freeSlots.count - linkSlots }
    /// Named topics now.
    public var topicCount: Int { topicsByName.count }
    /// Bytes that wait for clients now.
    public var queuedByteCount: Int { queuedBytes }

    // MARK: Connections

    /// Takes a new connection and queues its Init.
    ///
    /// Who it is, and so whether the limit on clients lets it in, is known at its connect.
    ///
    /// - Parameter knowsGoodbye: whether the client goes to another node when it gets a Disconnect. The vendor's page
    ///   never connects again after one, and the vendor's LED program ends: for those the connection just ends.
    /// - Returns: nil when there are as many connections as allowed; then close it.
    public mutating func attach(
        framing: SMQFraming, address: String, url: String = "", knowsGoodbye: Bool = true, now: MonotonicTime
    ) -> PeerID? {
        guard !isDraining else {
            statistics.refusedWhileDraining += 1
            return nil
        }
        guard clientCount < limits.clients + limits.handshakes else {
            statistics.refusedAtLimit += 1
            return nil
        }
        let slot = takeSlot()
        peers[slot].phase = .awaitingConnect
        peers[slot].deadline = now + limits.handshake
        peers[slot].framing = framing
        peers[slot].address = address
        peers[slot].url = url
        peers[slot].knowsGoodbye = knowsGoodbye
        peers[slot].seed = randomID()
        peers[slot].lastReceived = now
        peers[slot].rateTime = now
        let seed = peers[slot].seed
        queue(to: slot) { $0.writeSMQInit(seed: seed, address: address, framing: framing) }
        settle()
        return id(slot)
    }

    /// Forgets a connection that has ended: its subscriptions and its ETID go, its observers are told.
    public mutating func detach(_ id: PeerID) {
        guard let slot = slot(of: id) else { return }
        if peers[slot].phase == .link { linkStatistics.closed[.connectionLost, default: 0] += 1 }
        count(closing: slot, .connectionLost)
        beginEnding(slot)
        leave(slot)
        settle()
        if peers[slot].isLink { linkSlots -= 1 }
        let generation = peers[slot].generation
        peers[slot] = SMQBrokerPeer()
        peers[slot].generation = generation
        freeSlots.append(slot)
    }

    /// Ends every session, with a reason for the clients that go elsewhere then.
    public mutating func shutDown(reason: String) {
        for slot in peers.indices where peers[slot].phase.isAlive {
            if peers[slot].phase == .link {
                closeLink(slot, .shutdown)
            } else {
                dismiss(slot, .shutdown, text: reason)
            }
        }
        settle()
    }

    /// Does what is due: handshake deadlines and pings. Call it about twice a second.
    public mutating func tick(now: MonotonicTime) {
        for slot in peers.indices {
            if let question = peers[slot].question, question.deadline <= now {
                statistics.unanswered += 1
                answer(id(slot), question.number, false, now: now)
            }
            switch peers[slot].phase {
            case .awaitingConnect where peers[slot].deadline <= now,
                .authenticating where peers[slot].deadline <= now:
                refuse(slot, .unavailable, "no handshake within \(limits.handshake)", .handshakeTimeout)
            case .open where peers[slot].pausedUntil <= now && peers[slot].question == nil:
                if let sent = peers[slot].pingSent {
                    if sent + limits.pingTimeout <= now { dismiss(slot, .pingTimeout, text: "ping timeout") }
                } else if peers[slot].lastReceived + limits.pingAfter <= now {
                    peers[slot].pingSent = now
                    queue(to: slot) { [framing = peers[slot].framing] in $0.writeSMQ(.ping, framing: framing) }
                }
            default: break
            }
        }
        settle()
    }

    /// A place for a new connection.
    mutating func takeSlot() -> Int {
        let slot: Int
        if let free = freeSlots.popLast() {
            slot = free
        } else {
            slot = peers.count
            peers.append(SMQBrokerPeer())
        }
        let generation = peers[slot].generation &+ 1
        peers[slot] = SMQBrokerPeer()
        peers[slot].generation = generation
        return slot
    }

    // MARK: What the owner takes

    /// The clients whose queues have something new since the last call.
    public mutating func takeDirty() -> [PeerID] {
        guard !dirty.isEmpty else { return [] }
        var taken: [PeerID] = []
        swap(&taken, &dirty)
        for peer in taken { if let slot = slot(of: peer) { peers[slot].isDirty = false } }
        return taken
    }

    /// What is to be done since the last call, in order.
    public mutating func takeActions() -> [Action] {
        guard !actions.isEmpty else { return [] }
        var taken: [Action] = []
        swap(&taken, &actions)
        return taken
    }

    /// Everything that waits for a client. The owner calls it when the client's socket takes more, and
    /// ``written(_:_:)`` as soon as the socket has taken it: until then it counts as waiting.
    public mutating func takeOutput(_ id: PeerID) -> ByteBuffer? {
        guard let slot = slot(of: id), peers[slot].output.readableBytes > 0 else { return nil }
        var taken = ByteBuffer()
        swap(&taken, &peers[slot].output)
        if peers[slot].phase.isAlive { peers[slot].handedOver += taken.readableBytes }
        peers[slot].idleWaits = 0
        peers[slot].hasTakenSince = true
        if peers[slot].phase == .link { noteProgress(ofLink: slot) }
        if !peers[slot].waitingPublishers.isEmpty {
            noteReading(slot)
            resumePublishers(waitingFor: slot)
        }
        return taken
    }

    /// A client's socket has taken bytes of ``takeOutput(_:)``, so that they take no memory any more.
    public mutating func written(_ id: PeerID, _ count: Int) {
        // Whose session has ended has been given back as a whole.
        guard let slot = slot(of: id) else { return }
        let taken = min(count, peers[slot].handedOver)
        peers[slot].handedOver -= taken
        peers[slot].taken &+= taken
        queuedBytes -= taken
    }

    // MARK: Helpers for the other files

    func id(_ slot: Int) -> PeerID { PeerID(slot: slot, generation: peers[slot].generation) }

    func slot(of id: PeerID) -> Int? {
        guard peers.indices.contains(id.slot), peers[id.slot].generation == id.generation,
            peers[id.slot].phase != .free
        else { return nil }
        return id.slot
    }

    /// A random id that is not in use; ids of topics and of clients share one number space, 0 and 1 are reserved.
    func freshID() -> UInt32 {
        var id = randomID()
        while id < 2 || destinations[id] != nil { id = id &+ 0x9E37_79B9 }
        return id
    }

    /// Appends to a client's queue, unless it is ending.
    mutating func queue(to slot: Int, _ write: (inout ByteBuffer) -> Void) {
        guard peers[slot].phase.isAlive else { return }
        let before = peers[slot].output.readableBytes
        write(&peers[slot].output)
        queued(slot, peers[slot].output.readableBytes - before)
    }

    /// Accounts for bytes that were appended to a client's queue, and drops the client when that is too much.
    mutating func queued(_ slot: Int, _ count: Int) {
        queuedBytes += count
        statistics.bytesQueued &+= UInt64(truncatingIfNeeded: count)
        if !peers[slot].isDirty {
            peers[slot].isDirty = true
            dirty.append(id(slot))
        }
        let isLink = peers[slot].phase == .link
        if peers[slot].output.readableBytes > (isLink ? limits.queuedBytesPerLink : limits.queuedBytesPerClient) {
            abandon(slot, .slowConsumer)
        } else {
            limitMemory()
        }
    }

    /// Drops the client with the longest queue when all together are too long.
    mutating func limitMemory() {
        guard queuedBytes > limits.queuedBytes else { return }
        let alive = peers.indices.filter { peers[$0].phase.isAlive }
        let longest = alive.max { peers[$0].waitingBytes < peers[$1].waitingBytes }
        if let longest { abandon(longest, .queueMemory) }
    }

    /// Ends a session that may come back: with a Disconnect frame only where the client comes back after one.
    mutating func dismiss(_ slot: Int, _ reason: SMQCloseReason, text: String) {
        if peers[slot].knowsGoodbye { end(slot, reason, text: text) } else { close(slot, reason) }
    }

    /// Ends a session with a Disconnect frame.
    mutating func end(_ slot: Int, _ reason: SMQCloseReason, text: String) {
        guard peers[slot].phase.isAlive else { return }
        queue(to: slot) { [framing = peers[slot].framing] in
            $0.writeSMQ(.disconnect, text: text, framing: framing)
        }
        close(slot, reason)
    }

    /// Ends the session of a client that does not read: its queue is given back at once.
    ///
    /// Whoever queues something may be in the middle of a change to the tables, or of a walk through them, so the client
    /// leaves them only in ``settle()``.
    private mutating func abandon(_ slot: Int, _ reason: SMQCloseReason) {
        guard peers[slot].phase.isAlive else { return }
        giveBack(slot)
        peers[slot].output = ByteBuffer()
        if peers[slot].phase == .link {
            let reason: SMQLinkCloseReason = reason == .queueMemory ? .queueMemory : .queueFull
            linkStatistics.closed[reason, default: 0] += 1
            actions.append(.closeLink(id(slot), reason))
        } else {
            count(closing: slot, reason)
            actions.append(.close(id(slot), reason))
        }
        peers[slot].phase = .ending
        dropped.append(slot)
    }

    /// Takes the clients that were dropped out of the tables. Every change to the tables ends with it.
    mutating func settle() {
        // Telling their observers can drop others; each can be dropped once.
        while let slot = dropped.popLast() { leave(slot) }
    }

    mutating func close(_ slot: Int, _ reason: SMQCloseReason) {
        guard peers[slot].phase.isAlive else { return }
        count(closing: slot, reason)
        beginEnding(slot)
        leave(slot)
        actions.append(.close(id(slot), reason))
    }

    /// Before others are told of an end: what that leads to must not end this session a second time, nor another for
    /// the memory of a queue that is given back just now.
    mutating func beginEnding(_ slot: Int) {
        guard peers[slot].phase.isAlive else { return }
        giveBack(slot)
        peers[slot].phase = .ending
    }

    /// Counts a client whose session ends no more, nor what waits for it.
    private mutating func giveBack(_ slot: Int) {
        queuedBytes -= peers[slot].waitingBytes
        peers[slot].handedOver = 0
        peers[slot].fragments = ByteBuffer()
        if peers[slot].phase == .open { sessions -= 1 }
    }

    private mutating func count(closing slot: Int, _ reason: SMQCloseReason) {
        guard peers[slot].phase.isAlive, peers[slot].phase != .link else { return }
        statistics.closed[reason, default: 0] += 1
        if followsSessions, peers[slot].phase == .open { sessionChanges.append(change(slot, end: reason)) }
    }

    func change(_ slot: Int, information: String = "", end: SMQCloseReason? = nil) -> SMQSessionChange {
        SMQSessionChange(
            etid: peers[slot].etid, uid: peers[slot].uid ?? ByteBuffer(), information: information,
            address: peers[slot].address, url: peers[slot].url, seed: peers[slot].seed, end: end)
    }

    /// Sessions of clients that have begun and ended since the last call, in their order; none unless
    /// ``followsSessions``.
    public mutating func takeSessionChanges() -> [SMQSessionChange] {
        defer { sessionChanges = [] }
        return sessionChanges
    }

    private mutating func resumePublishers(waitingFor slot: Int) {
        for publisher in peers[slot].waitingPublishers {
            // It may wait for another receiver by now. Who was too fast waits for its rate and not only for this one.
            guard let waiting = self.slot(of: publisher), peers[waiting].waitsFor == id(slot) else { continue }
            peers[waiting].waitsFor = nil
            if !peers[waiting].isInDebt { actions.append(.resume(publisher)) }
        }
        peers[slot].waitingPublishers = []
    }

    /// Takes a client out of all tables and tells those who observe it.
    mutating func leave(_ slot: Int) {
        resumePublishers(waitingFor: slot)
        if peers[slot].link >= 0 { leaveLink(slot) }
        peers[slot].held = []
        peers[slot].heldBytes = 0
        peers[slot].question = nil
        peers[slot].heldInput = nil
        peers[slot].heldInputBytes = 0
        peers[slot].answers = [:]
        for topic in peers[slot].topics { release(topic, by: slot) }
        peers[slot].topics = []
        peers[slot].mayPublish = [:]
        for subtopic in peers[slot].subtopics { releaseSubtopic(subtopic) }
        peers[slot].subtopics = []
        for observed in peers[slot].observedPeers {
            peers[observed.slot].observers.removeAll { $0 == slot }
        }
        peers[slot].observedPeers = []
        for phantom in peers[slot].observedPhantoms { forgetObserver(slot, ofPhantom: phantom) }
        peers[slot].observedPhantoms = []
        guard peers[slot].etid != 0 else { return }
        let etid = peers[slot].etid
        if case .peer(slot)? = destinations[etid] {
            destinations[etid] = nil
            tellLinks(ofEnd: etid, knownTo: peers[slot].knownToLinks)
            for observer in peers[slot].observers {
                peers[observer].observedPeers.removeAll { $0.slot == slot }
                queue(to: observer) { [framing = peers[observer].framing] in
                    $0.writeSMQChange(id: etid, subscribers: 0, framing: framing)
                }
            }
        }
        peers[slot].observers = []
        peers[slot].etid = 0
        if let uid = peers[slot].uid, peersByUID[uid] == slot { peersByUID[uid] = nil }
    }
}

extension SMQBrokerStateMachine {
    /// Names of topics and sub-topics, in the order in which they came; at most so many of each.
    public func names(limit: Int) -> (topics: [String], subtopics: [String]) {
        (
            topics.lazy.filter { !$0.isReserved }.prefix(limit).map { $0.name.remainingText() },
            subtopics.prefix(limit).map { $0.name.remainingText() }
        )
    }

    /// A client's network address, for logs.
    public func address(of id: PeerID) -> String { slot(of: id).map { peers[$0].address } ?? "unknown" }
}
