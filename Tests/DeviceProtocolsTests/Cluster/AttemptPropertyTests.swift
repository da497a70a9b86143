import DeviceCore
import DeviceProtocols
import Testing

@Suite struct AttemptPropertyTests {
    /// Times at which attempts begin, when every node treats each of them as `fate` says.
    private func beginnings(
        _ settings: AttemptSettings, nodes: Int, seed: UInt64, over time: Duration,
        fate: (UInt64, inout SeededRandom) -> Fate
    ) -> [MonotonicTime] {
        var bench = AttemptBench(settings, nodes: nodes, seed: seed)
        var chance = SeededRandom(seed: seed &+ 1000)
        var times: [MonotonicTime] = []
        var pending: [(due: MonotonicTime, id: UInt64, fate: Fate)] = []
        let end = bench.now + time
        bench.start()
        while bench.now < end {
            for action in bench.taken() {
                guard case .begin(let id, _) = action else { continue }
                times.append(bench.now)
                pending.append((bench.now + .microseconds(300), id, fate(id, &chance)))
            }
            let due = pending.map(\.due).min() ?? .distantFuture
            bench.now = min(end, max(bench.now, min(due, bench.scheduler.nextDeadline)))
            let happening = pending.filter { $0.due <= bench.now }
            pending.removeAll { $0.due <= bench.now }
            for (_, id, fate) in happening {
                switch fate {
                case .refused: bench.fail(id)
                case .blackHole: break
                case .accepts: bench.connected(id)
                case .endsAtOnce:
                    bench.connected(id)
                    bench.ready(id)
                    bench.fail(id)
                case .works:
                    bench.connected(id)
                    bench.ready(id)
                    pending.append((bench.now + .seconds(Int.random(in: 0...9, using: &chance)), id, .refused))
                }
            }
            bench.take(bench.scheduler.tick(at: bench.now, using: &bench.random))
        }
        return times
    }

    enum Fate: CaseIterable { case refused, blackHole, accepts, endsAtOnce, works }

    private func expectBound(_ times: [MonotonicTime], _ settings: AttemptSettings) {
        guard times.count > settings.attemptLimit else { return }
        for index in settings.attemptLimit..<times.count {
            #expect(times[index] - times[index - settings.attemptLimit] >= settings.window)
        }
    }

    @Test(arguments: Fate.allCases, [1, 2, 5, 50])
    func neverMoreThanTheLimitInAnyWindow(_ fate: Fate, _ nodes: Int) {
        for settings in [AttemptSettings(), .fast] {
            for seed in 0..<5 {
                expectBound(
                    beginnings(settings, nodes: nodes, seed: UInt64(seed), over: .seconds(60)) { _, _ in fate },
                    settings)
            }
        }
    }

    @Test func neverMoreThanTheLimitWhateverHappens() {
        for seed in 0..<200 {
            var settings = AttemptSettings()
            settings.attemptLimit = 1 + seed % 7
            settings.concurrency = 1 + seed % 3
            let times = beginnings(settings, nodes: 1 + seed % 9, seed: UInt64(seed), over: .seconds(60)) { _, chance in
                Fate.allCases.randomElement(using: &chance) ?? .refused
            }
            #expect(!times.isEmpty)
            expectBound(times, settings)
        }
    }

    /// Two dead nodes that refuse at once: about one cycle of two attempts per second, for ever.
    @Test func allDeadIsNoHammering() {
        var total = 0
        for seed in 0..<20 {
            let times = beginnings(AttemptSettings(), nodes: 2, seed: UInt64(seed), over: .seconds(600)) { _, _ in
                .refused
            }
            #expect(times.count < 1400 && times.count > 900, "\(times.count) in ten minutes")
            #expect(times.filter { $0 - times[0] < .seconds(10) }.count < 40)
            total += times.count
        }
        #expect(total / 20 < 1300)
    }

    /// One that comes back after a long time is found within a back-off's cap.
    @Test func whoComesBackIsFoundSoon() {
        for seed in 0..<100 {
            var bench = AttemptBench(nodes: 2, seed: UInt64(seed))
            bench.start()
            let back = bench.now + .seconds(20)
            while bench.scheduler.session == nil {
                for action in bench.taken() {
                    guard case .begin(let id, let endpoint) = action else { continue }
                    if endpoint == node(1), bench.now >= back {
                        bench.connected(id)
                        bench.ready(id)
                    } else {
                        bench.fail(id)
                    }
                }
                if bench.scheduler.session == nil, bench.log.isEmpty {
                    bench.pass(bench.scheduler.nextDeadline - bench.now)
                }
            }
            #expect(bench.now >= back && bench.now - back <= .milliseconds(2000))
        }
    }

    /// Events with ids and in orders that make no sense: nothing traps, and each attempt that began ends once.
    @Test func survivesAnyEvents() {
        for seed in 0..<300 {
            var bench = AttemptBench(nodes: 4, seed: UInt64(seed))
            var chance = SeededRandom(seed: UInt64(seed))
            var open: Set<UInt64> = []
            for _ in 0..<300 {
                let id = UInt64.random(in: 0...max(1, bench.scheduler.attemptCount + 1), using: &chance)
                switch Int.random(in: 0..<10, using: &chance) {
                case 0: bench.start()
                case 1: bench.connected(id, tls: Bool.random(using: &chance))
                case 2: bench.take(bench.scheduler.secured(id, at: bench.now))
                case 3: bench.ready(id)
                case 4:
                    bench.fail(id)
                    open.remove(id)
                case 5: bench.drain(.seconds(Int.random(in: -1...3, using: &chance)))
                case 7 where chance.next() % 8 == 0: bench.take(bench.scheduler.stop())
                default: bench.pass(.milliseconds(Int.random(in: 0...400, using: &chance)))
                }
                for action in bench.taken() {
                    switch action {
                    case .begin(let id, _): #expect(open.insert(id).inserted)
                    case .cancel(let id): open.remove(id)
                    default: break
                    }
                }
                #expect(open.count <= bench.scheduler.settings.concurrency + 1)
            }
        }
    }
}
