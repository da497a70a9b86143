import DeviceCore
import DeviceProtocols
import DeviceTransport

/// One network server, or cluster, that hears what the radio hears.
struct UplinkConfiguration: Sendable, Hashable {
    /// How it is spoken to.
    enum Kind: Sendable, Hashable {
        /// Semtech's UDP protocol.
        case gwmp(GWMPServer)
        /// Basics Station's protocol over a WebSocket.
        case lns(LNSServer)
        /// The project's own message cluster.
        case cluster(ClusterServer)

        /// One word for the page, the log and the metrics.
        var word: String {
            switch self {
            case .gwmp: "gwmp"
            case .lns: "lns"
            case .cluster: "cluster"
            }
        }
    }

    /// What it is called on the page and in the log; unique.
    var name: String
    var kind: Kind
    var filter = UplinkFilter()
    /// Keeps frames while it is down; nil for not.
    var store: StoreSettings?
    /// Which checksums are forwarded.
    var forwards = CRCPolicy()
}

/// Where a GWMP server is.
struct GWMPServer: Sendable, Hashable {
    /// Name or address.
    var host: String
    var portUp = 1700
    var portDown = 1700
    /// Time between two PULL_DATA.
    var keepalive = Duration.seconds(10)
    /// Time between two reports; nil for none.
    var statInterval: Duration? = .seconds(30)
    /// How long an acknowledgement may take before it counts as missed.
    var acknowledgementTime = Duration.seconds(1)
}

/// Where a Basics Station server is, and how this gateway proves who it is.
struct LNSServer: Sendable, Hashable {
    /// Of the discovery: `ws://host:1887` or `wss://…`; `/router-info` is added.
    var url: String
    /// Lines `Name: value` for the request, such as an Authorization. A secret: never logged.
    var headers: [String] = []
    /// A PEM file of authorities; nil for the system's.
    var authorities: String?
    var certificate: String?
    var key: String?
}

/// Where the cluster is.
struct ClusterServer: Sendable, Hashable {
    /// `smq://…`, `smqs://…`, as many as there are names.
    var brokers: [String]
    /// What the topics begin with.
    var topic = "lora"
    /// A PEM file of authorities; nil for the system's.
    var authorities: String?
    var certificate: String?
    var key: String?
}

/// Store and forward of one up-link.
struct StoreSettings: Sendable, Hashable {
    /// Bytes on the disk, at most; then the oldest frames make room.
    var bytes = 64 << 20
    /// Frames older than this are given up.
    var age = Duration.seconds(7 * 86400)
}

/// Which frames are forwarded by the state of their checksum (`forward_crc_valid`, `_error`, `_disabled`).
struct CRCPolicy: Sendable, Hashable {
    var valid = true
    var bad = false
    var none = false

    func allows(_ status: CRCStatus) -> Bool {
        switch status {
        case .ok: valid
        case .bad: bad
        case .none: none
        }
    }
}
