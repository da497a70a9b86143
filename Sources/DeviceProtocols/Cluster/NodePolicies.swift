import DeviceCore

/// Each node in turn, each client in an order of its own that is drawn once.
///
/// An order of its own, because all clients of a node that dies have just had that one: with one order for all they would
/// go to the same next one.
public struct RoundRobinPolicy: NodePolicy {
    /// `round-robin`
    public let name = "round-robin"
    private var key: UInt64?
    /// The score of the node chosen last: the next one is the next in the order even when nodes came or went.
    private var last: UInt64?

    /// Has chosen nothing yet.
    public init() {}

    /// The turn moves on by one with each choice.
    public mutating func order(
        _ nodes: [NodeView], isChoice: Bool, using random: inout some RandomNumberGenerator
    ) -> NodeOrder {
        guard !nodes.isEmpty else { return NodeOrder([]) }
        let key = self.key ?? random.next()
        self.key = key
        let scores = nodes.map { NodeScore.of($0.endpoint, key: key) }
        let circle = nodes.indices.sorted { (scores[$0], $0) < (scores[$1], $1) }  // safe: indices of nodes
        let first = last.flatMap { last in circle.firstIndex { scores[$0] > last } } ?? 0
        let indices = Array(circle[first...] + circle[..<first])  // safe: an index of circle, or 0
        if isChoice { last = indices.first.map { scores[$0] } }
        return NodeOrder(indices)
    }
}

/// By chance, in proportion to the weights that the DNS gives; without weights all alike.
public struct RandomPolicy: NodePolicy {
    /// `random`
    public let name = "random"

    /// The one there is.
    public init() {}

    /// Draws the nodes without putting back.
    public func order(
        _ nodes: [NodeView], isChoice: Bool, using random: inout some RandomNumberGenerator
    ) -> NodeOrder {
        NodeOrder(WeightedOrder.draw(shares(nodes), using: &random))
    }
}

/// The fewer clients a node reports, the likelier it is chosen: by 1 / (connections + 1)², connections counted per
/// unit of DNS weight.
///
/// The square and not the strict minimum, because reports are old: a thousand clients that lost their node would all go
/// to the one that last had fewest. Two nodes of 90 and 100 clients get 55 and 45 %, two of 0 and 100 get all and none.
public struct LeastConnectionsPolicy: NodePolicy {
    /// `least-connections`
    public let name = "least-connections"
    /// Yes.
    public var needsReports: Bool { true }

    /// The one there is.
    public init() {}

    /// Draws by the reports; a node that reports nothing counts as the mean of those that do.
    public func order(
        _ nodes: [NodeView], isChoice: Bool, using random: inout some RandomNumberGenerator
    ) -> NodeOrder {
        let shares = shares(nodes)
        let loads = zip(nodes, shares).map { node, share in
            node.status.map { Double($0.clients) / share }
        }
        return drawn(loads, shares, missing: "no node reports its connections", using: &random) {
            1 / (($0 + 1) * ($0 + 1))
        }
    }
}

/// The sooner a node answers pings, the likelier it is chosen: by 1 / round trip.
public struct ResponseTimePolicy: NodePolicy {
    /// `response-time`
    public let name = "response-time"
    /// Shorter round trips count as this one: below it the differences are noise.
    public var floor: Duration

    /// With the least time that counts.
    public init(floor: Duration = .microseconds(500)) { self.floor = max(floor, .nanoseconds(1)) }

    /// Draws by the measurements; a node without one counts as the mean of the others, so that it gets one.
    public func order(
        _ nodes: [NodeView], isChoice: Bool, using random: inout some RandomNumberGenerator
    ) -> NodeOrder {
        let times = nodes.map { $0.roundTrip.map { Double(max($0, floor).wholeNanoseconds) } }
        return drawn(times, shares(nodes), missing: "no node's response time is known", using: &random) { 1 / $0 }
    }
}

/// The more processor time and memory a node has left, the likelier it is chosen: by the scarcer of the two.
public struct ResourcePolicy: NodePolicy {
    /// `resource`
    public let name = "resource"
    /// Yes.
    public var needsReports: Bool { true }

    /// The one there is.
    public init() {}

    /// Draws by the reports; a node that reports nothing counts as the mean of those that do.
    public func order(
        _ nodes: [NodeView], isChoice: Bool, using random: inout some RandomNumberGenerator
    ) -> NodeOrder {
        let left = nodes.map { node -> Double? in
            // What a node says is not trusted to be a share.
            node.status.map { 1 - Double(min(1000, max($0.processor, $0.memoryShare))) / 1000 }
        }
        // A full node keeps a hundredth: its report may be old.
        return drawn(left, shares(nodes), missing: "no node reports its processor or memory", using: &random) {
            max($0, 0.01)
        }
    }
}

/// The DNS's weights as shares: all 1 where there are none.
private func shares(_ nodes: [NodeView]) -> [Double] {
    let isWeighted = nodes.contains { $0.weight > 0 }
    return nodes.map { isWeighted ? max(Double($0.weight), 0.1) : 1 }
}

/// Draws by a figure of each node. Where only some are known, their mean stands for the others; where none is, only
/// the shares count, and the order says so.
private func drawn(
    _ figures: [Double?], _ shares: [Double], missing: String, using random: inout some RandomNumberGenerator,
    weight: (Double) -> Double
) -> NodeOrder {
    let known = figures.compactMap { $0 }
    guard !known.isEmpty else { return NodeOrder(WeightedOrder.draw(shares, using: &random), missing: missing) }
    let mean = known.reduce(0, +) / Double(known.count)
    let weights = zip(figures, shares).map { figure, share in weight(figure ?? mean) * share }
    return NodeOrder(WeightedOrder.draw(weights, using: &random))
}
