/// The same client always prefers the same node, over restarts too, and each client another one.
///
/// Rendezvous hashing: client and node together give a number, and the highest wins. When a node goes, only its
/// clients move, and they spread over all others; when it comes back, theirs is the same again.
public struct StickyPolicy: NodePolicy {
    /// `sticky`
    public let name = "sticky"
    private let key: UInt64

    /// For a client with this identity, for example its unique id.
    public init(client: some Sequence<UInt8>) { key = NodeScore.hash(client) }

    /// Orders by the hash; chance plays no part. The DNS's weights do not either.
    public func order(
        _ nodes: [NodeView], isChoice: Bool, using random: inout some RandomNumberGenerator
    ) -> NodeOrder {
        let scores = nodes.map { NodeScore.of($0.endpoint, key: key) }
        return NodeOrder(nodes.indices.sorted { (scores[$0], $1) > (scores[$1], $0) })  // safe: indices of nodes
    }
}

/// Pseudo-random numbers of nodes, the same everywhere and always.
enum NodeScore {
    private static let start: UInt64 = 0xCBF2_9CE4_8422_2325

    /// FNV-1a.
    static func hash(_ bytes: some Sequence<UInt8>, from start: UInt64 = start) -> UInt64 {
        bytes.reduce(start) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }

    /// The node's number for this key. SplitMix64's finalizer, because FNV alone mixes the last bytes badly.
    static func of(_ endpoint: Endpoint, key: UInt64) -> UInt64 {
        let port = [UInt8(truncatingIfNeeded: endpoint.port >> 8), UInt8(truncatingIfNeeded: endpoint.port)]
        var hash = hash(endpoint.address.bytes + port, from: key ^ start)
        hash = (hash ^ (hash >> 30)) &* 0xBF58_476D_1CE4_E5B9
        hash = (hash ^ (hash >> 27)) &* 0x94D0_49BB_1331_11EB
        return hash ^ (hash >> 31)
    }
}
