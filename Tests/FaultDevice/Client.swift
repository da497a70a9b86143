import ClusterClient
import DeviceCore
import DeviceProtocols
import Logging
import NIOCore

/// The SDK's client as the rig uses it: the one place that changes when the client's API does.
struct DeviceClient: Sendable {
    /// Levels of delivery, best last.
    static let levels = ["live"]
    static let profiles = ["relaxed", "normal", "fast"]
    static let hasStandby = false
    static let hasResolver = false
    static let hasTLS = false

    /// What happens to the connection.
    enum Event: Sendable {
        case connected(node: String)
        case moved(from: String, to: String, reason: String)
        /// `wasConnected` is false for an attempt that failed.
        case disconnected(node: String, reason: String, wasConnected: Bool)
    }

    /// Messages of a topic; subscribed to since this was made.
    struct Messages: Sendable {
        fileprivate let subscription: SMQSubscription

        /// Calls back with each message until the client ends; returns how many were dropped unread.
        func forEach(_ body: (ByteBuffer) -> Void) async -> UInt64 {
            for await message in subscription { body(message.payload) }
            return subscription.dropped
        }
    }

    private let client: SMQClient
    /// From the beginning, so that the first connection is not missed.
    private let events: BoundedStream<SMQClientEvent>

    /// A client like a device's.
    init(_ options: ClientOptions, uid: [UInt8] = randomUID()) throws {
        var brokers = try options.node.map { try BrokerURL("smq://\($0)") }
        if let name = options.name { brokers.append(try BrokerURL("smq://\(name):\(options.port)")) }
        var configuration = SMQClientConfiguration(brokers: brokers, uid: uid)
        switch options.profile {
        case "fast":
            configuration.connectTimeout = .milliseconds(400)
            configuration.handshakeTimeout = .milliseconds(400)
            configuration.pingAfter = .milliseconds(250)
            configuration.pingTimeout = .milliseconds(200)
            configuration.backOff = BackOff(base: .milliseconds(20), cap: .milliseconds(500))
        case "relaxed":
            configuration.pingAfter = .seconds(20)
            configuration.pingTimeout = .seconds(10)
        default: break
        }
        self.init(configuration)
    }

    /// A client that observes one node: patient with a frozen one, back within milliseconds after a dead one.
    init(observing node: String) throws {
        var configuration = SMQClientConfiguration(brokers: [try BrokerURL("smq://\(node)")], uid: randomUID())
        configuration.connectTimeout = .seconds(1)
        configuration.handshakeTimeout = .seconds(120)
        configuration.pingTimeout = .seconds(120)
        configuration.backOff = BackOff(base: .milliseconds(10), cap: .milliseconds(40))
        self.init(configuration)
    }

    private init(_ configuration: SMQClientConfiguration) {
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
            case .denied: break
            }
        }
    }

    /// Publishes now; throws when the message will not be kept.
    func publishLive(_ payload: ByteBuffer, to topic: String) throws(DeviceError) {
        try client.publishNow(payload, to: .topic(topic))
    }

    /// Publishes at the level of the options: once it returns, the message is what that level promises to deliver.
    func publish(_ payload: ByteBuffer, to topic: String) async throws(DeviceError) {
        try publishLive(payload, to: topic)
    }

    /// Waits until everything that was published is delivered, as far as this level knows. Returns what is not.
    func settle(within limit: Duration) async -> Int { 0 }

    /// Subscribes to a topic.
    func messages(of topic: String, limit: Int = 65_536) -> Messages {
        Messages(subscription: client.subscribe(to: topic, limit: limit))
    }
}
