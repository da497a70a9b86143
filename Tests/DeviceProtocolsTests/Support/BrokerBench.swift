import DeviceCore
@testable import DeviceProtocols
import NIOCore
import Testing

/// A broker state machine with the bookkeeping of its owner: takes the actions, collects what each client is sent.
final class BrokerBench {
    typealias PeerID = SMQBrokerStateMachine.PeerID

    /// A client whose session is open.
    struct Client {
        var peer: PeerID
        var etid: UInt32
    }

    var machine: SMQBrokerStateMachine
    var now = MonotonicTime(nanoseconds: 1_000_000_000)
    /// Clients whose socket takes nothing.
    var stuck: Set<PeerID> = []
    /// Whether a closed connection is detached at once, as sockets do.
    var detachesOnClose = true
    private(set) var attached: [PeerID] = []
    private(set) var closed: [PeerID: SMQCloseReason] = [:]
    private(set) var requests: [(peer: PeerID, request: SMQConnectRequest)] = []
    private(set) var questions: [(peer: PeerID, number: UInt32, question: SMQQuestion)] = []
    private(set) var answered: [PeerID] = []
    private(set) var pauses: [(peer: PeerID, duration: Duration)] = []
    private(set) var resumes: [PeerID] = []
    private(set) var closedLinks: [PeerID: SMQLinkCloseReason] = [:]
    private(set) var linkEvents: [SMQBrokerStateMachine.Action] = []
    private(set) var serverMessages: [SMQServerMessage] = []
    private var inboxes: [PeerID: ByteBuffer] = [:]
    private var framings: [PeerID: SMQFraming] = [:]

    init(
        _ limits: SMQBrokerLimits = SMQBrokerLimits(), authenticates: Bool = false,
        permit: (@Sendable (SMQTopicRequest) -> Bool)? = nil, cluster: SMQClusterSettings? = nil, ids: [UInt32] = []
    ) {
        let source = RandomIDs(ids)
        machine = SMQBrokerStateMachine(
            limits: limits, authenticates: authenticates, permit: permit, cluster: cluster,
            randomID: { source.next() })
    }

    // MARK: Connections

    func attach(
        framing: SMQFraming = .raw, address: String = "10.0.0.1", url: String = "/smq.lsp", knowsGoodbye: Bool = true
    ) throws -> PeerID {
        let new = machine.attach(
            framing: framing, address: address, url: url, knowsGoodbye: knowsGoodbye, now: now)
        let peer = try #require(new)
        framings[peer] = framing
        attached.append(peer)
        settle()
        return peer
    }

    /// A client whose session is open.
    func open(
        _ uid: String, framing: SMQFraming = .raw, version: UInt8 = 1, maximumFrame: UInt16 = 0,
        knowsGoodbye: Bool = true
    ) throws -> Client {
        let peer = try attach(framing: framing, knowsGoodbye: knowsGoodbye)
        _ = try frames(peer)
        connect(peer, uid: uid, version: version, maximumFrame: maximumFrame)
        return Client(peer: peer, etid: try accepted(peer))
    }

    /// The ETID in the connack that is the peer's next frame.
    func accepted(_ peer: PeerID) throws -> UInt32 {
        let frame = try #require(try frames(peer).first)
        guard case .connack(.accepted, let etid, _) = frame else { throw Unexpected(frame: frame) }
        return etid
    }

    func connect(_ peer: PeerID, uid: String, version: UInt8 = 1, maximumFrame: UInt16 = 0) {
        send(peer) {
            $0.writeSMQConnect(
                version: version, maximumFrame: maximumFrame, uid: uid.utf8, credentials: "secret".utf8,
                information: "a test")
        }
    }

    func detach(_ peer: PeerID) {
        machine.detach(peer)
        settle()
    }

    func complete(_ peer: PeerID, _ decision: SMQConnectDecision) {
        machine.complete(peer, decision, now: now)
        settle()
    }

    /// Answers the oldest question that waits.
    func answer(_ isPermitted: Bool) throws {
        try #require(!questions.isEmpty)
        let question = questions.removeFirst()
        machine.answer(question.peer, question.number, isPermitted, now: now)
        settle()
    }

    func tick(after duration: Duration) {
        now = now + duration
        machine.tick(now: now)
        settle()
    }

    // MARK: Bytes

