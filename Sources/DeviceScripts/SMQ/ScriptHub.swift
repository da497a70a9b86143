import DeviceCore
public import DeviceProtocols
import NIOCore

/// What scripts have to say about clients of the broker that the program carries: the hooks of `smq.hub.create`.
///
/// A program gives ``authenticate(_:)``, ``changed(_:)``, ``wanted``, ``decide(_:)`` and ``dropped(_:)`` to its broker, and
/// the hub to ``ScriptMessaging``. Without a script that asks, everybody is let in and may do everything at once.
public final class ScriptHub: Sendable {
    /// One script's hooks.
    struct Hooks: Sendable {
        /// Nil where the script lets everybody in.
        var authenticate: (@Sendable (SMQConnectRequest) async -> SMQConnectDecision)?
        var changed: @Sendable (SMQSessionChange, Peer) -> Void
        /// What the script is asked by ``decide`` and told by ``dropped``.
        var asks: SMQQuestionKinds = []
        var decide: @Sendable (SMQQuestion, Peer) async -> Bool = { _, _ in true }
        var dropped: @Sendable (SMQPublishRequest, Peer) -> Void = { _, _ in }
    }

    /// A client that is connected, as scripts know it.
    struct Peer: Sendable {
        let etid: UInt32
        let uid: [UInt8]
        let information: String
    }

    private struct State {
        var hooks: [UInt64: Hooks] = [:]
        var last: UInt64 = 0
        var peers: [UInt32: Peer] = [:]
        var names: (@Sendable (Int) async -> (topics: [String], subtopics: [String]))?
        /// What at least one script is asked or told.
        var asks: SMQQuestionKinds = []
    }

    /// Scripts that may have hooks; more are refused.
    private static let limit = 16
    private let state = Locked(State())

    /// What the program's own clients have in the query of their address: no script shuts these out. A secret, because it
    /// opens the door.
    public let ownQuery: String

    /// - Parameter secret: at least 16 random bytes.
    public init(secret: [UInt8]) {
        let digits = Array("0123456789abcdef".utf8)
        let hex = secret.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }  // safe: four bits, and 16 digits
        ownQuery = "own=" + String(decoding: hex, as: UTF8.self)
    }

    // MARK: For the broker

    /// Asks the scripts; all have to agree. A script that fails keeps the client out.
    public func authenticate(_ request: SMQConnectRequest) async -> SMQConnectDecision {
        let hooks = state.withLock { $0.hooks.values.compactMap { $0.authenticate } }
        if isOwn(request.url) { return .acceptOwn }
        for hook in hooks {
            let decision = await hook(request)
            guard decision == .accept else { return decision }
        }
        return .accept
    }

    /// What scripts are asked and told now.
    public var wanted: SMQQuestionKinds { state.withLock { $0.asks } }

    /// Asks the scripts what a client may do; all have to agree. A script that fails refuses.
    public func decide(_ question: SMQQuestion) async -> Bool {
        let (kind, etid): (SMQQuestionKinds, UInt32) =
            switch question {
            case .topic(let request): (request.operation == .createSubtopic ? .subtopics : .topics, request.etid)
            case .message(let request): (.messages, request.publisher)
            }
        let (hooks, peer) = state.withLock { state in
            (state.hooks.values.filter { $0.asks.contains(kind) }, state.peers[etid])
        }
        for hook in hooks {
            guard await hook.decide(question, peer ?? Peer(etid: etid, uid: [], information: "")) else { return false }
        }
        return true
    }

    /// Tells the scripts of messages that nobody got.
    public func dropped(_ messages: [SMQPublishRequest]) {
        let (hooks, peers) = state.withLock { state in
            (state.hooks.values.filter { $0.asks.contains(.drops) }, messages.map { state.peers[$0.publisher] })
        }
        for hook in hooks {
            for (message, peer) in zip(messages, peers) {
                hook.dropped(message, peer ?? Peer(etid: message.publisher, uid: [], information: ""))
            }
        }
    }

    private func isOwn(_ url: String) -> Bool {
        guard let mark = url.firstIndex(of: "?") else { return false }
        return url[url.index(after: mark)...].split(separator: "&").contains { $0.utf8.equalsSecretly(ownQuery.utf8) }
    }

    /// Tells the scripts of a session.
    public func changed(_ change: SMQSessionChange) {
        let (hooks, peer) = state.withLock { state -> ([Hooks], Peer) in
            let known = state.peers[change.etid]
            let peer = Peer(
                etid: change.etid, uid: Array(change.uid.readableBytesView),
                information: change.end == nil ? change.information : known?.information ?? "")
            state.peers[change.etid] = change.end == nil ? peer : nil
            return (Array(state.hooks.values), peer)
        }
        for hook in hooks { hook.changed(change, peer) }
    }

    // MARK: For scripts

    /// Throws `.limitExceeded`.
    func add(_ hooks: Hooks) throws(DeviceError) -> UInt64 {
        let id = state.withLock { state -> UInt64? in
            guard state.hooks.count < Self.limit else { return nil }
            state.last += 1
            state.hooks[state.last] = hooks
            state.asks.formUnion(hooks.asks)
            return state.last
        }
        guard let id else {
            throw DeviceError(.limitExceeded, "too many scripts have hooks of the broker (at most \(Self.limit))")
        }
        return id
    }

    func remove(_ id: UInt64) {
        state.withLock { state in
            state.hooks[id] = nil
            state.asks = state.hooks.values.reduce(into: []) { $0.formUnion($1.asks) }
        }
    }

    /// Says how to learn the names of topics and sub-topics that the broker has: at most so many of each.
    public func follow(names: @escaping @Sendable (Int) async -> (topics: [String], subtopics: [String])) {
        state.withLock { $0.names = names }
    }

    var names: (@Sendable (Int) async -> (topics: [String], subtopics: [String]))? { state.withLock { $0.names } }

    /// The clients that are connected, by ETID.
    var peers: [Peer] { state.withLock { $0.peers.values.sorted { $0.etid < $1.etid } } }
    func peer(_ etid: UInt32) -> Peer? { state.withLock { $0.peers[etid] } }
}
