import DeviceCore
import DeviceProtocols
import Testing

/// A cluster's machine with its clock and chance.
struct ClusterBench {
    var machine: ClusterStateMachine
    var random = SplitMix64(seed: 7)
    var now = MonotonicTime.zero
    var actions: [ClusterAction] = []

    static func node(_ number: UInt8) -> Endpoint {
        Endpoint(IPAddress(bytes: [10, 0, 0, number]) ?? .loopback4, port: 80)
    }

    init(standby: Bool = false, _ change: (inout ClusterStateMachine.Settings) -> Void = { _ in }) {
        var settings = ClusterStateMachine.Settings()
        settings.keepsStandby = standby
        change(&settings)
        machine = ClusterStateMachine(settings)
    }

    mutating func perform(
        _ body: (inout ClusterStateMachine, MonotonicTime, inout SplitMix64) -> [ClusterAction]
    ) -> [ClusterAction] {
        let new = body(&machine, now, &random)
        actions += new
        return new
    }

    @discardableResult
    mutating func resolved(_ numbers: [UInt8], isFresh: Bool = true) -> [ClusterAction] {
        perform { machine, now, random in
            machine.resolved(
                numbers.map { ResolvedEndpoint(Self.node($0), target: "cluster") }, timeLeft: .seconds(1),
                isFresh: isFresh, at: now, using: &random)
        }
    }

    mutating func start(_ numbers: [UInt8]) -> [ClusterAction] {
        _ = perform { $0.start(at: $1, using: &$2) }
        return resolved(numbers)
    }

    @discardableResult
    mutating func ready(_ attempt: UInt64) -> [ClusterAction] {
        perform { $0.ready(attempt, at: $1, using: &$2) }
    }

    @discardableResult
    mutating func failed(_ attempt: UInt64, _ failure: ClusterFailure = .node) -> [ClusterAction] {
        perform { $0.failed(attempt, failure, at: $1, using: &$2) }
    }

    /// Lets time pass up to each deadline in turn.
    @discardableResult
    mutating func pass(_ time: Duration) -> [ClusterAction] {
        let end = now + time
        var new: [ClusterAction] = []
        for _ in 0..<10_000 {
            let next = machine.nextDeadline
            guard next <= end else { break }
            now = max(now, next)
            new += perform { $0.tick(at: $1, using: &$2) }
        }
        now = end
        return new
    }

    /// Begins, and has a session with whoever was tried first; and a standby if there is to be one.
    mutating func connect(_ numbers: [UInt8]) -> UInt64 {
        guard let attempt = start(numbers).begun.first else { return 0 }
        let next = ready(attempt.id)
        if let reserve = next.begun.first { ready(reserve.id) }
        return attempt.id
    }
}

extension [ClusterAction] {
    var begun: [(id: UInt64, endpoint: Endpoint)] {
        compactMap { if case .begin(let id, let endpoint) = $0 { (id, endpoint) } else { nil } }
    }
    var adopted: (id: UInt64, endpoint: Endpoint, replacing: UInt64?)? {
        for case .adopt(let id, let endpoint, let old) in self { return (id, endpoint, old) }
        return nil
    }
    var held: [UInt64] { compactMap { if case .hold(let id, _) = $0 { id } else { nil } } }
    var cancelled: [UInt64] { compactMap { if case .cancel(let id) = $0 { id } else { nil } } }
    var waits: [Duration] { compactMap { if case .wait(let time, _) = $0 { time } else { nil } } }
}

@Suite struct ClusterStateMachineTests {
    @Test func theFirstSessionNeedsNamesAndThenANode() throws {
        var bench = ClusterBench()
        #expect(bench.perform { $0.start(at: $1, using: &$2) } == [.resolve(refresh: false)])
        let begun = try #require(bench.resolved([1, 2]).begun.first)
        let adopted = try #require(bench.ready(begun.id).adopted)
        #expect(adopted.id == begun.id && adopted.replacing == nil && bench.machine.endpoint == begun.endpoint)
    }

    @Test func withoutAnAnswerItAsksAgain() {
        var bench = ClusterBench()
        _ = bench.perform { $0.start(at: $1, using: &$2) }
        let first = bench.perform { $0.unresolved(at: $1, using: &$2) }
        #expect(first.waits.count == 1)
        #expect(bench.pass(.seconds(1)).contains { if case .resolve = $0 { true } else { false } })
    }

    /// The first attempt goes to another node, at once and without waiting for the DNS.
    @Test func aLostNodeIsNotTheFirstToBeTried() throws {
        for _ in 0..<20 {
            var bench = ClusterBench()
            let session = bench.connect([1, 2, 3])
            let lost = try #require(bench.machine.endpoint)
            bench.pass(.seconds(10))
            let wait = try #require(bench.failed(session).waits.first)
            #expect(wait <= .milliseconds(50))
            let begun = try #require(bench.pass(wait).begun.first)
            #expect(begun.endpoint != lost)
        }
    }

