public import DeviceProtocols

/// How a client finds and keeps its brokers.
public struct SMQClientConfiguration: Sendable {
    /// Makes the credentials from the broker's seed and this client's address as the broker sees it.
    public typealias Credentials = @Sendable (_ seed: UInt32, _ address: String) async throws -> [UInt8]

    /// The nodes, tried in turn.
    public var brokers: [BrokerURL]
    /// The client's unique id, 6 to 255 bytes. A broker ends an older connection with the same one, so two clients
    /// must not share it, and one that comes back after a power cut should.
    public var uid: [UInt8]
    /// A text about the client, for the broker's hook.
    public var information = ""
    /// Nil sends none.
    public var credentials: Credentials?
    /// Time for the TCP connection.
    public var connectTimeout: Duration = .seconds(5)
    /// Time from the connection to the session.
    public var handshakeTimeout: Duration = .seconds(5)
    /// A ping is sent when nothing was received for so long.
    public var pingAfter: Duration = .seconds(3)
    /// The node is left when nothing comes for so long after the ping.
    public var pingTimeout: Duration = .seconds(2)
    /// Waits between attempts.
    public var backOff = BackOff()
    /// A session that lasted so long was a good one: the next back-off starts anew.
    public var stableAfter: Duration = .seconds(5)
    /// Bytes that may wait for the socket or for the id of their topic; a publisher waits above it.
    public var outgoingBytes = 1 << 20
    /// Messages that may wait for the id of their topic; a publisher waits above it.
    public var pendingMessages = 1_000

    /// Where `.log` messages are kept; nil for a client that keeps none. See ``SMQDelivery``.
    public var outbox: SMQOutboxConfiguration?

    /// A configuration with the default times and limits.
    public init(brokers: [BrokerURL], uid: [UInt8]) {
        self.brokers = brokers
        self.uid = uid
    }
}
