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
        var isConnected = false
        var delivery = DeliveryEffects()
        /// What a session begins with. Its payloads are made by the application, so not under the lock.
        var announcements: [Announcement] = []
        var credentials: (seed: UInt32, address: String)?
        /// The session is over: why, and whether another attempt is senseless.
        var end: SMQSessionEnd?
    }

    let configuration: SMQClientConfiguration

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

    mutating func begin(_ url: BrokerURL, now: MonotonicTime) {
        var configuration = SMQClientStateMachine.Configuration(uid: self.configuration.uid)
        configuration.sendsHTTPRequest = url.framing == .raw
        configuration.host = url.authority
        configuration.path = url.path
        configuration.information = self.configuration.information
        configuration.handshake = self.configuration.handshakeTimeout
        configuration.pingAfter = self.configuration.pingAfter
        configuration.pingTimeout = self.configuration.pingTimeout
        var machine = SMQClientStateMachine(configuration)
        machine.start(now: now)
        self.machine = machine
        forgetSession()
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

    mutating func sendCredentials(_ credentials: [UInt8]) -> Effects {
        machine?.sendConnect(credentials: credentials)
        return handleEvents()
    }

    mutating func sayGoodbye() { machine?.output.writeSMQ(.disconnect) }

    // MARK: Receiving

    mutating func receive(_ bytes: ByteBuffer, now: MonotonicTime) -> Effects {
        var effects = Effects()
        route(into: &effects) { machine, onPublish in machine.receive(bytes, now: now, onPublish: onPublish) }
        // Each event can change who gets what follows it.
        while handleEvents(into: &effects) {
            route(into: &effects) { machine, onPublish in machine.proceed(onPublish: onPublish) }
        }
        return effects
    }

    /// Lets the machine read up to its next event and sorts the messages by receiver.
    private mutating func route(
        into effects: inout Effects,
        _ read: (inout SMQClientStateMachine, (UInt32, UInt32, UInt32, ByteBuffer) -> Void) -> Void
    ) {
        guard var machine = machine.take() else { return }
        let tables = (receivers: receivers, topics: topicNames, subtopics: subtopicNames, session: session)
        var received: UInt64 = 0
        var unclaimed: UInt64 = 0
        read(&machine) { destination, publisher, subtopic, payload in
            received += 1
            guard let receivers = tables.receivers[destination] else { return unclaimed += 1 }
            let message = SMQMessage(
                topic: tables.topics[destination], subtopic: subtopic == 0 ? nil : tables.subtopics[subtopic],
                publisher: SMQPeer(id: publisher, session: tables.session), payload: payload)
            for receiver in receivers where receiver.wants(message.subtopic) {
                if let last = effects.deliveries.indices.last, effects.deliveries[last].0 === receiver {
                    effects.deliveries[last].1.append(message)
                } else {
                    effects.deliveries.append((receiver, [message]))
                }
            }
        }
        self.received += received
        self.unclaimed += unclaimed
        self.machine = machine
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
            case .credentialsNeeded(let seed, let address):
                self.address = address
                if configuration.credentials == nil {
                    machine?.sendConnect(credentials: [])
                } else {
                    effects.credentials = (seed, address)
                }
            case .connected(let etid):
                open(etid: etid)
                effects.isConnected = true
                effects.announcements = announcements
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
        case .disconnected(let reason) where reason == "reconnect":
            DeviceError(
                .refused, "another client with the same unique id has taken this client's place",
                hint: "Give each client an id of its own")
        case .disconnected(let reason):
            DeviceError(.closed, "the broker ended the session" + (reason.isEmpty ? "" : " (\(reason.prefix(200)))"))
        case .lost: DeviceError(.closed, "the connection was lost")
        case .failed(let error): error
        }
    }

    /// Whether trying again would only do harm.
    func isFinal(wasEverConnected: Bool) -> Bool {
        switch self {
        case .disconnected(let reason): reason == "reconnect"
        case .lost: false
        case .failed(let error):
            // Wrong from the start is wrong settings; wrong later may be the broker's trouble and may pass.
            !wasEverConnected
                && [.permission, .refused, .invalidArgument, .unsupported, .configuration].contains(error.code)
        }
    }
}
