import DeviceCore
import DeviceProtocols
import DeviceTransport
import Logging
import NIOCore

/// All connections of a running client, on its event loop: attempts, the session in use, the one being left, the standby.
final class SMQConnections: ClusterConnections {
    private struct Connection {
        let handler: SMQSessionHandler
        let endpoint: Endpoint
        let url: BrokerURL
        /// Nil before the attempt has one.
        var channel: (any Channel)?
    }

    private let client: SMQClient
    private let tls: TLSClientContext?
    private let ended: EventLoopPromise<DeviceError?>
    private lazy var keeper = ClusterKeeper(client.configuration, eventLoop: client.eventLoop, connections: self)
    private var connections: [UInt64: Connection] = [:]
    private var current: UInt64?
    /// The session that is being left, and the latest moment at which it ends.
    private var leaving: (attempt: UInt64, deadline: Scheduled<Void>)?
    private var isOver = false
    /// What nodes report, for a policy that needs it.
    private var reports: SMQSubscription?
    private var wasEverConnected = false
    /// The worst of a cycle in which nobody was ready: what going on is senseless for.
    private var finalError: DeviceError?
    /// Failures are told when it is known how long the wait is.
    private var failures: [(node: String, error: DeviceError, wasConnected: Bool)] = []
    private var isTelling = false
    /// Nodes whose certificate was found bad while another one is in use, so that each is told of once.
    private var distrusted: Set<String> = []
    /// The end of the last session, for the move.
    private var lost: (node: String, cause: SMQLossCause, reason: String, silence: Duration, at: MonotonicTime)?
    /// When which attempt last told a node the unique id, which ends other connections with it at that node.
    private var lastConnect: (attempt: UInt64, at: MonotonicTime)?

    init(_ client: SMQClient, tls: TLSClientContext?, ended: EventLoopPromise<DeviceError?>) {
        self.client = client
        self.tls = tls
        self.ended = ended
    }

    func start() {
        if client.configuration.nodePolicy.needsReports { subscribeToReports() }
        keeper.start()
    }

    /// The policy goes by what nodes report. A broker that tells nothing is none of this package's; then the policy
    /// chooses by chance and a notice says so.
    private func subscribeToReports() {
        let bound = NIOLoopBound(self, eventLoop: client.eventLoop)
        let sink = SubscriptionSink(receive: { bound.value.receiveReports($0) }, finish: {}, cancel: {})
        reports = client.addSubscription(topic: SMQNodeReport.topic, subtopic: nil, sink: sink)
    }

    private func receiveReports(_ messages: [SMQMessage]) {
        let session = client.state.withLock { $0.session }
        // Of other brokers' clients anybody could publish there; and the node that is being left is not "this one" any more.
        let last = messages.last { $0.publisher.id == SMQNodeReport.publisher && $0.publisher.session == session }
        if let last { keeper.reported(SMQNodeReport.read(last.payload)) }
    }

    /// Says goodbye everywhere, and ends.
    func stop(_ error: DeviceError? = nil) {
        guard !isOver else { return }
        isOver = true
        keeper.stop()
        reports?.cancel()
        reports = nil
        leaving?.deadline.cancel()
        for connection in connections.values { close(connection) }
        connections = [:]
        client.setNode(nil)
        client.status.withLock { $0.standby = nil }
        ended.succeed(error)
    }

    // MARK: What the keeper wants

