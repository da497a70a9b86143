import DeviceCore
public import NIOCore

/// What a broker of this package tells its clients about one node of its cluster: itself, or one that is linked.
///
/// A broker publishes an array of them to ``topic`` once a second while somebody subscribes to it.
public struct SMQNodeReport: Hashable, Sendable {
    /// Where the node is.
    public enum Place: Hashable, Sendable {
        /// It is the broker that tells.
        case own
        /// Clients connect to it there.
        case endpoint(Endpoint)
        /// Its address is known, its port for clients is not.
        case address(IPAddress)
    }

    /// Where it is.
    public var place: Place
    /// How it does.
    public var status: NodeStatus

    /// The topic. Names that begin with `$devicesdk/` are the broker's: it alone publishes to them.
    public static let topic = reservedPrefix + "nodes"
    /// What the names begin with that clients may only subscribe to.
    static let reservedPrefix = "$devicesdk/"
    /// The publisher of the reports: an id that no client has.
    public static let publisher: UInt32 = 1
    /// Nodes that a reader takes from one message.
    static let limit = 64

    /// A report.
    public init(_ place: Place, _ status: NodeStatus) {
        self.place = place
        self.status = status
    }

    /// A linked node. Its name ends with its address for clients, as in `kitchen 192.0.2.1:80`; where it listens on all
    /// addresses, or its name tells none, `remote` is the one that its link comes from; nil where neither is known.
    init?(linked name: String, remote: String, _ status: NodeStatus) {
        let last = name.split(separator: " ").last ?? ""
        let told = Endpoint(last, defaultPort: 0).flatMap { $0.port > 0 ? $0 : nil }
        let isAny = told?.address.bytes.allSatisfy { $0 == 0 } ?? true
        if let told, !isAny {
            self.init(.endpoint(told), status)
        } else if let address = IPAddress(remote) {
            self.init(told.map { .endpoint(Endpoint(address, port: $0.port)) } ?? .address(address), status)
        } else {
            return nil
        }
    }

    /// The message: `{"nodes":[{"self":true,"clients":3,"cpu":0.01,"memory":0.4,"resident":9000000,"draining":false},
    /// {"address":"192.0.2.2:80",...}]}`, `cpu` and `memory` as shares, `resident` in bytes.
    static func message(_ reports: [SMQNodeReport]) -> ByteBuffer {
        let nodes = reports.map { JSONValue.object(JSONObject($0.members)) }
        return ByteBuffer(string: JSONValue.object(JSONObject([("nodes", .array(nodes))])).description)
    }

    /// Reads a message; entries that make no sense are passed over.
    public static func read(_ message: ByteBuffer) -> [SMQNodeReport] {
        guard let json = try? JSONValue(parsing: message.readableBytesView, named: topic, options: .message),
            let nodes = json["nodes"]?.arrayValue
        else { return [] }
        return nodes.prefix(limit).compactMap { SMQNodeReport($0) }
    }

    private var members: [(String, JSONValue)] {
        let first: (String, JSONValue) =
            switch place {
            case .own: ("self", .bool(true))
            case .endpoint(let endpoint): ("address", .string(endpoint.description))
            case .address(let address): ("address", .string(address.description))
            }
        return [
            first, ("clients", .integer(Int64(status.clients))), ("cpu", .number(Double(status.processor) / 1000)),
            ("memory", .number(Double(status.memoryShare) / 1000)),
            ("resident", .integer(Int64(clamping: status.memory))),
            ("draining", .bool(status.isDraining)),
        ]
    }

    private init?(_ json: JSONValue) {
        guard json.objectValue != nil else { return nil }
        func thousandths(_ key: String) -> UInt16 {
            UInt16(min(max(json[key]?.doubleValue ?? 0, 0), 60) * 1000 + 0.5)  // safe: within 0 to 60,000
        }
        let status = NodeStatus(
            clients: UInt32(clamping: json["clients"]?.integerValue ?? 0), processor: thousandths("cpu"),
            memory: UInt64(clamping: json["resident"]?.integerValue ?? 0), memoryShare: thousandths("memory"),
            isDraining: json["draining"]?.boolValue ?? false)
        if json["self"]?.boolValue == true {
            self.init(.own, status)
        } else if let text = json["address"]?.stringValue, let endpoint = Endpoint(text, defaultPort: 0) {
            self.init(endpoint.port == 0 ? .address(endpoint.address) : .endpoint(endpoint), status)
        } else {
            return nil
        }
    }
}
