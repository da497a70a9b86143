import DeviceCore
import DeviceProtocols
import Testing

/// A scheduler with its own time; `choose` is answered with `nodes`.
struct AttemptBench {
    var scheduler: AttemptScheduler
    var now = MonotonicTime.zero + .seconds(1000)
    var random: SeededRandom
    var nodes: [Endpoint]
    var log: [AttemptAction] = []

    init(_ settings: AttemptSettings = AttemptSettings(), nodes: Int = 2, seed: UInt64 = 1) {
        scheduler = AttemptScheduler(settings)
        random = SeededRandom(seed: seed)
        self.nodes = (0..<nodes).map { node($0) }
    }

    /// Notes actions, and answers `choose`: the node to avoid comes last.
    mutating func take(_ actions: [AttemptAction]) {
        for action in actions {
            log.append(action)
            guard case .choose(let avoided) = action else { continue }
            let order = nodes.filter { !avoided.contains($0) } + nodes.filter(avoided.contains)
            take(scheduler.candidates(order, at: now, using: &random))
        }
    }

    mutating func start() { take(scheduler.start(at: now)) }
    mutating func connected(_ id: UInt64, tls: Bool = false) { take(scheduler.connected(id, isSecured: tls, at: now)) }
    mutating func ready(_ id: UInt64) { take(scheduler.ready(id, at: now)) }
    mutating func fail(_ id: UInt64) { take(scheduler.failed(id, at: now, using: &random)) }
    mutating func drain(_ time: Duration) { take(scheduler.drain(within: time, at: now, using: &random)) }

    mutating func tick() { take(scheduler.tick(at: now, using: &random)) }

    /// Lets time pass, stopping at each deadline.
    mutating func pass(_ time: Duration) {
        let end = now + time
        var steps = 0
        while scheduler.nextDeadline <= end, steps < 100_000 {
            now = max(now, scheduler.nextDeadline)
            take(scheduler.tick(at: now, using: &random))
            steps += 1
        }
        now = end
    }

    /// The actions since the last call.
    mutating func taken() -> [AttemptAction] {
        defer { log = [] }
        return log
    }

    /// In session with node 0, for so long.
    static func inSession(_ time: Duration = .seconds(60), nodes: Int = 2, seed: UInt64 = 1) -> AttemptBench {
        var bench = AttemptBench(nodes: nodes, seed: seed)
        bench.start()
        bench.connected(1)
        bench.ready(1)
        bench.pass(time)
        bench.log = []
        return bench
    }
}

@Suite struct AttemptSchedulerTests {
    @Test func theFirstReadyWinsAndTheOthersAreCancelled() {
        var bench = AttemptBench(nodes: 3)
        bench.start()
        #expect(bench.taken() == [.choose(avoiding: []), .begin(attempt: 1, node(0))])
        bench.pass(.milliseconds(249))
        #expect(bench.taken() == [])
        bench.pass(.milliseconds(1))
        #expect(bench.taken() == [.begin(attempt: 2, node(1))])
        bench.connected(2)
        bench.ready(2)
        #expect(bench.taken() == [.adopt(attempt: 2, node(1)), .cancel(attempt: 1)])
        #expect(bench.scheduler.session?.endpoint == node(1))
        #expect(bench.scheduler.nextDeadline == .distantFuture)
        bench.connected(1)
        bench.fail(1)
        #expect(bench.taken() == [])
        bench.ready(1)
        #expect(bench.taken() == [.cancel(attempt: 1)], "too late")
        bench.ready(2)
        #expect(bench.taken() == [])
    }

    @Test func aRefusalLetsTheNextBeginAtOnce() {
        var bench = AttemptBench(nodes: 2)
        bench.start()
        bench.fail(1)
        #expect(bench.taken().suffix(2) == [.penalize(node(0), .failed(.connecting)), .begin(attempt: 2, node(1))])
        bench.fail(2)
        let end = bench.taken()
        #expect(end.first == .penalize(node(1), .failed(.connecting)))
        guard case .wait(let time, .backOff) = end.last else { return #expect(Bool(false), "\(end)") }
        #expect(time <= .milliseconds(50))
        bench.pass(time)
        #expect(bench.taken() == [.choose(avoiding: []), .begin(attempt: 3, node(0))])
    }

    @Test func eachPhaseHasItsDeadline() {
        var bench = AttemptBench(nodes: 1)
        bench.start()
        bench.pass(.milliseconds(1999))
        bench.connected(1, tls: true)
        bench.pass(.milliseconds(1999))
        bench.take(bench.scheduler.secured(1, at: bench.now))
        bench.pass(.milliseconds(1999))
        #expect(bench.taken() == [.choose(avoiding: []), .begin(attempt: 1, node(0))])
        bench.pass(.milliseconds(1))
        #expect(bench.taken().prefix(2) == [.cancel(attempt: 1), .penalize(node(0), .timedOut(.handshaking))])

        for (isConnected, phase) in [(false, AttemptPhase.connecting), (true, .securing)] {
            var bench = AttemptBench(nodes: 1)
            bench.start()
            if isConnected { bench.connected(1, tls: true) }
            bench.pass(.seconds(2))
            #expect(
                bench.taken().dropFirst(2).prefix(2) == [.cancel(attempt: 1), .penalize(node(0), .timedOut(phase))])
        }
    }

