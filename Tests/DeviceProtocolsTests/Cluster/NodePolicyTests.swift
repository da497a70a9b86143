import DeviceCore
import DeviceProtocols
import Testing

@Suite struct NodePolicyTests {
    private func views(_ count: Int, _ change: (Int, inout NodeView) -> Void = { _, _ in }) -> [NodeView] {
        (0..<count).map { index in
            var view = NodeView(node(index))
            change(index, &view)
            return view
        }
    }

    /// Shares of first choices.
    private func shares(_ policy: some NodePolicy, _ nodes: [NodeView], seed: UInt64 = 1, choices: Int = 20_000)
        -> [Double]
    {
        var policy = policy
        var random = SeededRandom(seed: seed)
        var counts = nodes.map { _ in 0 }
        for _ in 0..<choices {
            let order = policy.order(nodes, isChoice: true, using: &random)
            #expect(order.indices.sorted() == Array(nodes.indices))
            if let first = order.indices.first { counts[first] += 1 }
        }
        return counts.map { Double($0) / Double(choices) }
    }

    private func expect(_ shares: [Double], _ expected: [Double], within tolerance: Double = 0.015) {
        for (share, wanted) in zip(shares, expected) { #expect(abs(share - wanted) < tolerance, "\(shares)") }
    }

    @Test func roundRobinTakesTurnsAndClientsBeginAnywhere() {
        let nodes = views(3)
        var begins = [0, 0, 0]
        for seed in 0..<3000 {
            var random = SeededRandom(seed: UInt64(seed))
            var policy = RoundRobinPolicy()
            let firsts = (0..<6).compactMap { _ in policy.order(nodes, isChoice: true, using: &random).indices.first }
            #expect(Set(firsts.prefix(3)).count == 3 && firsts.prefix(3) == firsts.suffix(3))
            begins[firsts[0]] += 1
        }
        for count in begins { #expect(abs(count - 1000) < 120) }
        expect(shares(RoundRobinPolicy(), nodes), [1 / 3, 1 / 3, 1 / 3], within: 0.001)
    }

    @Test func roundRobinGoesOnWhenNodesComeAndGo() {
        var random = SeededRandom(seed: 1)
        var policy = RoundRobinPolicy()
        for count in [3, 1, 0, 2, 5, 1] {
            for _ in 0..<4 {
                let order = policy.order(views(count), isChoice: true, using: &random)
                #expect(order.indices.sorted() == Array(0..<count))
            }
        }
    }

    @Test func randomFollowsTheWeights() {
        expect(shares(RandomPolicy(), views(4)), [0.25, 0.25, 0.25, 0.25])
        expect(shares(RandomPolicy(), views(3) { $1.weight = [10, 30, 60][$0] }), [0.1, 0.3, 0.6])
    }

    @Test func leastConnectionsPrefersWithoutAHerd() {
        expect(
            shares(LeastConnectionsPolicy(), views(2) { $1.status = NodeStatus(clients: [90, 100][$0]) }), [0.55, 0.45])
        expect(shares(LeastConnectionsPolicy(), views(2) { $1.status = NodeStatus(clients: [0, 100][$0]) }), [1, 0])
        // Twice the weight carries twice the clients.
        let weighted = views(2) {
            $1.status = NodeStatus(clients: [1000, 500][$0])
            $1.weight = [20, 10][$0]
        }
        expect(shares(LeastConnectionsPolicy(), weighted), [2 / 3, 1 / 3])
        expect(shares(LeastConnectionsPolicy(), views(2) { $1.status = NodeStatus(clients: [0, .max][$0]) }), [1, 0])
    }

    /// Clients that come one after the other, with reports that are up to date, even out two unequal nodes.
    @Test func leastConnectionsEvensOut() {
        var random = SeededRandom(seed: 5)
        let policy = LeastConnectionsPolicy()
        var connections = [0, 400, 100]
        for _ in 0..<2500 {
            let nodes = views(3) { $1.status = NodeStatus(clients: UInt32(connections[$0])) }
            connections[policy.order(nodes, isChoice: true, using: &random).indices.first ?? 0] += 1
        }
        for count in connections { #expect(abs(count - 1000) < 60, "\(connections)") }
    }

    @Test func responseTimeByItsInverse() {
        let times: [Duration] = [.milliseconds(10), .milliseconds(20), .milliseconds(40)]
        expect(shares(ResponseTimePolicy(), views(3) { $1.roundTrip = times[$0] }), [4 / 7, 2 / 7, 1 / 7])
        // Below the floor they are alike.
        let tiny: [Duration] = [.zero, .microseconds(400)]
        expect(shares(ResponseTimePolicy(), views(2) { $1.roundTrip = tiny[$0] }), [0.5, 0.5])
        // One without a measurement counts as the mean, and so gets one: 1/10, 1/20, 1/30.
        let some: [Duration?] = [.milliseconds(10), nil, .milliseconds(30)]
        expect(shares(ResponseTimePolicy(), views(3) { $1.roundTrip = some[$0] }), [6 / 11, 3 / 11, 2 / 11])
    }

    @Test func resourcesByTheScarcer() {
        let statuses = [
            NodeStatus(processor: 200, memoryShare: 100), NodeStatus(processor: 100, memoryShare: 600),
            NodeStatus(processor: 800),
        ]
        expect(shares(ResourcePolicy(), views(3) { $1.status = statuses[$0] }), [0.8 / 1.4, 0.4 / 1.4, 0.2 / 1.4])
        let hostile = [NodeStatus(), NodeStatus(processor: .max, memoryShare: 40), NodeStatus(processor: 500)]
        expect(shares(ResourcePolicy(), views(3) { $1.status = hostile[$0] }), [0.66, 0.007, 0.33])
    }

    @Test func stickyIsStableAndMovesOnlyTheDeadNodesClients() {
        var random = SeededRandom(seed: 1)
        func favourites(_ nodes: [NodeView]) -> [Endpoint] {
            (0..<3000).map { client in
                let policy = StickyPolicy(client: Array("device-\(client)".utf8))
                let order = policy.order(nodes, isChoice: true, using: &random)
                return nodes[order.indices.first ?? 0].endpoint
            }
        }
        let nodes = views(4)
        let before = favourites(nodes)
        #expect(before == favourites(nodes))
        for index in 0..<4 { #expect(abs(before.filter { $0 == node(index) }.count - 750) < 110) }
        let after = favourites(nodes.filter { $0.endpoint != node(2) })
        for (old, new) in zip(before, after) where old != node(2) { #expect(old == new) }
        let moved = zip(before, after).filter { $0.0 == node(2) }.map(\.1)
        for index in [0, 1, 3] {
            #expect(abs(moved.filter { $0 == node(index) }.count - moved.count / 3) < 60)
        }
    }

    @Test func saysWhatIsMissingAndChoosesByChance() {
        var random = SeededRandom(seed: 1)
        for name in [NodePolicyName.leastConnections, .responseTime, .resource] {
            var policy = name.policy(client: [])
            #expect(policy.order(views(3), isChoice: true, using: &random).missing != nil)
            #expect(policy.name == name.rawValue)
        }
        for name in [NodePolicyName.roundRobin, .random, .sticky] {
            var policy = name.policy(client: [1])
            #expect(policy.order(views(3), isChoice: true, using: &random).missing == nil)
            #expect(policy.order([], isChoice: true, using: &random).indices.isEmpty)
        }
        expect(shares(LeastConnectionsPolicy(), views(4)), [0.25, 0.25, 0.25, 0.25])
        expect(shares(ResourcePolicy(), views(2) { $1.weight = [1, 3][$0] }), [0.25, 0.75])
    }
}
