import DeviceCore
@testable import DeviceProtocols
import NIOCore
import Testing

/// How long a link is held back for clients, and a publisher for links. Time is the test's.
@Suite struct LinkPatienceTests {
    private func limits() -> SMQBrokerLimits {
        var limits = SMQBrokerLimits()
        limits.stallThreshold = 10_000
        limits.queuedBytesPerClient = 100_000
        return limits
    }

    /// Two nodes; node 1's subscribers of topics hear node 0's publisher.
    private struct Pair {
        let bench: LinkedBrokers
        let publisher: BrokerBench.Client
        var node: BrokerBench { bench.nodes[1] }
        var link: BrokerBench.PeerID { bench.links[0].ends.1 }

        init(_ limits: SMQBrokerLimits) throws {
            bench = try LinkedBrokers(2, limits: limits)
            publisher = try bench.nodes[0].open("publisher")
        }

        func subscriber(_ uid: String, _ topic: String) throws -> BrokerBench.Client {
            let client = try node.open(uid)
            try bench.subscribe(1, client, topic)
            node.stuck.insert(client.peer)
            return client
        }

        /// Publishes to a topic, and waits as long as the link is held back.
        func publish(_ topic: UInt32, _ count: Int, _ reads: (_ wait: Int) -> Int = { _ in 0 }) -> Int {
            var waits = 0
            for _ in 0..<count {
                bench.publish(0, publisher, to: topic, String(repeating: "p", count: 1000))
                waits += node.waits(of: link, reads)
            }
            return waits
        }

        func time(passes duration: Duration) { for node in bench.nodes { node.now = node.now + duration } }
    }

    @Test func aClientThatStopsHoldsALinkUpOnce() throws {
        let pair = try Pair(limits())
        let stopped = try pair.subscriber("stopped", "t")
        let topic = try pair.bench.nodes[0].create(pair.publisher, "t")
        var waits = 0
        for _ in 0..<200 where pair.node.closed.isEmpty {
            waits += pair.publish(topic, 1)
            pair.time(passes: .milliseconds(50))
        }
        #expect(pair.node.closed == [stopped.peer: .slowConsumer])
        #expect(waits == 5)
    }

    @Test func aClientThatReadsSlowlyHoldsALinkUpALittle() throws {
        let pair = try Pair(limits())
        let slow = try pair.subscriber("slow one", "t")
        let topic = try pair.bench.nodes[0].create(pair.publisher, "t")
        var longest = 0
        var all = 0
        for _ in 0..<50 {
            // 30 kB, then it takes what waits; 100 ms in all.
            let waits = pair.publish(topic, 30)
            longest = max(longest, waits)
            all += waits
            pair.node.drain(slow.peer)
            pair.node.settle()
            pair.time(passes: .milliseconds(100))
        }
        #expect(longest <= 5)
        // In 5 s: five in each, and one after each reading.
        #expect(all <= 5 * 5 + 5 + 50)
        #expect(pair.node.closed.isEmpty)
    }

    @Test func manyThatStopHoldALinkUpHardlyLongerThanOne() throws {
        let pair = try Pair(limits())
        let stopped = try (0..<20).map { try pair.subscriber("stopped \($0)", "t") }
        let topic = try pair.bench.nodes[0].create(pair.publisher, "t")
        let waits = pair.publish(topic, 120)
        #expect(pair.node.closed.count == stopped.count)
        // One more for those that were never waited for.
        #expect(waits == 6)
    }

    /// Blasts go at the pace of who reads fast, also while another does not read at all.
    @Test func whoReadsFastIsWaitedForWhateverOthersDo() throws {
        let pair = try Pair(limits())
        let fast = try pair.subscriber("fast one", "fast")
        _ = try pair.subscriber("stopped", "t")
        let topic = try pair.bench.nodes[0].create(pair.publisher, "t")
        let blast = try pair.bench.nodes[0].create(pair.publisher, "fast")
        let reads = { (wait: Int) in
            if wait == 4 { pair.node.drain(fast.peer) }
            return 2500
        }
        #expect(pair.publish(blast, 100, reads) > 20)
        #expect(pair.publish(topic, 20) == 5)
        #expect(pair.publish(blast, 1000, reads) > 200)
        #expect(pair.node.closed.isEmpty)
    }

