import ClusterClient
import DeviceCore
import DeviceProtocols
import NIOCore

/// What `require"smq.client".create` returns, without the Lua: a client whose events go to a closure.
///
/// The client moves between the nodes of its cluster and subscribes anew by itself; a script that does so too after each
/// connect, as the vendor's client needs it, replaces what there is.
final class ScriptSMQClient: Sendable {
    /// What a script is told.
    enum Event: Sendable {
        case connected(etid: UInt32, address: String, isFirst: Bool)
        case closed(reason: String)
        case ended(reason: String)
        /// Which subscription it belongs to, and what came.
        case message(Subscription, [UInt8], publisher: UInt32, topic: UInt32, subtopic: UInt32)
        case observed(Target, count: Int)
    }

    /// What messages are subscribed to; nil for those to this client alone.
    struct Subscription: Hashable, Sendable {
        var topic: String?
        var subtopic: String?
    }

    /// What is published to or observed.
    enum Target: Hashable, Sendable {
        case topic(String)
        case peer(UInt32)
    }

    /// Subscriptions and observations at once.
    static let limit = 256

    private struct State {
        var topics = TopicNumbers()
        var subtopics = TopicNumbers()
        var readers: [Subscription: (subscription: SMQSubscription, task: Task<Void, Never>)] = [:]
        var observers: [Target: (observation: SMQObservation, task: Task<Void, Never>)] = [:]
        var tasks: [Task<Void, Never>] = []
        var sessions = 0
        var isClosed = false
    }

    let client: SMQClient
    private let state = Locked(State())
    private let deliver: @Sendable (Event) -> Void

    /// - Parameter deliver: gets the events, in order for each subscription.
    init(_ client: SMQClient, deliver: @escaping @Sendable (Event) -> Void) {
        self.client = client
        self.deliver = deliver
    }

    deinit { close() }

    /// Connects, and stays connected.
    func start() {
        let events = client.events()
        let following = Task { [weak self] in
            for await event in events { self?.take(event) }
        }
        let running = Task { [client, deliver] in
            do throws(DeviceError) { try await client.run() } catch { deliver(.ended(reason: "\(error)")) }
        }
        state.withLock { $0.tasks += [following, running] }
    }

    private func take(_ event: SMQClientEvent) {
        switch event {
        case .connected(_, let address, _):
            let count = state.withLock { state in
                state.sessions += 1
                return state.sessions
            }
            deliver(.connected(etid: client.ownPeer?.id ?? 0, address: address, isFirst: count == 1))
        case .disconnected(_, let reason, let hint, _, _):
            deliver(.closed(reason: hint.map { "\(reason). \($0)" } ?? reason))
        default: break
        }
    }

    // MARK: Subscribing

    /// Receives messages; a subscription to the same is replaced.
    ///
    /// - Throws: `.limitExceeded`, `.closed`.
    func subscribe(_ wanted: Subscription) throws(DeviceError) {
        try check(state.withLock { $0.readers.count + $0.observers.count })
        unsubscribe(wanted)
        let subscription =
            if let topic = wanted.topic {
                client.subscribe(to: topic, subtopic: wanted.subtopic, limit: 256)
            } else {
                client.subscribeToSelf(subtopic: wanted.subtopic, limit: 256)
            }
        let task = Task { [weak self] in
            for await message in subscription { self?.take(message, wanted) }
        }
        state.withLock { $0.readers[wanted] = (subscription, task) }
    }

    private func take(_ message: SMQMessage, _ wanted: Subscription) {
        let (topic, subtopic) = state.withLock { state in
            (
                message.topic.map { state.topics.number(of: $0) } ?? client.ownPeer?.id ?? 0,
                message.subtopic.map { state.subtopics.number(of: $0) } ?? 0
            )
        }
        deliver(
            .message(
                wanted, Array(message.payload.readableBytesView), publisher: message.publisher.id, topic: topic,
                subtopic: subtopic))
    }

    /// Ends a subscription, if there is one.
    func unsubscribe(_ wanted: Subscription) {
        let reader = state.withLock { $0.readers.removeValue(forKey: wanted) }
        reader?.subscription.cancel()
        reader?.task.cancel()
    }

    /// Ends all subscriptions of a topic.
    func unsubscribe(topic: String?) {
        for wanted in state.withLock({ Array($0.readers.keys) }) where wanted.topic == topic { unsubscribe(wanted) }
    }

    /// Follows the number of subscribers of a topic, or the end of a peer.
    func observe(_ target: Target) throws(DeviceError) {
        try check(state.withLock { $0.readers.count + $0.observers.count })
        unobserve(target)
        let observation = client.observe(destination(target))
        let task = Task { [deliver] in
            for await count in observation { deliver(.observed(target, count: count)) }
        }
        state.withLock { $0.observers[target] = (observation, task) }
    }

    /// Ends following.
    func unobserve(_ target: Target) {
        let observer = state.withLock { $0.observers.removeValue(forKey: target) }
        observer?.observation.cancel()
        observer?.task.cancel()
    }

    private func check(_ count: Int) throws(DeviceError) {
        if state.withLock({ $0.isClosed }) { throw DeviceError(.closed, "CLOSED") }
        guard count < Self.limit else {
            throw DeviceError(.limitExceeded, "a script may have \(Self.limit) subscriptions and observations")
        }
    }

    // MARK: Publishing

    /// Publishes now. Throws `.unavailable` without a session.
    func publish(_ bytes: [UInt8], to target: Target, subtopic: String?) throws(DeviceError) {
        try client.publishNow(ByteBuffer(bytes: bytes), to: destination(target), subtopic: subtopic)
    }

    private func destination(_ target: Target) -> SMQDestination {
        switch target {
        case .topic(let name): .topic(name)
        case .peer(let id): .peer(SMQPeer(id: id, session: client.ownPeer?.session ?? 0))
        }
    }

    // MARK: Names and numbers

    /// The target of what a script gives: a name, `self`, a topic's number or a peer's.
    func target(number: UInt32) -> Target {
        state.withLock { $0.topics.name(of: number) }.map { .topic($0) } ?? .peer(number)
    }

    func topicNumber(_ name: String) -> UInt32 { state.withLock { $0.topics.number(of: name) } }
    func subtopicNumber(_ name: String) -> UInt32 { state.withLock { $0.subtopics.number(of: name) } }
    func knownTopic(_ name: String) -> UInt32? { state.withLock { $0.topics.known(name) } }
    func knownSubtopic(_ name: String) -> UInt32? { state.withLock { $0.subtopics.known(name) } }
    func topicName(_ number: UInt32) -> String? { state.withLock { $0.topics.name(of: number) } }
    func subtopicName(_ number: UInt32) -> String? { state.withLock { $0.subtopics.name(of: number) } }

    /// Disconnects; nothing comes any more.
    func close() {
        let (readers, observers, tasks) = state.withLock { state in
            defer {
                state.readers = [:]
                state.observers = [:]
                state.tasks = []
                state.isClosed = true
            }
            return (Array(state.readers.values), Array(state.observers.values), state.tasks)
        }
        for reader in readers {
            reader.subscription.cancel()
            reader.task.cancel()
        }
        for observer in observers {
            observer.observation.cancel()
            observer.task.cancel()
        }
        for task in tasks { task.cancel() }
    }
}
