public import DeviceProtocols
public import DeviceTransport
public import Logging
public import NIOCore

/// The embedded SMQ broker: bring ``routes(path:)`` to a ``HTTPListener`` on the same event loop, and it serves raw SMQ
/// and WebSocket clients there.
///
/// It speaks the protocol of the vendor's broker and differs where that one harms others: a client that does not read
/// is dropped and delays nobody, silent clients are pinged, Unobserve is handled right, handshakes wait for nobody.
public final class SMQBroker: Sendable {
    /// Decides on a connect. It may take its time; only that client waits.
    public typealias Authenticate = @Sendable (SMQConnectRequest) async -> SMQConnectDecision
    /// Decides on the use of a name; called on the event loop, so it must be quick.
    public typealias Permit = @Sendable (SMQTopicRequest) -> Bool

    /// Who is asked about what clients do, one question of each client at a time. Only that client waits, for at most
    /// ``SMQBrokerLimits/question``; then the answer is no.
    public struct Questions: Sendable {
        /// What is asked and told now; called for each read, so it must be quick.
        public var wanted: @Sendable () -> SMQQuestionKinds
        /// Whether it is permitted.
        public var decide: @Sendable (SMQQuestion) async -> Bool
        /// Told of messages that nobody got; called on the event loop, so it must be quick.
        public var onDrop: @Sendable ([SMQPublishRequest]) -> Void

        /// Whom to ask.
        public init(
            wanted: @escaping @Sendable () -> SMQQuestionKinds, decide: @escaping @Sendable (SMQQuestion) async -> Bool,
            onDrop: @escaping @Sendable ([SMQPublishRequest]) -> Void = { _ in }
        ) {
            self.wanted = wanted
            self.decide = decide
            self.onDrop = onDrop
        }
    }

    /// How a broker is set up.
    public struct Configuration: Sendable {
        /// What clients may do.
        public var limits = SMQBrokerLimits()
        /// Nil accepts everybody.
        public var authenticate: Authenticate?
        /// Nil permits everything.
        public var permit: Permit?
        /// Nil asks nobody.
        public var questions: Questions?
        /// Told of every session of a client that begins or ends here; called on the event loop, so it must be quick.
        public var onSession: (@Sendable (SMQSessionChange) -> Void)?
        /// Nil for a broker that stands alone.
        public var cluster: Cluster?
        /// Shares to report in place of those measured, in thousandths; for tests that need several loads in one process.
        package var load: (@Sendable () -> (processor: UInt16, memoryShare: UInt16))?

        /// Accepts everybody, with the default limits.
        public init() {}
    }

    /// What a broker is doing at one moment.
    public struct Snapshot: Sendable {
        /// Clients connected.
        public var clients: Int
        /// Named topics.
        public var topics: Int
        /// Bytes that wait for clients.
        public var queuedBytes: Int
        /// Whether clients are asked to leave.
        public var isDraining = false
        /// Time since the start.
        public var uptime: Duration = .zero
        /// This process's use of the machine.
        public var process = NodeStatus()
        /// Publishes a second read from clients, and queued to them, lately.
        public var rates = (received: 0.0, delivered: 0.0)
        /// The cluster; nil for a broker that stands alone.
        public var cluster: ClusterSnapshot?
        /// Counters since the start.
        public var statistics: SMQBrokerStatistics
    }

    /// Where all its clients live; a listener for it must be on the same one.
    public let eventLoop: any EventLoop
    let configuration: Configuration
    let logger: Logger
    let core: NIOLoopBoundBox<SMQBrokerCore>

    /// Makes a broker whose clients live on one event loop.
    public init(_ configuration: Configuration = Configuration(), eventLoop: any EventLoop, logger: Logger) {
        self.eventLoop = eventLoop
        self.configuration = configuration
        self.logger = logger
        core = NIOLoopBoundBox.makeBoxSendingValue(
            SMQBrokerCore(configuration, eventLoop: eventLoop, logger: logger), eventLoop: eventLoop)
        eventLoop.execute { [core] in core.value.startTicking() }
    }

    /// The route of the broker.
    public func routes(path: String = "/smq.lsp") -> HTTPRoutes {
        var routes = HTTPRoutes()
        routes.stream(path) { [core] request in
            let wantsResponse = request.request.header("SendSmqHttpResponse")?.lowercased() == "true"
            let query = request.request.query.isEmpty ? "" : "?\(request.request.query)"
            let url = request.request.path + query
            let address = request.request.remoteAddress
            let framing = request.framing
            let isOurs = request.request.header("User-Agent") == SMQGoodbye.userAgent
            let head = "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nSmqBroker: true\r\n\r\n"
            return .accept(responseHead: wantsResponse ? head : nil) { channel in
                let handler = SMQBrokerHandler(
                    core.value, framing: framing, address: address, url: url, knowsGoodbye: isOurs)
                try channel.pipeline.syncOperations.addHandler(handler)
            }
        }
        return routes
    }

    /// What the broker is doing now.
    public func snapshot() async -> Snapshot {
        let bound = core
        let future = eventLoop.submit { bound.value.snapshot() }
        return (try? await future.get())
            ?? Snapshot(clients: 0, topics: 0, queuedBytes: 0, statistics: SMQBrokerStatistics())
    }

    /// Names of topics and sub-topics that clients have made, at most so many of each.
    public func names(limit: Int) async -> (topics: [String], subtopics: [String]) {
        let bound = core
        return (try? await eventLoop.submit { bound.value.names(limit: limit) }.get()) ?? ([], [])
    }

    /// Takes no new clients and asks those that are here to find another node, each at its own moment within `time`.
    ///
    /// They are served until they go, or until `grace` after that time. Returns when all have gone or the time is over;
    /// then call ``shutDown(reason:)``.
    public func drain(within time: Duration = .seconds(1), grace: Duration = .seconds(2)) async {
        let bound = core
        let isEmpty = eventLoop.makePromise(of: Void.self)
        eventLoop.execute { bound.value.drain(within: time, isEmpty) }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await isEmpty.futureResult.get() }
            group.addTask {
                try? await Task.sleep(for: time + grace)
                // Ends the other wait.
                isEmpty.succeed(())
            }
            await group.next()
            group.cancelAll()
        }
    }

    /// Says goodbye to the clients for whose unique id something has changed, so that they connect anew and meet the
    /// hooks again. The closure is called on the event loop.
    public func review(isUnchanged: @escaping @Sendable (ByteBuffer) -> Bool) async {
        let bound = core
        try? await eventLoop.submit { bound.value.review(isUnchanged: isUnchanged) }.get()
    }

    /// Says goodbye to every client and closes their connections.
    public func shutDown(reason: String = "the broker ends") async {
        let bound = core
        let futures = eventLoop.submit { bound.value.shutDown(reason: reason) }
        guard let closing = try? await futures.get() else { return }
        for future in closing { try? await future.get() }
    }
}
