import DeviceCore
import DeviceProtocols
import Testing

@Suite struct NodeChooserTests {
    private var random = SeededRandom(seed: 1)
    private let start = MonotonicTime.zero + .seconds(100)

    private func records(_ indices: some Sequence<Int>, priority: Int = 0) -> [ResolvedEndpoint] {
        indices.map { ResolvedEndpoint(node($0), priority: priority, target: "c") }
    }

    @Test mutating func aBadNodeComesLastUntilItIsForgiven() throws {
        var chooser = NodeChooser(policy: StickyPolicy(client: [1, 2, 3]))
        chooser.update(records(0..<3))
        let favourite = try #require(chooser.candidates(at: start, using: &random).endpoints.first)
        chooser.failed(favourite, at: start)
        #expect(chooser.candidates(at: start, using: &random).endpoints.last == favourite)
        #expect(chooser.candidates(at: start + .milliseconds(9_900), using: &random).endpoints.last == favourite)
        #expect(chooser.candidates(at: start + .milliseconds(10_100), using: &random).endpoints.first == favourite)
        // Four in a row need three half-lives.
        for _ in 0..<3 { chooser.failed(favourite, at: start) }
        #expect(chooser.candidates(at: start + .seconds(29), using: &random).endpoints.last == favourite)
        #expect(chooser.candidates(at: start + .seconds(31), using: &random).endpoints.first == favourite)
        chooser.failed(favourite, at: start)
        chooser.lasted(favourite)
        #expect(chooser.candidates(at: start, using: &random).endpoints.first == favourite)
    }

    @Test func aPenaltyOnlyFallsAndIsBounded() {
        var penalty = NodePenalty()
        for _ in 0..<1000 { penalty.add(at: start, halfLife: .seconds(10)) }
        var last = penalty.value(at: start, halfLife: .seconds(10))
        #expect(last == NodePenalty.limit)
        for step in 0..<4000 {
            let value = penalty.value(at: start + .milliseconds(100 * step), halfLife: .seconds(10))
            #expect(value <= last && value >= 0)
            last = value
        }
        #expect(last < 0.001)
        #expect(penalty.value(at: start + .seconds(20), halfLife: .seconds(10)) == NodePenalty.limit / 4)
        #expect(penalty.value(at: .zero, halfLife: .seconds(10)) == NodePenalty.limit, "a time before it was given")
        #expect(penalty.value(at: .distantFuture, halfLife: .zero) == 0)
    }

    @Test mutating func theWorstIsLastAndNobodyIsLeftOut() {
        var chooser = NodeChooser()
        chooser.update(records(0..<3) + records([3], priority: 5))
        chooser.failed(node(0), at: start)
        for _ in 0..<3 { chooser.failed(node(1), at: start) }
        for _ in 0..<50 {
            let order = chooser.candidates(avoiding: [node(2)], at: start, using: &random).endpoints
            #expect(order == [node(3), node(0), node(1), node(2)])
        }
    }

    @Test mutating func updatesKeepWhatIsKnown() {
        var chooser = NodeChooser(policy: ResponseTimePolicy(), limit: 3)
        #expect(chooser.update(records(0..<2)) == [])
        chooser.failed(node(0), at: start)
        for _ in 0..<50 { chooser.measured(roundTrip: .milliseconds(10), of: node(1)) }
        chooser.measured(roundTrip: .milliseconds(60), of: node(1))
        #expect(chooser.roundTrip(of: node(1)) == .milliseconds(20))
        chooser.measured(roundTrip: .seconds(-1), of: node(1))
        chooser.measured(roundTrip: .seconds(1), of: node(77))
        #expect(chooser.update(records([2, 1, 0, 1])) == [])
        #expect(chooser.endpoints == [node(0), node(1), node(2)])
        #expect(chooser.penalty(of: node(0), at: start) == 1)
        #expect(chooser.roundTrip(of: node(1)) == .milliseconds(20))
        #expect(chooser.update(records(2..<9)) == [node(0), node(1)])
        #expect(chooser.endpoints.count == 3 && chooser.leftOut == 4)
        #expect(chooser.penalty(of: node(0), at: start) == 0)
    }

    @Test mutating func saysOnceThatNothingIsReported() {
        var chooser = NodeChooser(policy: LeastConnectionsPolicy())
        chooser.update(records(0..<3))
        #expect(chooser.candidates(at: start, using: &random).notice != nil)
        for _ in 0..<10 { #expect(chooser.candidates(at: start, using: &random).notice == nil) }
        chooser.report(NodeStatus(clients: 5), of: node(1), at: start)
        #expect(chooser.candidates(at: start, using: &random).notice == nil)
        // A report does not count for ever.
        let later = start + NodeChooser.reportLifetime + .seconds(1)
        #expect(chooser.candidates(at: later, using: &random).notice != nil)
        #expect(chooser.candidates(at: later, using: &random).notice == nil)
    }

    @Test mutating func aNodeThatDrainsComesAfterThoseThatTakeClients() {
        var chooser = NodeChooser()
        chooser.update(records(0..<3))
        chooser.report(NodeStatus(isDraining: true), of: node(1), at: start)
        chooser.failed(node(2), at: start)
        for _ in 0..<20 {
            #expect(chooser.candidates(at: start, using: &random).endpoints == [node(0), node(2), node(1)])
        }
    }

    @Test mutating func aPolicyOfOnesOwnIsNotTrusted() {
        struct Broken: NodePolicy {
            let name = "broken"
            func order(
                _ nodes: [NodeView], isChoice: Bool, using random: inout some RandomNumberGenerator
            ) -> NodeOrder { NodeOrder([7, -1, 1, 1]) }
        }
        var chooser = NodeChooser(policy: Broken())
        chooser.update(records(0..<3))
        #expect(chooser.candidates(at: start, using: &random).endpoints == [node(1), node(0), node(2)])
        chooser.update([])
        #expect(chooser.candidates(at: start, using: &random).endpoints.isEmpty)
    }

    /// What a herd does that lost one of four nodes: it spreads over the others.
    @Test func clientsOfALostNodeSpreadEvenly() {
        for name in NodePolicyName.allCases {
            var counts: [Endpoint: Int] = [:]
            for client in 0..<3000 {
                var random = SeededRandom(seed: UInt64(client))
                var chooser = NodeChooser(policy: name.policy(client: Array("device-\(client)".utf8)))
                chooser.update(records(0..<4))
                _ = chooser.candidates(at: start, using: &random)
                chooser.failed(node(0), at: start)
                let order = chooser.candidates(avoiding: [node(0)], at: start, using: &random)
                if let first = order.endpoints.first { counts[first, default: 0] += 1 }
            }
            for index in 1...3 {
                #expect(abs((counts[node(index)] ?? 0) - 1000) < 150, "\(name): \(counts)")
            }
        }
    }
}
