import ClusterClient
import DeviceCore
import DeviceProtocols
import DeviceTransport
import Logging
import NIOCore
import Outbox

/// The SDK's client as the rig uses it: the one place that changes when the client's API does.
struct DeviceClient: Sendable {
    /// Levels of delivery, best last.
    static let levels = ["live"] + SMQDeliveryLevel.allCases.map(\.rawValue)
    static let profiles = ClusterProfile.allCases.map(\.rawValue)
    static let hasStandby = true
    static let hasResolver = true
    static let tellsMoves = true
    static let hasTLS = true

    /// What happens to the connection.
    enum Event: Sendable {
        case connected(node: String)
        case moved(from: String, to: String, reason: String)
        case notice(String)
        /// `wasConnected` is false for an attempt that failed.
        case disconnected(node: String, reason: String, wasConnected: Bool)
    }

    /// Messages of a topic, logged or not; subscribed to since this was made.
    struct Messages: Sendable {
        fileprivate let subscription: SMQLoggedSubscription

        /// Calls back with each message until the client ends; it is complete when `body` returns. Returns how many were
        /// dropped unread.
        func forEach(_ body: (ByteBuffer) -> Void) async -> UInt64 {
            for await message in subscription {
                body(message.message.payload)
                message.complete()
            }
            return subscription.dropped
        }
    }

    private let client: SMQClient
    private let delivery: SMQDelivery
    /// From the beginning, so that the first connection is not missed.
    private let events: BoundedStream<SMQClientEvent>

    /// The resolver that the options ask for; nil for the process's own. A herd shares one.
    static func resolver(_ options: ClientOptions) throws -> NameResolver? {
        try options.dns.map { try NameResolver(ResolverConfiguration(servers: $0)) }
    }

    /// A client like a device's.
    init(_ options: ClientOptions, resolver: NameResolver?) throws {
        let scheme = options.ca == nil ? "smq" : "smqs"
        var brokers = try options.node.map { try BrokerURL("\(scheme)://\($0)") }
        if let name = options.name { brokers.append(try BrokerURL("\(scheme)://\(name):\(options.port)")) }
        var configuration = SMQClientConfiguration(
            brokers: brokers, uid: randomUID(), profile: ClusterProfile(rawValue: options.profile) ?? .normal)
        configuration.keepsStandby = options.standby
        configuration.resolver = resolver
        if let ca = options.ca { configuration.tls.trustRoots = .file(ca) }
        configuration.outbox = options.state.map { SMQOutboxConfiguration(directory: $0) }
        self.init(
            configuration,
            delivery: SMQDeliveryLevel(rawValue: options.level).map { .log(level: $0, isDurable: options.durable) })
    }

    /// A client that observes one node: patient with a frozen one, back within milliseconds after a dead one. With TLS
    /// it takes every certificate: it has to hear at a node that others must not take.
    init(observing node: String, isSecure: Bool) throws {
        let url = try BrokerURL("\(isSecure ? "smqs" : "smq")://\(node)")
        var configuration = SMQClientConfiguration(brokers: [url], uid: randomUID())
        configuration.tls.acceptsEveryCertificateForTestsOnly = true
        configuration.attempts.tlsDeadline = .seconds(120)
        configuration.liveness = LivenessSettings(pingAfter: .seconds(3), pingTimeout: .seconds(120))
        configuration.attempts.connectDeadline = .seconds(1)
        configuration.attempts.handshakeDeadline = .seconds(120)
        configuration.attempts.firstJitter = .milliseconds(10)
        configuration.attempts.backOff = BackOff(base: .milliseconds(10), cap: .milliseconds(40))
        configuration.attempts.attemptLimit = 10_000
        self.init(configuration)
    }

    private init(_ configuration: SMQClientConfiguration, delivery: SMQDelivery? = nil) {
        self.delivery = delivery ?? .live
        var logger = Logger(label: "fault-device") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .notice
        client = SMQClient(configuration, logger: logger)
        events = client.events()
    }

    /// Connects, and stays so until the task is cancelled.
    func run() async throws { try await client.run() }

    /// Calls back with each event until the client ends.
    func forEachEvent(_ body: (Event) -> Void) async {
        for await event in events {
            switch event {
            case .connected(let node, _, _): body(.connected(node: node))
            case .disconnected(let node, let reason, _, _, let wasConnected):
                body(.disconnected(node: node, reason: reason, wasConnected: wasConnected))
            case .moved(let move): body(.moved(from: move.from, to: move.to, reason: move.reason))
            case .denied(let name): body(.notice("\(name) is denied"))
            case .notice(let text): body(.notice(text))
            default: body(.notice("\(event)"))
            }
        }
    }

    /// Publishes now; throws when the message will not be kept.
    func publishLive(_ payload: ByteBuffer, to topic: String) throws(DeviceError) {
        try client.publishNow(payload, to: .topic(topic))
    }

    /// Publishes at the level of the options: once it returns, the message is what that level promises to deliver.
    func publish(_ payload: ByteBuffer, to topic: String) async throws(DeviceError) {
        guard delivery != .live else { return try publishLive(payload, to: topic) }
        try await client.publish(payload, to: .topic(topic), delivery: delivery)
    }

    /// Waits until everything that was published is delivered, as far as this level knows. Returns what is not.
    func settle(within limit: Duration) async -> Int {
        let end = ContinuousClock.now + limit
        while client.deliveryCounters.normal.waiting > 0, ContinuousClock.now < end {
            try? await Task.sleep(for: .milliseconds(50))
        }
        return Int(clamping: client.deliveryCounters.normal.waiting)
    }

    /// Subscribes to a topic.
    func messages(of topic: String, seen: Deduplicator, limit: Int = 65_536) -> Messages {
        Messages(subscription: client.receiveLogged(from: topic, deduplicator: seen, limit: limit))
    }

    /// Calls back with each live message of a topic until the client ends.
    func forEachLive(of topic: String, _ body: () -> Void) async {
        for await _ in client.subscribe(to: topic, limit: 64) { body() }
    }
}
