/// What a policy sees of a node.
public struct NodeView: Hashable, Sendable {
    /// Where it is.
    public var endpoint: Endpoint
    /// Its share as the DNS gives it; 0 without SRV.
    public var weight: Int
    /// What it last reported; nil while it reports nothing.
    public var status: NodeStatus?
    /// Smoothed time between a ping and its answer, as this client measures it; nil before the first.
    public var roundTrip: Duration?

    /// A node.
    public init(
        _ endpoint: Endpoint, weight: Int = 0, status: NodeStatus? = nil, roundTrip: Duration? = nil
    ) {
        self.endpoint = endpoint
        self.weight = weight
        self.status = status
        self.roundTrip = roundTrip
    }
}

/// In which order nodes are to be tried, by one way of choosing.
public struct NodeOrder: Hashable, Sendable {
    /// Indices of the nodes, the first choice first; each once.
    public var indices: [Int]
    /// What was missing, when the policy had nothing to go by and chose by chance: for example "no node reports its
    /// connections".
    public var missing: String?

    /// An order.
    public init(_ indices: [Int], missing: String? = nil) {
        self.indices = indices
        self.missing = missing
    }
}

/// A way to choose among nodes of the same standing.
///
/// Make your own by conforming a struct. Nodes that recently failed are not its business: ``NodeChooser`` puts them
/// last.
public protocol NodePolicy: Sendable {
    /// As in settings and logs.
    var name: String { get }
    /// Whether it goes by what nodes report of themselves; the client then asks for the reports.
    var needsReports: Bool { get }
    /// Orders the nodes, which always come in the same order while they are the same ones.
    ///
    /// - Parameter isChoice: whether a node is chosen now; false when a policy is only asked again for another group
    ///   of nodes, so that what counts choices does not count twice.
    mutating func order(
        _ nodes: [NodeView], isChoice: Bool, using random: inout some RandomNumberGenerator
    ) -> NodeOrder
}

extension NodePolicy {
    /// No, unless the policy says otherwise.
    public var needsReports: Bool { false }
}
