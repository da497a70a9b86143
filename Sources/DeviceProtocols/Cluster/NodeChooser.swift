public import DeviceCore

/// Knows a cluster's nodes, what they report and how they behaved, and says in which order to try them. No I/O.
///
/// Nodes that are well come first, by DNS priority and then as the policy says; those with a penalty after them, the
/// worst last; nodes to avoid at the very end. A bad node is never left out: it may be the only one.
public struct NodeChooser: Sendable {
    struct Node: Sendable {
        var record: ResolvedEndpoint
        /// The last report, and when it came.
        var report: (status: NodeStatus, at: MonotonicTime)?
        var roundTrip: Duration?
        var penalty = NodePenalty()
    }

    /// The way to choose among nodes that are well.
    public private(set) var policy: any NodePolicy
    /// The time in which half of a penalty is forgiven.
    public let halfLife: Duration
    /// Nodes that are kept; more in an answer are left out, and counted in ``leftOut``.
    public let limit: Int
    /// Nodes that the limit left out of the last answer.
    public private(set) var leftOut = 0
    /// In the order of their endpoints, so that the policies see the same nodes in the same order.
    private var nodes: [Node] = []
    private var hasToldMissing = false

    /// A chooser without nodes.
    public init(policy: any NodePolicy = RandomPolicy(), halfLife: Duration = .seconds(10), limit: Int = 64) {
        self.policy = policy
        self.halfLife = halfLife
        self.limit = max(1, limit)
    }

    /// All nodes' endpoints.
    public var endpoints: [Endpoint] { nodes.map(\.record.endpoint) }

    /// Takes the cluster's nodes from the DNS, or from settings. What is known of a node that stays is kept.
    ///
    /// - Returns: the nodes that are no longer among them: a client of one of those should move.
    @discardableResult
    public mutating func update(_ records: [ResolvedEndpoint]) -> [Endpoint] {
        var known: [Endpoint: Node] = [:]
        for node in nodes { known[node.record.endpoint] = node }
        var updated: [Endpoint: Node] = [:]
        leftOut = 0
        for record in records where updated[record.endpoint] == nil {
            guard updated.count < limit else {
                leftOut += 1
                continue
            }
            var node = known.removeValue(forKey: record.endpoint) ?? Node(record: record)
            node.record = record
            updated[record.endpoint] = node
        }
        nodes = updated.values.sorted { Self.isBefore($0.record.endpoint, $1.record.endpoint) }
        return known.keys.sorted(by: Self.isBefore)
    }

    /// How long a report counts: a node that stopped to report may have any number of clients by now.
    public static let reportLifetime = Duration.seconds(30)

    /// Notes what a node reports.
    public mutating func report(_ status: NodeStatus, of endpoint: Endpoint, at now: MonotonicTime) {
        change(endpoint) { $0.report = (status, now) }
    }

    /// Whether some node's report counts now.
    public func hasReports(at now: MonotonicTime) -> Bool { nodes.contains { Self.status(of: $0, at: now) != nil } }

    private static func status(of node: Node, at now: MonotonicTime) -> NodeStatus? {
        node.report.flatMap { now - $0.at <= reportLifetime ? $0.status : nil }
    }

    /// Notes the time between a ping and its answer; it counts for a fifth.
    public mutating func measured(roundTrip: Duration, of endpoint: Endpoint) {
        guard roundTrip >= .zero else { return }
        change(endpoint) { node in node.roundTrip = node.roundTrip.map { ($0 * 4 + roundTrip) / 5 } ?? roundTrip }
    }

    /// Notes that a node failed: an attempt, or a session that it lost. `amount` of 1 puts it behind the others for one
    /// half-life.
    public mutating func failed(_ endpoint: Endpoint, amount: Double = 1, at now: MonotonicTime) {
        let halfLife = halfLife
        change(endpoint) { $0.penalty.add(amount, at: now, halfLife: halfLife) }
    }