    func begin(_ attempt: UInt64, at endpoint: Endpoint, url: BrokerURL) {
        client.countAttempt()
        let handler = SMQSessionHandler(
            client, connections: self, attempt: attempt, url: url, node: url.description(at: endpoint))
        connections[attempt] = Connection(handler: handler, endpoint: endpoint, url: url)
        var options = TCPConnector.Options()
        options.timeout = client.configuration.attempts.connectDeadline
        options.unacknowledged = client.configuration.liveness.noticesWithin
        options.tls = url.isSecure ? tls : nil
        options.tlsTimeout = client.configuration.attempts.tlsDeadline
        let bound = NIOLoopBound((connections: self, handler: handler), eventLoop: client.eventLoop)
        TCPConnector.connect(
            to: endpoint, url: url, options: options, eventLoop: client.eventLoop,
            onChannel: { bound.value.connections.connections[attempt]?.channel = $0 },
            onSecured: { bound.value.connections.keeper.secured(attempt) },
            onRefusal: { bound.value.connections.failed(attempt, .failed($0)) },
            install: { try $0.pipeline.syncOperations.addHandler(bound.value.handler) }
        ).whenComplete { result in
            let connections = bound.value.connections
            switch result {
            case .success(let channel):
                connections.keeper.connected(attempt, isSecured: url.isSecure)
                // One that ends before the session's handler came, a refused WebSocket, must not be waited for.
                channel.closeFuture.whenComplete { _ in bound.value.connections.failed(attempt, .lost) }
            case .failure(let error):
                connections.failed(
                    attempt, .failed(error as? DeviceError ?? DeviceError(.unavailable, "cannot connect", cause: error))
                )
            }
        }
    }

    func cancel(_ attempt: UInt64) {
        guard let connection = connections.removeValue(forKey: attempt) else { return }
        forget(attempt)
        close(connection)
    }

    func adopt(_ attempt: UInt64, replacing: UInt64?) {
        guard let connection = connections[attempt] else { return }
        let node = connection.handler.node
        if let replacing, let old = connections[replacing] {
            lost = (old.handler.node, .drained, "the node was left", .zero, ClusterKeeper.now)
            client.count(.drained)
            old.handler.beginLeaving()
            beginLeaving(replacing)
        }
        tell(retryIn: .zero)
        current = attempt
        distrusted.remove(node)
        wasEverConnected = true
        finalError = nil
        let isOverlapping = replacing != nil
        client.countSession(node)
        let move = lost.map { lost in
            SMQMove(
                from: lost.node, to: node, cause: lost.cause, reason: lost.reason,
                gap: isOverlapping ? .zero : ClusterKeeper.now - lost.at, silence: lost.silence)
        }
        lost = nil
        // Before anybody hears of the session, so that who asks then knows all.
        if let move { client.count(move) }
        connection.handler.adopt()
        if let move { client.send(.moved(move)) }
    }

    func hold(_ attempt: UInt64) {
        guard let connection = connections[attempt] else { return }
        distrusted.remove(connection.handler.node)
        client.status.withLock { $0.standby = connection.handler.node }
    }

    func gaveUp(_ endpoint: Endpoint, url: BrokerURL, _ phase: AttemptPhase) {
        let settings = client.configuration.attempts
        let place = url.place(at: endpoint)
        let error =
            switch phase {
            case .connecting:
                DeviceError(
                    .timedOut, "\(place) did not answer within \(settings.connectDeadline)",
                    hint: "Check the address, the port and the firewall")
            case .securing: DeviceError(.timedOut, "\(place): no TLS handshake within \(settings.tlsDeadline)")
            case .handshaking:
                DeviceError(
                    .timedOut, "\(place): no SMQ handshake within \(settings.handshakeDeadline)",
                    hint: "Check that the address is that of a SMQ broker and that it is alive")
            }
        client.countFailedAttempt()
        tell(url.description(at: endpoint), error, wasConnected: false)
    }

    func unresolved(_ error: DeviceError) {
        tell(client.configuration.brokers.first?.description ?? "", error, wasConnected: false)
    }

    func wait(_ time: Duration, _ reason: AttemptWait) {
        if !wasEverConnected, reason == .backOff, let finalError { return stop(finalError) }
        finalError = nil
        tell(retryIn: time)
    }

    func notice(_ text: String) { client.send(.notice(text)) }

    // MARK: What handlers report

    func sendsConnect(_ attempt: UInt64) { lastConnect = (attempt, ClusterKeeper.now) }

    func ready(_ handler: SMQSessionHandler) { keeper.ready(handler.attempt) }

    func measured(_ roundTrip: Duration, of attempt: UInt64) { keeper.measured(roundTrip: roundTrip, of: attempt) }

    func askedToLeave(_ attempt: UInt64) { keeper.askedToLeave(attempt) }