    /// A standby is at another node, and takes over in the same turn.
    @Test func aStandbyTakesOver() throws {
        var bench = ClusterBench(standby: true)
        let session = bench.connect([1, 2])
        let (lost, reserve) = (bench.machine.endpoint, bench.machine.standbyEndpoint)
        #expect(reserve != nil && reserve != lost)
        let adopted = try #require(bench.failed(session).adopted)
        #expect(adopted.endpoint == reserve && adopted.replacing == nil)
        #expect(bench.machine.endpoint == reserve && bench.machine.standbyEndpoint == nil)
        // The node that was lost is tried for a new standby, and nobody else.
        #expect(bench.actions.begun.last?.endpoint == lost)
    }

    /// One node alone gets no second session, which would put out the first.
    @Test func oneNodeHasNoStandby() {
        var bench = ClusterBench(standby: true)
        _ = bench.connect([1])
        let before = bench.actions.begun.count
        bench.pass(.seconds(60))
        #expect(before == 1 && bench.actions.begun.count == 1)
        // A second one comes into the DNS.
        bench.resolved([1, 2])
        bench.pass(.seconds(3))
        #expect(bench.actions.begun.last?.endpoint == ClusterBench.node(2))
    }

    /// While the session in use is sought, no standby races it to the same node.
    @Test func aStandbyThatIsNotReadyGivesWay() throws {
        var bench = ClusterBench(standby: true)
        let session = try #require(bench.start([1, 2]).begun.first)
        let reserve = try #require(bench.ready(session.id).begun.first)
        #expect(bench.failed(session.id).cancelled == [reserve.id])
        bench.pass(.milliseconds(60))
        let begun = try #require(bench.actions.begun.last)
        #expect(begun.id != reserve.id)
        #expect(bench.ready(begun.id).adopted != nil)
    }

    /// A node that asks to leave is used until another one is ready.
    @Test(arguments: [true, false]) func leavingOverlaps(_ hasStandby: Bool) throws {
        var bench = ClusterBench(standby: hasStandby)
        let session = bench.connect([1, 2])
        let old = bench.machine.endpoint
        var actions = bench.perform { $0.askedToLeave(session, at: $1, using: &$2) }
        if !hasStandby {
            actions += bench.pass(.milliseconds(1))
            let begun = try #require(actions.begun.first)
            #expect(begun.endpoint != old && bench.machine.endpoint == old)
            actions = bench.ready(begun.id)
        }
        let adopted = try #require(actions.adopted)
        #expect(adopted.replacing == session && adopted.endpoint != old)
        #expect(!actions.cancelled.contains(session))
    }

    /// Nobody else: the node is used as long as it lives.
    @Test func leavingTheOnlyNodeWaits() {
        var bench = ClusterBench()
        let session = bench.connect([1])
        _ = bench.perform { $0.askedToLeave(session, at: $1, using: &$2) }
        bench.pass(.seconds(5))
        #expect(bench.machine.endpoint == ClusterBench.node(1) && bench.actions.begun.count == 1)
        #expect(bench.actions.waits.isEmpty)
    }

    /// Only fresh answers, and two of them: a server may give some of its nodes at a time.
    @Test func theDNSCanAskToLeave() throws {
        var bench = ClusterBench()
        let session = bench.connect([1])
        bench.resolved([2], isFresh: false)
        bench.resolved([2])
        bench.resolved([1, 2])
        bench.resolved([2])
        bench.pass(.milliseconds(1))
        #expect(bench.actions.begun.count == 1)
        bench.resolved([2])
        bench.pass(.seconds(2))
        let begun = try #require(bench.actions.begun.last)
        #expect(begun.endpoint == ClusterBench.node(2))
        #expect(bench.ready(begun.id).adopted?.replacing == session)
    }

    /// Names are looked up again when their time is over, also while all is well.
    @Test func namesAreLookedUpAgain() {
        var bench = ClusterBench()
        _ = bench.connect([1, 2])
        for _ in 0..<3 {
            let asked = bench.pass(.seconds(1)).contains(.resolve(refresh: false))
            #expect(asked)
            bench.resolved([1, 2])
        }
    }

    /// Two addresses of one node: the second session puts out the first, which is noticed once.
    @Test func twoAddressesOfOneNode() throws {
        var bench = ClusterBench(standby: true)
        let session = try #require(bench.start([1, 2]).begun.first)
        let reserve = try #require(bench.ready(session.id).begun.first)
        bench.ready(reserve.id)
        // The standby, at the same node, has taken the session's place there, so it is the one to use.
        let adopted = try #require(bench.failed(session.id, .replaced).adopted)
        #expect(adopted.id == reserve.id)
        bench.pass(.seconds(60))
        #expect(bench.actions.begun.count == 2)
    }

    /// A black hole costs the stagger, and is tried last from then on.
    @Test func aBlackHoleCostsTheStagger() throws {
        var bench = ClusterBench()
        let first = try #require(bench.start([1, 2]).begun.first)
        let second = try #require(bench.pass(bench.machine.settings.attempts.stagger).begun.first)
        #expect(second.endpoint != first.endpoint)
        let actions = bench.ready(second.id)
        #expect(actions.adopted?.id == second.id && actions.cancelled == [first.id])
    }

    @Test func stoppingEndsAll() {
        var bench = ClusterBench(standby: true)
        let session = bench.connect([1, 2])
        let ended = bench.machine.stop().cancelled
        #expect(ended.contains(session) && ended.count == 2)
        #expect(bench.machine.nextDeadline == .distantFuture)
        #expect(bench.resolved([1, 2]).isEmpty)
    }
}