    /// Sends frames that are written in raw form; a WebSocket client's go one message at a time.
    func send(_ peer: PeerID, _ write: (inout ByteBuffer) -> Void) {
        var raw = bytes(write)
        if framings[peer] == .webSocket {
            while let message = try? raw.readSMQRawMessage() { receive(peer, message) }
        } else {
            receive(peer, raw)
        }
    }

    func send(_ client: Client, _ write: (inout ByteBuffer) -> Void) { send(client.peer, write) }

    func receive(_ peer: PeerID, _ bytes: ByteBuffer) {
        machine.receive(peer, bytes, now: now)
        settle()
    }

    /// Takes what is to be done and to be written, until there is nothing more.
    func settle() {
        while true {
            let dirty = machine.takeDirty()
            let actions = machine.takeActions()
            if dirty.isEmpty, actions.isEmpty { return }
            for peer in dirty where !stuck.contains(peer) { drain(peer) }
            for action in actions { perform(action) }
        }
    }

    func drain(_ peer: PeerID) {
        guard let output = machine.takeOutput(peer) else { return }
        inboxes[peer, default: ByteBuffer()].writeImmutableBuffer(output)
        machine.written(peer, output.readableBytes)
    }

    private func perform(_ action: SMQBrokerStateMachine.Action) {
        switch action {
        case .close(let peer, let reason):
            drain(peer)
            closed[peer] = reason
            if detachesOnClose { machine.detach(peer) }
        case .authenticate(let peer, let request): requests.append((peer, request))
        case .ask(let peer, let number, let question): questions.append((peer, number, question))
        case .answered(let peer): answered.append(peer)
        case .pause(let peer, let duration): pauses.append((peer, duration))
        case .resume(let peer): resumes.append(peer)
        case .closeLink(let peer, let reason):
            drain(peer)
            closedLinks[peer] = reason
            machine.detach(peer)
        case .identified, .linkUp, .linkDown: linkEvents.append(action)
        case .serverMessage(let message): serverMessages.append(message)
        }
    }

    /// What a client was sent since the last call.
    func frames(_ peer: PeerID) throws -> [SMQFrame] {
        guard let inbox = inboxes.removeValue(forKey: peer) else { return [] }
        return framings[peer] == .webSocket ? try inbox.webSocketFrames() : try inbox.rawFrames()
    }

    func frames(_ client: Client) throws -> [SMQFrame] { try frames(client.peer) }

    /// The same, as it is on the wire.
    func wire(_ peer: PeerID) -> ByteBuffer { inboxes.removeValue(forKey: peer) ?? ByteBuffer() }

    func forgetPauses() {
        pauses = []
        resumes = []
    }

    // MARK: What tests do all the time

    /// Subscribes and gives the topic's id.
    @discardableResult
    func subscribe(_ client: Client, _ name: String) throws -> UInt32 {
        send(client) { $0.writeSMQ(.subscribe, text: name) }
        return try id(in: client, .suback)
    }

    /// Creates a topic and gives its id.
    @discardableResult
    func create(_ client: Client, _ name: String) throws -> UInt32 {
        send(client) { $0.writeSMQ(.create, text: name) }
        return try id(in: client, .createack)
    }

    func publish(_ client: Client, to id: UInt32, _ payload: String = "x", subtopic: UInt32 = 0) {
        send(client) {
            $0.writeSMQPublish(to: id, from: client.etid, subtopic: subtopic, payload: text(payload))
        }
    }

    private func id(in client: Client, _ type: SMQMessageType) throws -> UInt32 {
        for frame in try frames(client) {
            if case .ack(type, true, let id, _) = frame { return id }
        }
        throw Unexpected(frame: nil)
    }
}

/// A frame that should have been another.
struct Unexpected: Error {
    var frame: SMQFrame? = nil
}

/// Ids in a given order, then 0x1000, 0x1001…
final class RandomIDs: Sendable {
    private let state: Locked<(given: [UInt32], next: UInt32)>

    init(_ given: [UInt32] = []) { state = Locked((given, 0x1000)) }

    func next() -> UInt32 {
        state.withLock { state in
            guard state.given.isEmpty else { return state.given.removeFirst() }
            defer { state.next += 1 }
            return state.next
        }
    }
}

extension SMQBrokerStateMachine {
    /// Connections that hold topics.
    var topicReferences: Int { topics.reduce(0) { $0 + abs($1.references) } }
}
