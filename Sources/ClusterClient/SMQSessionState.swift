import DeviceCore
import DeviceProtocols
import NIOCore

/// What a client knows: the wishes that outlive a session, and the tables of the session that is open.
///
/// A struct without I/O and without waiting; the client keeps it under one lock.
struct SMQSessionState {
    /// A name's id in this session.
    enum Name {
        case requested
        case known(UInt32)
        case denied
    }

    struct Pending {
        var destination: SMQDestination
        var subtopic: String?
        var payload: ByteBuffer
        /// Whose message it is, if somebody has to hear that it was denied.
        var ticket: LogTicket?
        /// A barrier instead of a message: a ping in the messages' order.
        var barrier: UInt64?
    }

    struct Announcement {
        var destination: SMQDestination
        var subtopic: String?
        var payload: @Sendable () -> ByteBuffer
    }

    /// What the owner of the state has to do after it has let go of the lock.
    struct Effects {
        var deliveries: [(SubscriptionWish, [SMQMessage])] = []
        var counts: [(ObservationWish, Int)] = []
        var endedObservations: [ObservationWish] = []
        var denied: [String] = []
        var delivery = DeliveryEffects()
        /// All topics that were asked for have their ids, or were denied.
        var isSettled = false
        var isAskedToLeave = false
        /// From a ping to its answer, when there was one.
        var roundTrip: Duration?
        /// What a session begins with. Its payloads are made by the application, so not under the lock.
        var announcements: [Announcement] = []
        /// The session is over, and why.
        var end: SMQSessionEnd?
    }

    /// A session that is only read from, because another one is in use now.
    struct Leaving {
        var machine: SMQClientStateMachine
        var receivers: [UInt32: [SubscriptionWish]]
        var topicNames: [UInt32: String]
        var subtopicNames: [UInt32: String]
        var session: UInt64
    }

    let configuration: SMQClientConfiguration
    var leaving: Leaving?

    // Wishes.
    var subscriptions: [UInt64: SubscriptionWish] = [:]
    var observations: [UInt64: ObservationWish] = [:]
    var announcements: [Announcement] = []
    var nextKey: UInt64 = 1

    // The session.
    var session: UInt64 = 0
    var machine: SMQClientStateMachine?
    var address = ""
    var topics: [String: Name] = [:]
    var topicNames: [UInt32: String] = [:]
    var subtopics: [String: Name] = [:]
    var subtopicNames: [UInt32: String] = [:]
    /// Topics for which a subscribe was sent in this session.
    var subscribed: Set<String> = []
    /// Subscribes whose answer has not come, by topic.
    var subscribesUnderWay: [String: Int] = [:]
    var deniedSubscriptions: Set<String> = []
    /// Ids of the topics whose subscription was accepted. Apart from `topics`, which is about publishing: a broker may
    /// permit one and not the other.
    var subscribedIDs: [String: UInt32] = [:]
    /// Who gets the messages of a topic id, or of the own ETID.
    var receivers: [UInt32: [SubscriptionWish]] = [:]
    var observedIDs: [UInt32: [ObservationWish]] = [:]
    var pending: [Pending] = []
    var pendingBytes = 0
    /// The barriers whose pongs have not come.
    var barriers: [(ping: UInt64, barrier: UInt64)] = []
    /// Messages that were denied while they waited.
    var denied: [LogTicket] = []

    // Counters.
    var published: UInt64 = 0
    var received: UInt64 = 0
    var unclaimed: UInt64 = 0

    init(_ configuration: SMQClientConfiguration) { self.configuration = configuration }

    var isOpen: Bool { machine?.isOpen ?? false }
    /// Bytes that wait for the socket, and payloads that wait for their topic's id.
    var outgoingBytes: Int { (machine?.output.readableBytes ?? 0) + pendingBytes }
    /// Whether publishers have to wait.
    var isFull: Bool {
        outgoingBytes > configuration.outgoingBytes || pending.count >= configuration.pendingMessages
    }

    // MARK: Session

    /// A session that is ready becomes the one in use. One that was until now is read from a little longer.
    mutating func adopt(_ new: SMQClientStateMachine, address: String) -> Effects {
        var effects = Effects()
        var carried: [Pending] = []
        if let machine {
            carried = pending
            leaving = Leaving(
                machine: machine, receivers: receivers, topicNames: topicNames, subtopicNames: subtopicNames,
                session: session)
            effects = finish()
        }
        machine = new
        self.address = address
        open(etid: new.ownETID)
        // What waited for its topic's id; a peer's id means nothing here, and kept messages are sent anew.
        for message in carried where message.ticket == nil && message.barrier == nil { try? publish(message) }
        effects.announcements = announcements
        effects.isSettled = isSettled
        effects.delivery.session = session
        return effects
    }

    /// Every id of the session is void.
    mutating func finish() -> Effects {
        var effects = Effects()
        effects.delivery.ended = session
        for observation in observations.values {
            guard case .peer = observation.target else { continue }
            effects.endedObservations.append(observation)
            observations[observation.key] = nil
        }
        machine = nil
        forgetSession()
        return effects
    }

    private mutating func forgetSession() {
        topics = [:]
        topicNames = [:]
        subtopics = [:]
        subtopicNames = [:]
        subscribed = []
        subscribesUnderWay = [:]
        deniedSubscriptions = []
        subscribedIDs = [:]
        receivers = [:]
        observedIDs = [:]
        pending = []
        pendingBytes = 0
        barriers = []
        denied = []
    }

