import DeviceCore
import DeviceProtocols
import Testing

@Suite struct SMQLinkDialPlanTests {
    private let first = Endpoint(.loopback4, port: 1)
    private let second = Endpoint(.loopback4, port: 2)

    private func time(_ milliseconds: Int) -> MonotonicTime { .zero + .milliseconds(milliseconds) }

    private func plan(_ endpoints: [Endpoint]) -> SMQLinkDialPlan {
        var plan = SMQLinkDialPlan(own: 1, random: SplitMix64(seed: 1))
        plan.set(endpoints, now: time(0))
        return plan
    }

    @Test func everyAddressIsDialledOnceAtATime() {
        var plan = plan([first, second])
        #expect(plan.takeDue(now: time(0)) == [first, second])
        #expect(plan.takeDue(now: time(5000)).isEmpty)
        plan.ended(first, failure: "refused", now: time(5000))
        #expect(plan.takeDue(now: time(6000)) == [first])
        #expect(plan.entries.first?.failure == "refused")
    }

    @Test func attemptsNeverStandMoreThanASecondApart() {
        var plan = plan([first])
        var now = 0
        for _ in 0..<50 {
            var waited = 0
            while plan.takeDue(now: time(now)).isEmpty {
                now += 10
                waited += 10
            }
            #expect(waited <= 1010)
            plan.ended(first, failure: "refused", now: time(now))
        }
    }

    @Test func aNodeThatIsLinkedFromTheOtherSideIsNotDialledAgain() {
        var plan = plan([first, second])
        _ = plan.takeDue(now: time(0))
        plan.linkUp(.node(7))
        // What was dialled turns out to be the same node, and is closed as a duplicate.
        plan.identified(first, .node(7))
        plan.ended(first, failure: nil, now: time(10))
        #expect(plan.takeDue(now: time(100_000)).isEmpty)
        #expect(plan.entries.map(\.isUp) == [true, false])
        plan.linkDown(.node(7), lasted: true, now: time(100_000))
        #expect(plan.takeDue(now: time(100_050)) == [first])
    }

    @Test func theVendorsNodesAreTheirAddresses() {
        var plan = plan([first])
        plan.linkUp(.vendor("127.0.0.1"))
        #expect(plan.takeDue(now: time(1000)).isEmpty)
        #expect(!plan.misses)
        plan.linkDown(.vendor("127.0.0.1"), lasted: true, now: time(1000))
        #expect(plan.takeDue(now: time(1050)) == [first])
    }

    @Test func anOwnAddressIsLeftAloneForAWhile() {
        var plan = plan([first])
        _ = plan.takeDue(now: time(0))
        plan.identified(first, .node(1))
        plan.ended(first, failure: nil, now: time(0))
        #expect(plan.takeDue(now: time(59_000)).isEmpty)
        #expect(!plan.misses)
        #expect(plan.takeDue(now: time(60_000)) == [first])
    }

    @Test func addressesComeAndGo() {
        var plan = plan([first])
        plan.set([second], now: time(10))
        #expect(plan.takeDue(now: time(10)) == [second])
        plan.set([first], now: time(20))
        plan.ended(second, failure: nil, now: time(30))
        #expect(plan.takeDue(now: time(30)) == [first])
    }

    @Test func addressesHaveALimit() {
        let plan = plan((1...500).map { Endpoint(.loopback4, port: $0) })
        #expect(plan.entries.count == SMQLinkDialPlan.maximumEndpoints)
    }

    @Test func twoLinksOfOneNodeCountAsOne() {
        var plan = plan([first])
        _ = plan.takeDue(now: time(0))
        plan.identified(first, .node(7))
        plan.linkUp(.node(7))
        plan.linkUp(.node(7))
        plan.linkDown(.node(7), lasted: true, now: time(10))
        plan.ended(first, failure: nil, now: time(10))
        #expect(plan.takeDue(now: time(9000)).isEmpty)
    }

    /// A node of ours beside the vendor's, at the same address with another port.
    @Test func aNodeBesideTheVendorsIsDialled() {
        var plan = plan([first, second])
        #expect(plan.takeDue(now: time(0)) == [first, second])
        plan.identified(first, .vendor("127.0.0.1"))
        plan.linkUp(.vendor("127.0.0.1"))
        plan.ended(second, failure: "refused", now: time(10))
        #expect(plan.misses)
        #expect(plan.entries.map(\.isUp) == [true, false])
        #expect(plan.takeDue(now: time(2000)) == [second])
        plan.identified(second, .node(7))
        plan.linkUp(.node(7))
        #expect(!plan.misses)
        // Each goes by itself.
        plan.ended(first, failure: nil, now: time(3000))
        plan.linkDown(.vendor("127.0.0.1"), lasted: true, now: time(3000))
        #expect(plan.entries.map(\.isUp) == [false, true])
        plan.identified(first, .vendor("127.0.0.1"))
        plan.linkUp(.vendor("127.0.0.1"))
        plan.ended(second, failure: nil, now: time(4000))
        plan.linkDown(.node(7), lasted: true, now: time(4000))
        #expect(plan.entries.map(\.isUp) == [true, false])
        #expect(plan.takeDue(now: time(6000)) == [second])
    }
}