    /// A frozen process completes TCP and never answers: it costs the stagger too.
    @Test func aNodeThatOnlyAcceptsCostsOneStagger() {
        var bench = AttemptBench(nodes: 2)
        bench.start()
        bench.connected(1)
        bench.pass(.milliseconds(250))
        #expect(bench.taken().last == .begin(attempt: 2, node(1)))
        bench.connected(2)
        bench.ready(2)
        #expect(bench.taken() == [.adopt(attempt: 2, node(1)), .cancel(attempt: 1)])
    }

    @Test func afterALossAnotherNodeIsTriedWithinTheJitter() {
        var longest = Duration.zero
        for seed in 0..<200 {
            var bench = AttemptBench.inSession(nodes: 3, seed: UInt64(seed))
            bench.fail(1)
            let actions = bench.taken()
            #expect(actions.first == .penalize(node(0), .lost))
            guard case .wait(let time, .jitter) = actions.last else { return #expect(Bool(false), "\(actions)") }
            longest = max(longest, time)
            bench.pass(.milliseconds(50))
            #expect(bench.taken() == [.choose(avoiding: [node(0)]), .begin(attempt: 2, node(1))])
        }
        #expect(longest <= .milliseconds(50) && longest > .milliseconds(40))
    }

    @Test func aSessionThatEndsAtOnceIsFollowedByTheBackOff() {
        var bench = AttemptBench(nodes: 2)
        bench.start()
        var waits: [Duration] = []
        for _ in 0..<200 {
            guard case .begin(let id, _) = bench.taken().last else { return #expect(Bool(false)) }
            bench.connected(id)
            bench.ready(id)
            bench.fail(id)
            guard case .wait(let time, .backOff) = bench.log.last else { return #expect(Bool(false)) }
            waits.append(time)
            bench.pass(time)
        }
        #expect(waits.suffix(100).reduce(.zero, +) > .seconds(70), "about a second each")
    }

    @Test func theOnlyNodeIsTriedAgainAfterALoss() {
        var bench = AttemptBench.inSession(nodes: 1)
        bench.fail(1)
        bench.pass(.milliseconds(50))
        #expect(bench.taken().last == .begin(attempt: 2, node(0)))
    }

    @Test func drainingMovesToAnotherNodeBeforeLeaving() {
        var bench = AttemptBench.inSession(nodes: 2)
        bench.drain(.seconds(10))
        guard case .wait(let time, .drain) = bench.log.last else { return #expect(Bool(false)) }
        #expect(time <= .seconds(10))
        #expect(bench.scheduler.session?.endpoint == node(0))
        bench.pass(time)
        #expect(bench.taken().suffix(2) == [.choose(avoiding: [node(0)]), .begin(attempt: 2, node(1))])
        bench.connected(2)
        bench.ready(2)
        #expect(bench.taken() == [.adopt(attempt: 2, node(1)), .cancel(attempt: 1)])
        bench.pass(.seconds(60))
        // The node to leave goes down while another one is sought: no second search.
        bench.drain(.zero)
        bench.pass(.zero)
        bench.fail(2)
        #expect(bench.taken().suffix(2) == [.begin(attempt: 3, node(0)), .penalize(node(1), .lost)])
        bench.ready(3)
        #expect(bench.scheduler.session?.endpoint == node(0))
    }

    @Test func drainingWithNowhereToGoKeepsTheSession() {
        var bench = AttemptBench.inSession(nodes: 1)
        bench.drain(.seconds(1))
        bench.pass(.seconds(30))
        #expect(bench.scheduler.session?.endpoint == node(0))
        #expect(!bench.taken().contains { if case .begin = $0 { true } else { false } })
        bench.nodes.append(node(1))
        bench.pass(.seconds(2))
        #expect(bench.taken().contains(.begin(attempt: 2, node(1))))
    }

    @Test func newerCandidatesReplaceThoseNotTried() {
        var bench = AttemptBench(nodes: 2)
        bench.start()
        bench.take(bench.scheduler.candidates([node(0), node(5), node(6)], at: bench.now, using: &bench.random))
        bench.pass(.milliseconds(500))
        #expect(bench.taken().suffix(2) == [.begin(attempt: 2, node(5)), .begin(attempt: 3, node(6))])
        #expect(bench.scheduler.candidates([node(9)], at: bench.now, using: &bench.random).isEmpty == true)
    }

    @Test func withoutCandidatesItWaits() {
        var bench = AttemptBench(nodes: 0)
        bench.start()
        guard case .wait(_, .backOff) = bench.log.last else { return #expect(Bool(false)) }
        bench.nodes = [node(4)]
        bench.pass(.seconds(3))
        #expect(bench.taken().contains(.begin(attempt: 1, node(4))))
    }

    @Test func stopCancelsEverything() {
        var bench = AttemptBench.inSession()
        bench.drain(.zero)
        bench.pass(.zero)
        bench.log = []
        bench.take(bench.scheduler.stop())
        #expect(bench.taken() == [.cancel(attempt: 2), .cancel(attempt: 1)])
        bench.ready(2)
        #expect(bench.taken() == [.cancel(attempt: 2)])
        bench.pass(.seconds(100))
        #expect(bench.taken() == [])
        bench.start()
        #expect(bench.taken().last == .begin(attempt: 3, node(0)))
    }
}