    mutating func tick(now: MonotonicTime) -> (MonotonicTime, Effects) {
        let next = machine?.tick(now: now) ?? .distantFuture
        return (next, handleEvents())
    }

    // MARK: Receiving

    mutating func receive(_ bytes: ByteBuffer, now: MonotonicTime) -> Effects {
        var effects = Effects()
        let roundTrip = machine?.roundTrip
        route(into: &effects) { machine, onPublish in machine.receive(bytes, now: now, onPublish: onPublish) }
        goOn(into: &effects)
        if machine?.roundTrip != roundTrip { effects.roundTrip = machine?.roundTrip }
        return effects
    }

    /// Goes on with what the machine had received when it was adopted.
    mutating func proceed() -> Effects {
        var effects = Effects()
        route(into: &effects) { machine, onPublish in machine.proceed(onPublish: onPublish) }
        goOn(into: &effects)
        return effects
    }

    private mutating func goOn(into effects: inout Effects) {
        // Each event can change who gets what follows it.
        while handleEvents(into: &effects) {
            route(into: &effects) { machine, onPublish in machine.proceed(onPublish: onPublish) }
        }
    }

    /// Messages that come through the session that is being left.
    mutating func receiveLeaving(_ bytes: ByteBuffer, now: MonotonicTime) -> Effects {
        var effects = Effects()
        guard var leaving else { return effects }
        self.leaving = nil
        var sorter = MessageSorter(
            receivers: leaving.receivers, topics: leaving.topicNames, subtopics: leaving.subtopicNames,
            session: leaving.session)
        leaving.machine.receive(bytes, now: now) { sorter.add($0, $1, $2, $3) }
        // Nothing is asked for any more: its answers are of no interest, what follows them is.
        while !leaving.machine.takeEvents().isEmpty { leaving.machine.proceed { sorter.add($0, $1, $2, $3) } }
        take(sorter, into: &effects)
        self.leaving = leaving
        return effects
    }

    /// Lets the machine read up to its next event.
    private mutating func route(
        into effects: inout Effects,
        _ read: (inout SMQClientStateMachine, (UInt32, UInt32, UInt32, ByteBuffer) -> Void) -> Void
    ) {
        guard var machine = machine.take() else { return }
        var sorter = MessageSorter(
            receivers: receivers, topics: topicNames, subtopics: subtopicNames, session: session)
        read(&machine) { sorter.add($0, $1, $2, $3) }
        self.machine = machine
        take(sorter, into: &effects)
    }

    private mutating func take(_ sorter: MessageSorter, into effects: inout Effects) {
        effects.deliveries += sorter.deliveries
        received += sorter.received
        unclaimed += sorter.unclaimed
    }

    private mutating func handleEvents() -> Effects {
        var effects = Effects()
        _ = handleEvents(into: &effects)
        return effects
    }

    /// - Returns: whether there were any.
    private mutating func handleEvents(into effects: inout Effects) -> Bool {
        let events = machine?.takeEvents() ?? []
        for event in events {
            switch event {
            // Both came before the session was adopted.
            case .credentialsNeeded, .connected: break
            case .askedToLeave: effects.isAskedToLeave = true
            case .acknowledged(let type, let name, let id):
                acknowledge(type, String(buffer: name), id, &effects)
            case .changed(let id, let subscribers):
                for observation in observedIDs[id] ?? [] {
                    effects.counts.append((observation, Int(subscribers)))
                    if case .peer = observation.target, subscribers == 0 {
                        observedIDs[id] = nil
                        observations[observation.key] = nil
                        effects.endedObservations.append(observation)
                    }
                }
            case .pong(let number): passed(ping: number, into: &effects.delivery)
            case .disconnected(let reason): effects.end = .disconnected(reason: reason)
            case .failed(let error): effects.end = .failed(error)
            }
        }
        effects.delivery.session = session
        effects.delivery.denied += denied
        denied = []
        return !events.isEmpty
    }
}

/// Why a session or an attempt is over.
enum SMQSessionEnd: Sendable {
    /// The broker said goodbye.
    case disconnected(reason: String)
    /// The connection ended without a word.
    case lost
    /// The handshake or the protocol failed, or the broker refused.
    case failed(DeviceError)

    /// The reason for a person.
    var error: DeviceError {
        switch self {
        case .disconnected(let reason) where reason == SMQGoodbye.reconnect:
            DeviceError(
                .refused, "another client with the same unique id has taken this client's place",
                hint: "Give each client an id of its own")
        case .disconnected(let reason):
            DeviceError(.closed, "the broker ended the session" + (reason.isEmpty ? "" : " (\(reason.prefix(200)))"))
        case .lost: DeviceError(.closed, "the connection was lost")
        case .failed(let error): error
        }
    }

    /// Whether another connection with the same unique id has taken the place.
    var isReplaced: Bool { if case .disconnected(SMQGoodbye.reconnect) = self { true } else { false } }

    /// Whether trying again would only do harm, unless there was a session before: wrong from the start is wrong
    /// settings; wrong later may be the broker's trouble and may pass.
    var isFinal: Bool {
        guard case .failed(let error) = self else { return false }
        return [.permission, .refused, .invalidArgument, .unsupported, .configuration].contains(error.code)
    }

    /// Whose fault it is.
    var blame: ClusterFailure {
        if case .failed(let error) = self, [.configuration, .invalidArgument].contains(error.code) { return .nobody }
        return .node
    }

    /// The same for counting.
    var cause: SMQLossCause {
        switch self {
        case .disconnected: .goodbye
        case .lost: .connectionLost
        case .failed(let error): error.code == .timedOut ? .silence : .protocolError
        }
    }
}