    func ended(_ handler: SMQSessionHandler, _ end: SMQSessionEnd, wasCurrent: Bool, silence: Duration) {
        if wasCurrent {
            client.setNode(nil)
            client.count(end.cause)
            lost = (handler.node, end.cause, end.error.message, silence, ClusterKeeper.now)
        }
        failed(handler.attempt, end, wasCurrent: wasCurrent)
    }

    private func failed(_ attempt: UInt64, _ end: SMQSessionEnd, wasCurrent: Bool = false) {
        guard !isOver, let connection = connections.removeValue(forKey: attempt) else { return }
        // The handler of an attempt that never became a session.
        if !wasCurrent, case .attempt = connection.handler.role { close(connection) }
        let wasLeaving = leaving?.attempt == attempt
        forget(attempt)
        guard !wasLeaving else { return }
        let isReplaced = end.isReplaced && isOwnWork(attempt)
        if end.isReplaced, !isReplaced { return stop(end.error) }
        let error = end.error
        if end.isFinal { finalError = finalError ?? error }
        if !wasCurrent { client.countFailedAttempt() }
        client.logger.debug(
            "not connected", metadata: ["node": "\(connection.handler.node)", "reason": "\(error)"])
        tell(connection.handler.node, error, wasConnected: wasCurrent)
        keeper.failed(attempt, isReplaced ? .replaced : end.blame)
    }

    /// Whether another connection of this client told a node the unique id just now.
    private func isOwnWork(_ attempt: UInt64) -> Bool {
        guard let lastConnect, lastConnect.attempt != attempt else { return false }
        return ClusterKeeper.now - lastConnect.at < .seconds(5)
    }

    private func forget(_ attempt: UInt64) {
        if current == attempt { current = nil }
        if leaving?.attempt == attempt {
            leaving?.deadline.cancel()
            leaving = nil
        }
        client.status.withLock { status in
            guard let standby = status.standby else { return }
            let isHeld = connections.contains { $0.key != current && $0.value.handler.node == standby }
            if !isHeld { status.standby = nil }
        }
    }

    private func close(_ connection: Connection) {
        connection.handler.leave()
        connection.channel?.close(promise: nil)
    }

    // MARK: Leaving

    private func beginLeaving(_ attempt: UInt64) {
        if let leaving { cancel(leaving.attempt) }
        let deadline = client.eventLoop.assumeIsolated().scheduleTask(in: .seconds(2)) { [weak self] () -> Void in
            self?.cancel(attempt)
        }
        leaving = (attempt, deadline)
    }

    /// All subscriptions hold at the new node: what the old one has still on its way is waited for, a round trip or
    /// two, and then it is left.
    func settled() {
        guard let leaving else { return }
        leaving.deadline.cancel()
        let roundTrip = client.roundTrip ?? .milliseconds(50)
        let wait = min(.seconds(1), .milliseconds(50) + roundTrip * 2)
        let attempt = leaving.attempt
        let deadline = client.eventLoop.assumeIsolated().scheduleTask(
            in: .nanoseconds(wait.wholeNanoseconds)
        ) { [weak self] () -> Void in self?.cancel(attempt) }
        self.leaving = (attempt, deadline)
    }

    // MARK: Telling

    /// Tells the application at the end of this turn of the loop: a wait may follow, which belongs to the news.
    private func tell(_ node: String, _ error: DeviceError, wasConnected: Bool) {
        // While there is a session, those of a standby are only counted. But time alone mends no certificate.
        guard wasConnected || current == nil else {
            if error.code == .certificate, distrusted.count < 64, distrusted.insert(node).inserted {
                notice("\(node) cannot be used: \(error.message)")
            }
            return
        }
        failures.append((node, error, wasConnected))
        guard !isTelling else { return }
        isTelling = true
        let bound = NIOLoopBound(self, eventLoop: client.eventLoop)
        client.eventLoop.execute { bound.value.tell(retryIn: .zero) }
    }

    private func tell(retryIn wait: Duration) {
        isTelling = false
        let told = failures
        failures = []
        for failure in told {
            client.send(
                .disconnected(
                    node: failure.node, reason: failure.error.message, hint: failure.error.hint, retryIn: wait,
                    wasConnected: failure.wasConnected))
        }
    }
}