    /// Who gets no processor for a moment and then reads on is as good as before.
    @Test func aPauseOfWhoReadsFastIsForgiven() throws {
        let pair = try Pair(limits())
        let fast = try pair.subscriber("fast one", "fast")
        let blast = try pair.bench.nodes[0].create(pair.publisher, "fast")
        for _ in 0..<20 {
            let waits = pair.publish(blast, 10) { wait in
                if wait == 6 { pair.node.drain(fast.peer) }
                return wait < 4 ? 0 : 2500
            }
            #expect(waits == 7)
        }
        #expect(pair.node.closed.isEmpty)
    }

    /// The same where it was so long that no patience is left: what it does then counts.
    @Test func aLongPauseOfWhoReadsFastIsForgiven() throws {
        let pair = try Pair(limits())
        let fast = try pair.subscriber("fast one", "fast")
        let blast = try pair.bench.nodes[0].create(pair.publisher, "fast")
        #expect(pair.publish(blast, 50) == 5)
        pair.node.drain(fast.peer)
        pair.node.settle()
        pair.time(passes: .milliseconds(50))
        for _ in 0..<20 {
            let waits = pair.publish(blast, 10) { wait in
                if wait == 3 { pair.node.drain(fast.peer) }
                return 2500
            }
            #expect(waits == 4)
        }
        #expect(pair.node.closed.isEmpty)
    }

    // MARK: Publishers and links

    /// A node that has no processor for a while, again and again, is waited for each time.
    @Test func aPauseOfANodeIsForgiven() throws {
        let bench = try LinkedBrokers(2, limits: limits())
        let node = bench.nodes[0]
        let publisher = try node.open("publisher")
        try bench.subscribe(1, try bench.nodes[1].open("subscriber"), "t")
        let topic = try node.create(publisher, "t")
        let end = bench.links[0].ends.0
        node.stuck = [end]
        for _ in 0..<20 {
            for number in 0..<10 {
                node.publish(publisher, to: topic, String(repeating: "p", count: 1000))
                let waits = node.waits(of: publisher.peer) { wait in
                    if wait == 4 { node.drain(end) }
                    return wait < 4 ? 0 : 5000
                }
                #expect(waits == (number == 9 ? 5 : 0))
            }
        }
    }

    @Test(arguments: [false, true]) func nodesThatHangCostAPublisherNoMoreThanOne(_ wereWell: Bool) throws {
        let bench = try LinkedBrokers(4, limits: limits())
        let node = bench.nodes[0]
        let publisher = try node.open("publisher")
        for other in 1...3 { try bench.subscribe(other, try bench.nodes[other].open("subscriber"), "t") }
        let topic = try node.create(publisher, "t")
        let ends = bench.links.filter { $0.nodes.0 == 0 }.map(\.ends.0)
        node.stuck = Set(ends)
        func publish(_ count: Int, _ reads: () -> Int) -> Int {
            var waits = 0
            for _ in 0..<count {
                node.publish(publisher, to: topic, String(repeating: "p", count: 1000))
                waits += node.waits(of: publisher.peer) { _ in reads() }
            }
            return waits
        }
        if wereWell {
            let waits = publish(60) {
                for end in ends { node.drain(end) }
                return 5000
            }
            #expect(waits > 3)
            node.now = node.now + .seconds(10)
        }
        #expect(publish(100) { 0 } == 5)
        // They are back: it goes at their pace again.
        for end in ends { node.drain(end) }
        node.now = node.now + .seconds(1)
        let waits = publish(60) {
            for end in ends { node.drain(end) }
            return 5000
        }
        #expect(waits > 3)
        #expect(node.closedLinks.isEmpty)
    }
}

extension BrokerBench {
    /// Waits as a connection's handler does while the connection is held back; says how often.
    ///
    /// - Parameter reads: what the receiver's socket takes in a wait, in bytes.
    func waits(of publisher: PeerID, _ reads: (_ wait: Int) -> Int) -> Int {
        var waits = 0
        while machine.receiver(holding: publisher) != nil {
            let written = reads(waits)
            waits += 1
            settle()
            now = now + machine.limits.stall
            guard machine.continuesStall(publisher, written: written) else { break }
        }
        return waits
    }
}
