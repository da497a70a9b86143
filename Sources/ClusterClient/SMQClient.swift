public import DeviceCore
import DeviceProtocols
import DeviceTransport
public import Logging
public import NIOCore
import NIOPosix

/// A SMQ client that comes back by itself.
///
/// Call ``run()`` in a task; subscribe, observe and announce before or after, they hold across reconnects. Publishing
/// is live unless told otherwise: what cannot be sent now is an error now, never a surprise later. ``SMQDelivery`` has
/// the other ways.
///
/// ```swift
/// let client = SMQClient(SMQClientConfiguration(brokers: [try BrokerURL("smq://localhost:8080")], uid: uid))
/// async let running: Void = client.run()
/// for await message in client.subscribe(to: "/m2m/temp") { print(message.payload) }
/// ```
public final class SMQClient: Sendable {
    /// How the client was set up.
    public let configuration: SMQClientConfiguration
    let state: Locked<SMQSessionState>
    let eventLoop: any EventLoop
    let logger: Logger
    let delivery: DeliverySender
    let acknowledgements: AcknowledgementQueue
    let status = Locked(SMQClientStatus())
    let meters: SMQClientMeters
    private let link = Locked(Link())

    /// A stream of events lasts as long as its reader.
    struct WeakEvents {
        weak var stream: BoundedStream<SMQClientEvent>?
    }

    struct Link {
        var channel: (any Channel)?
        var isFlushScheduled = false
        /// Publishers that wait until the socket takes more, by the order in which they came.
        var waiting: [UInt64: CheckedContinuation<Void, Never>] = [:]
        var nextPublisher: UInt64 = 0
        var events: [WeakEvents] = []
        var isRunning = false
        /// Whether something is to be delivered, or received, that is kept.
        var needsDelivery = false
        /// Nil while it does not run: most clients never need it, and it would be their largest task.
        var delivering: Task<Void, Never>?
        var mayDeliver = false
    }

    /// Makes a client; nothing happens before ``run()``. Without an event loop it shares the process's own.
    public convenience init(
        _ configuration: SMQClientConfiguration,
        eventLoop: (any EventLoop)? = nil,
        logger: Logger = Logger(label: "smq-client")
    ) {
        self.init(configuration, eventLoop: eventLoop, logger: logger, meters: .shared)
    }

    init(
        _ configuration: SMQClientConfiguration, eventLoop: (any EventLoop)?, logger: Logger, meters: SMQClientMeters
    ) {
        self.meters = meters
        self.configuration = configuration
        self.eventLoop = eventLoop ?? MultiThreadedEventLoopGroup.singleton.next()
        self.logger = logger
        state = Locked(SMQSessionState(configuration))
        delivery = DeliverySender(configuration.outbox)
        acknowledgements = AcknowledgementQueue(eventLoop: self.eventLoop, delivery: delivery)
        prepareDelivery()
    }

    /// What happens to the connection from now on; each call is a stream of its own.
    public func events() -> BoundedStream<SMQClientEvent> {
        let stream = BoundedStream<SMQClientEvent>(limit: 256)
        link.withLock { link in
            link.events.removeAll { $0.stream == nil }
            link.events.append(WeakEvents(stream: stream))
        }
        return stream
    }

    /// Whether a session is open now.
    public var isConnected: Bool { state.withLock { $0.isOpen } }
    /// This client's id in the open session, for example to recognise its own messages.
    public var ownPeer: SMQPeer? {
        state.withLock { state in
            guard state.isOpen, let machine = state.machine else { return nil }
            return SMQPeer(id: machine.ownETID, session: state.session)
        }
    }
    /// This client's address as the broker sees it; empty before the first session.
    public var address: String { state.withLock { $0.address } }
    /// How the client is doing.
    public var currentStatus: SMQClientStatus { status.withLock { $0 } }
    /// Time from the last ping to its answer.
    public var roundTrip: Duration? { state.withLock { $0.machine?.roundTrip } }

    // MARK: Subscribing

    /// Receives the messages of a topic, of one of its sub-topics or of all.
    ///
    /// - Parameter limit: messages that may wait to be read; then the oldest make room, counted in `dropped`.
    public func subscribe(to topic: String, subtopic: String? = nil, limit: Int = 1_024) -> SMQSubscription {
        addSubscription(topic: topic, subtopic: subtopic, limit: limit)
    }

    /// Receives what is sent to this client alone.
    public func subscribeToSelf(subtopic: String? = nil, limit: Int = 1_024) -> SMQSubscription {
        addSubscription(topic: nil, subtopic: subtopic, limit: limit)
    }

