public import DeviceProtocols
public import DeviceTransport

/// How a client finds and keeps its brokers.
public struct SMQClientConfiguration: Sendable {
    /// Makes the credentials from the broker's seed and this client's address as the broker sees it.
    public typealias Credentials = @Sendable (_ seed: UInt32, _ address: String) async throws -> [UInt8]

    /// The cluster's nodes: one name behind which they all are, a list of them, or both.
    public var brokers: [BrokerURL]
    /// The service for SRV records at `SERVICE.NAME`, such as `_smq._tcp`; nil asks for addresses only.
    public var service: String?
    /// Looks names up; nil for the process's own resolver, which asks the system's DNS servers.
    public var resolver: NameResolver?
    /// The client's unique id, 6 to 255 bytes. A broker ends an older connection with the same one, so two clients
    /// must not share it, and one that comes back after a power cut should.
    public var uid: [UInt8]
    /// A text about the client, for the broker's hook.
    public var information = ""
    /// Nil sends none.
    public var credentials: Credentials?
    /// For smqs:// and wss://: whom to trust, and what to show.
    public var tls = TLSClientConfiguration()
    /// The way to choose among nodes that are well. By chance unless told otherwise, so that many clients spread.
    public var nodePolicy: any NodePolicy = RandomPolicy()
    /// How soon a silent node is noticed.
    public var liveness = ClusterProfile.normal.liveness
    /// Times and bounds of attempts.
    public var attempts = ClusterProfile.normal.attempts
    /// Whether a second session is kept at another node, which takes over without a handshake. It neither subscribes nor
    /// announces until then, and costs the cluster one connection.
    public var keepsStandby = false
    /// When the DNS no longer names the node in use, the client leaves it within a random part of this.
    public var drainTime: Duration = .seconds(2)
    /// Bytes that may wait for the socket or for the id of their topic; a publisher waits above it.
    public var outgoingBytes = 1 << 20
    /// Messages that may wait for the id of their topic; a publisher waits above it.
    public var pendingMessages = 1_000

    /// Where `.log` messages are kept; nil for a client that keeps none. See ``SMQDelivery``.
    public var outbox: SMQOutboxConfiguration? {
        get { boxedOutbox.first }
        set { boxedOutbox = newValue.map { [$0] } ?? [] }
    }
    /// On the heap: it is large, most clients have none, and each keeps this configuration more than once.
    private var boxedOutbox: [SMQOutboxConfiguration] = []

    /// A configuration with the default limits and the times of a profile.
    public init(brokers: [BrokerURL], uid: [UInt8], profile: ClusterProfile = .normal) {
        self.brokers = brokers
        self.uid = uid
        liveness = profile.liveness
        attempts = profile.attempts
    }
}