    /// Notes that a session with a node has lasted. One that has only begun proves nothing: a frozen or overloaded node
    /// accepts connections too.
    public mutating func lasted(_ endpoint: Endpoint) { change(endpoint) { $0.penalty.clear() } }

    /// A node's penalty now.
    public func penalty(of endpoint: Endpoint, at now: MonotonicTime) -> Double {
        nodes.first { $0.record.endpoint == endpoint }?.penalty.value(at: now, halfLife: halfLife) ?? 0
    }

    /// A node's smoothed round trip.
    public func roundTrip(of endpoint: Endpoint) -> Duration? {
        nodes.first { $0.record.endpoint == endpoint }?.roundTrip
    }

    /// The nodes in the order in which to try them.
    public struct Candidates: Hashable, Sendable {
        /// The first choice first.
        public var endpoints: [Endpoint]
        /// Said once, until the policy has something to go by again: why it chooses by chance.
        public var notice: String?
    }

    /// Makes a choice.
    ///
    /// - Parameter avoiding: nodes that come last whatever they are: the one just lost, or the one in use when another
    ///   is wanted.
    public mutating func candidates(
        avoiding: Set<Endpoint> = [], at now: MonotonicTime, using random: inout some RandomNumberGenerator
    ) -> Candidates {
        var well: [Int: [Node]] = [:]
        var others: [(rank: Double, node: Node)] = []
        for node in nodes.shuffled(using: &random) {
            let penalty = node.penalty.value(at: now, halfLife: halfLife)
            if avoiding.contains(node.record.endpoint) {
                others.append((penalty + NodePenalty.limit * 2, node))
            } else if Self.status(of: node, at: now)?.isDraining == true {
                // It takes nobody; but the report may be old, and the others worse.
                others.append((penalty + NodePenalty.limit, node))
            } else if penalty > NodePenalty.threshold {
                others.append((penalty, node))
            } else {
                well[node.record.priority, default: []].append(node)
            }
        }
        others.sort { $0.rank < $1.rank }
        var result = Candidates(endpoints: [], notice: nil)
        var isFirst = true
        for priority in well.keys.sorted() {
            let group = (well[priority] ?? []).sorted { Self.isBefore($0.record.endpoint, $1.record.endpoint) }
            let order = ask(group, isChoice: isFirst, at: now, using: &random)
            if isFirst { result.notice = notice(order) }
            result.endpoints += order.indices.map { group[$0].record.endpoint }  // safe: ask checked them
            isFirst = false
        }
        result.endpoints += others.map(\.node.record.endpoint)
        return result
    }

    /// Asks the policy, and does not trust it: every node comes once.
    private mutating func ask(
        _ group: [Node], isChoice: Bool, at now: MonotonicTime, using random: inout some RandomNumberGenerator
    ) -> NodeOrder {
        let views = group.map { node in
            NodeView(
                node.record.endpoint, weight: node.record.weight, status: Self.status(of: node, at: now),
                roundTrip: node.roundTrip)
        }
        var order = policy.order(views, isChoice: isChoice, using: &random)
        var seen: Set<Int> = []
        order.indices = (order.indices + views.indices).filter {
            views.indices.contains($0) && seen.insert($0).inserted
        }
        return order
    }

    private mutating func notice(_ order: NodeOrder) -> String? {
        guard let missing = order.missing else {
            hasToldMissing = false
            return nil
        }
        defer { hasToldMissing = true }
        return hasToldMissing ? nil : "the policy \(policy.name) chooses by chance: \(missing)"
    }

    private mutating func change(_ endpoint: Endpoint, _ body: (inout Node) -> Void) {
        guard let index = nodes.firstIndex(where: { $0.record.endpoint == endpoint }) else { return }
        body(&nodes[index])  // safe: just found
    }

    private static func isBefore(_ left: Endpoint, _ right: Endpoint) -> Bool {
        if left.address.bytes != right.address.bytes {
            return left.address.bytes.lexicographicallyPrecedes(right.address.bytes)
        }
        return (left.port, left.address.zone) < (right.port, right.address.zone)
    }
}