    func addSubscription(
        topic: String?, subtopic: String?, limit: Int = 1, sink: SubscriptionSink? = nil
    ) -> SMQSubscription {
        let wish = state.withLock { state in
            let wish = SubscriptionWish(
                key: state.nextKey, topic: topic, subtopic: subtopic, limit: limit, sink: sink)
            state.nextKey += 1
            state.subscriptions[wish.key] = wish
            if state.isOpen, let etid = state.machine?.ownETID { state.subscribe(wish, etid: etid) }
            return wish
        }
        scheduleFlush()
        return SMQSubscription(wish) { [weak self] wish in
            self?.state.withLock { $0.cancel(wish) }
            self?.scheduleFlush()
        }
    }

    /// Follows the number of a topic's subscribers, or the end of a peer. The count is of one node's clients only.
    public func observe(_ target: SMQDestination) -> SMQObservation {
        let wish = state.withLock { state in
            let wish = ObservationWish(key: state.nextKey, target: target)
            state.nextKey += 1
            if state.observe(wish) {
                state.observations[wish.key] = wish
            } else {
                wish.stream.send(0)
                wish.stream.finish()
            }
            return wish
        }
        scheduleFlush()
        return SMQObservation(wish) { [weak self] wish in self?.state.withLock { $0.cancel(wish) } }
    }

    // MARK: Publishing

    /// Publishes at the beginning of every session, for example a device's description. Also now, if one is open.
    public func announce(
        to topic: String, subtopic: String? = nil, _ payload: @escaping @Sendable () -> ByteBuffer
    ) {
        let announcement = SMQSessionState.Announcement(
            destination: .topic(topic), subtopic: subtopic, payload: payload)
        let isOpen = state.withLock { state in
            state.announcements.append(announcement)
            return state.isOpen
        }
        if isOpen { make(announcement) }
    }

    func make(_ announcement: SMQSessionState.Announcement) {
        // A session that has ended again announces in the next.
        try? publishNow(
            announcement.payload(), to: announcement.destination, subtopic: announcement.subtopic)
    }

    /// Publishes to a topic or to a peer, and waits while more than `outgoingBytes` wait for the socket, or more than
    /// `pendingMessages` for the id of their topic.
    ///
    /// A name that is new in this session is resolved first, once; order is kept.
    ///
    /// - Throws: ``DeviceError``: `unavailable` while no session is open, `closed` for a peer of an earlier session,
    ///   `refused` for a name that the broker does not permit, `limitExceeded` for what is too long or too much, and `closed`
    ///   when the task is cancelled while it waits.
    public func publish(
        _ payload: ByteBuffer, to destination: SMQDestination, subtopic: String? = nil
    ) async throws(DeviceError) {
        while !(try enqueue(payload, destination, subtopic, limit: nil)) {
            guard !Task.isCancelled else { throw DeviceError(.closed, "the publish was cancelled while it waited") }
            await waitForSpace()
        }
    }

    /// Publishes like ``publish(_:to:subtopic:)``, but fails with `limitExceeded` instead of waiting.
    public func publishNow(
        _ payload: ByteBuffer, to destination: SMQDestination, subtopic: String? = nil
    ) throws(DeviceError) {
        _ = try enqueue(payload, destination, subtopic, limit: configuration.outgoingBytes * 2)
    }

    /// - Returns: false when there is no space now and no limit to tell of.
    private func enqueue(
        _ payload: ByteBuffer, _ destination: SMQDestination, _ subtopic: String?, limit: Int?
    ) throws(DeviceError) -> Bool {
        let isQueued = try state.withLock { state throws(DeviceError) -> Bool in
            guard state.isOpen else {
                throw DeviceError(.unavailable, "no broker is connected", hint: "Live messages are not kept")
            }
            if let limit {
                guard state.outgoingBytes <= limit else {
                    throw DeviceError(.limitExceeded, "\(state.outgoingBytes) bytes already wait for the broker")
                }
            } else if state.isFull {
                return false
            }
            try state.publish(
                SMQSessionState.Pending(destination: destination, subtopic: subtopic, payload: payload))
            return true
        }
        if isQueued { scheduleFlush() }
        return isQueued
    }

    /// Publishes and waits for an answer that is sent to this client alone.
    ///
    /// - Parameters:
    ///   - timeout: for all: the wait for the socket, and for the answer.
    ///   - matches: which answer is meant; the first that comes when nil.
    /// - Throws: `timedOut` when none comes in time, and what publishing throws.
    public func request(
        _ payload: ByteBuffer, to destination: SMQDestination, subtopic: String? = nil, timeout: Duration = .seconds(5),
        matching matches: (@Sendable (SMQMessage) -> Bool)? = nil
    ) async throws(DeviceError) -> SMQMessage {
        let answers = subscribeToSelf()
        defer { answers.cancel() }
        let first = await withTaskGroup(of: Result<SMQMessage?, DeviceError>.self) { group in
            group.addTask { [self] in
                do throws(DeviceError) {
                    try await publish(payload, to: destination, subtopic: subtopic)
                } catch {
                    return .failure(error)
                }
                for await message in answers where matches?(message) ?? true { return .success(message) }
                return .success(nil)
            }
            group.addTask {
                try? await Task.sleep(for: timeout)
                return .success(nil)
            }
            defer { group.cancelAll() }
            return await group.next() ?? .success(nil)
        }
        let answer = try first.get()
        if answer == nil, Task.isCancelled { throw DeviceError(.closed, "the request was cancelled") }
        guard let answer else { throw DeviceError(.timedOut, "no answer came within \(timeout)") }
        return answer
    }
}

// MARK: Between the handler and the callers

extension SMQClient {
    /// Lets publishers go on that wait for space, once there is some.
    func resumePublishers() {
        let waiting = link.withLock { link -> [UInt64: CheckedContinuation<Void, Never>] in
            guard !link.waiting.isEmpty, !isFull else { return [:] }
            defer { link.waiting = [:] }
            return link.waiting
        }
        Self.resume(waiting)
    }

    private static func resume(_ waiting: [UInt64: CheckedContinuation<Void, Never>]) {
        for (_, publisher) in waiting.sorted(by: { $0.key < $1.key }) { publisher.resume() }
    }

    func scheduleFlush() {
        let channel = link.withLock { link -> (any Channel)? in
            guard !link.isFlushScheduled, let channel = link.channel else { return nil }
            link.isFlushScheduled = true
            return channel
        }
        guard let channel else { return }
        channel.eventLoop.execute {
            self.link.withLock { $0.isFlushScheduled = false }
            guard let handler = try? channel.pipeline.syncOperations.handler(type: SMQSessionHandler.self),
                let context = try? channel.pipeline.syncOperations.context(handler: handler)
            else { return }
            handler.flush(context)
        }
    }

    private var isFull: Bool { state.withLock { $0.isFull } }

    private func waitForSpace() async {
        let number = link.withLock { link in
            link.nextPublisher += 1
            return link.nextPublisher
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isWaiting = link.withLock { link in
                    // Asked again under this lock: a flush since would have woken nobody, and no other need come. So for
                    // a cancellation.
                    guard link.channel != nil, isFull, !Task.isCancelled else { return false }
                    link.waiting[number] = continuation
                    return true
                }
                if !isWaiting { continuation.resume() }
            }
        } onCancel: {
            link.withLock { $0.waiting.removeValue(forKey: number) }?.resume()
        }
    }

    func adopted(_ channel: any Channel, node: String) {
        let (address, session) = state.withLock { ($0.address, $0.session) }
        link.withLock { link in
            link.channel = channel
            link.isFlushScheduled = false
        }
        send(.connected(node: node, address: address, session: session))
    }

    func sessionEnded() {
        let waiting = link.withLock { link in
            link.channel = nil
            defer { link.waiting = [:] }
            return link.waiting
        }
        Self.resume(waiting)
        perform(state.withLock { $0.finish() })
    }

    func perform(_ effects: SMQSessionState.Effects) {
        for (subscription, messages) in effects.deliveries { subscription.deliver(messages) }
        for (observation, count) in effects.counts { observation.stream.send(count) }
        for observation in effects.endedObservations { observation.stream.finish() }
        for name in effects.denied { send(.denied(name)) }
        perform(effects.delivery)
    }

    func send(_ event: SMQClientEvent) {
        for events in link.withLock({ $0.events }) { events.stream?.send(event) }
    }

    /// - Returns: false when it runs already.
    func beginRunning() -> Bool {
        link.withLock { link in
            defer { link.isRunning = true }
            return !link.isRunning
        }
    }

    func beginDelivering() {
        link.withLock { link in
            link.mayDeliver = true
            if link.needsDelivery { startDelivering(&link) }
        }
    }

    /// Something is to be delivered: from now on, or once the client runs, a task sees to it.
    func needDelivery() {
        link.withLock { link in
            link.needsDelivery = true
            if link.mayDeliver, link.delivering == nil { startDelivering(&link) }
        }
    }

    /// A task of its own, so that it can close the outbox after the cancellation of `run()`.
    private func startDelivering(_ link: inout Link) { link.delivering = Task { await deliver() } }

    /// Ends the delivering task, and waits until the outbox is closed.
    func stopDelivering() async {
        let delivering = link.withLock { link in
            link.mayDeliver = false
            defer { link.delivering = nil }
            return link.delivering
        }
        delivering?.cancel()
        await delivering?.value
    }

    func endRunning() { link.withLock { $0.isRunning = false } }

    func finishStreams() {
        for events in link.withLock({ $0.events }) { events.stream?.finish() }
        let (subscriptions, observations) = state.withLock { ($0.subscriptions.values, $0.observations.values) }
        for subscription in subscriptions { subscription.finish() }
        for observation in observations { observation.stream.finish() }
    }
}
