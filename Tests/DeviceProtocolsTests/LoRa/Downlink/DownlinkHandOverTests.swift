import DeviceProtocols
import Testing

/// From the queue to the air: when frames are handed over, and what is said when that fails.
@Suite struct DownlinkHandOverTests {
    private typealias Bench = DownlinkBench

    @Test func aFramesWay() throws {
        var bench = Bench(Bench.settings())
        let acceptance = try #require(bench.request(.count(bench.now + 1_000_000), id: 5).acceptance)
        let start = acceptance.count
        #expect(bench.queue.deadline(now: bench.now) == start - 47_500)
        bench.now = start - 47_501
        bench.poll()
        #expect(bench.actions == [])
        bench.now = start - 47_500
        bench.poll()
        #expect(bench.actions.count == 1)
        guard case .transmit(5, let frame)? = bench.actions.first else {
            Issue.record("\(bench.actions)")
            return
        }
        #expect(frame.count == start)
        #expect(bench.queue.deadline(now: bench.now) == start + 5_000)
        bench.now = start + 5_000
        bench.poll()
        #expect(bench.actions.last == .emitted(id: 5, count: start, airtime: acceptance.airtime))
        #expect(bench.queue.deadline(now: bench.now) == start + acceptance.airtime)
        bench.now = start + acceptance.airtime
        bench.poll()
        #expect(bench.queue.count == 0)
        #expect(bench.queue.deadline(now: bench.now) == nil)
        #expect(bench.queue.counters.emitted == 1 && bench.queue.counters.airtime == acceptance.airtime)
    }

    /// Later than 10 ms before its time a frame is not handed over any more.
    @Test(arguments: [(UInt64(10_000), true), (9_999, false), (1, false), (0, false)])
    func missed(_ notice: UInt64, _ isSent: Bool) {
        var bench = Bench(Bench.settings())
        bench.request(.count(bench.now + 1_000_000), id: 5)
        bench.now += 1_000_000 - notice
        bench.poll()
        #expect((bench.actions.first == .failed(id: 5, .missed)) == !isSent)
        #expect(bench.sent.count == (isSent ? 1 : 0))
    }

    @Test func aFrameThatIsLongPastIsMissed() {
        var bench = Bench(Bench.settings())
        bench.request(.count(bench.now + 1_000_000), id: 5)
        bench.now += 3_600_000_000
        bench.poll()
        #expect(bench.actions == [.failed(id: 5, .missed)])
        #expect(bench.queue.count == 0)
    }

    /// 60 ms to 10 ms before its time, however late the owner wakes up within reason and however dense the frames.
    @Test func neverTooEarlyAndNeverTooLate() {
        var random = SeededRandom(seed: 11)
        var settings = Bench.settings()
        settings.trustsServer = true
        var bench = Bench(settings)
        for id in 0..<UInt64(3000) {
            let timing: DownlinkRequest.Timing =
                Bool.random(using: &random)
                ? .immediately : .count(bench.now + UInt64.random(in: 12_500...2_000_000, using: &random))
            let factor = UInt8.random(in: 7...12, using: &random)
            bench.request(
                timing, id: id,
                Bench.frame(factor, bytes: Int.random(in: 0...51, using: &random), chain: id % 3 == 0 ? 2 : 0))
            let pause = UInt64.random(in: 0...400_000, using: &random)
            // The owner polls at once after a request, and up to 2 ms late when it was asleep.
            bench.run(until: bench.now + pause) { UInt64.random(in: 0...2_000, using: &random) }
        }
        bench.run(until: bench.now + 100_000_000)
        let counters = bench.queue.counters
        #expect(bench.sent.count > 1000)
        #expect(counters.failed == [:])
        #expect(bench.sent.allSatisfy { (10_000...60_000).contains($0.notice) })
        #expect(UInt64(bench.sent.count) == counters.accepted && counters.emitted == counters.accepted)
    }

    @Test func aSenderThatIsBusyIsAskedAgain() {
        var queue = DownlinkQueue(Bench.settings())
        let now: UInt64 = 1_000_000
        _ = queue.enqueue(DownlinkRequest(id: 1, timing: .count(now + 100_000), frame: Bench.frame()), now: now)
        let due = now + 100_000 - 47_500
        #expect(queue.poll(now: due) { _ in .emitting } == [])
        #expect(queue.deadline(now: due) == due + 1_000)
        #expect(queue.poll(now: due + 1_000) { _ in .scheduled } == [])
        #expect(queue.poll(now: now + 90_000) { _ in .free }.count == 1)
        // Until it is too late.
        _ = queue.enqueue(
            DownlinkRequest(id: 2, timing: .count(now + 1_000_000), frame: Bench.frame()), now: now + 200_000)
        _ = queue.poll(now: now + 500_000) { _ in .free }
        #expect(queue.poll(now: now + 990_001) { _ in .emitting } == [.failed(id: 2, .missed)])
    }

    /// What the sender shows 5 ms after the start.
    @Test(
        arguments: [
            (RadioTransmitStatus.emitting, nil), (.free, .notEmitted), (.off, .notEmitted), (.scheduled, nil),
        ] as [(RadioTransmitStatus, DownlinkFailure?)])
    func whatTheSenderShows(_ status: RadioTransmitStatus, _ failure: DownlinkFailure?) {
        var queue = DownlinkQueue(Bench.settings())
        let start: UInt64 = 2_000_000
        _ = queue.enqueue(DownlinkRequest(id: 1, timing: .count(start), frame: Bench.frame(12)), now: 1_000_000)
        #expect(queue.poll(now: start - 40_000) { _ in .free }.count == 1)
        let actions = queue.poll(now: start + 5_000) { _ in status }
        #expect((actions == [.failed(id: 1, .notEmitted)]) == (failure != nil))
        if status == .scheduled {
            // A clock that lags: waited for until the frame should have ended.
            #expect(queue.deadline(now: start + 5_000) == start + 6_000)
            #expect(queue.poll(now: start + 10_000_000) { _ in .scheduled } == [.failed(id: 1, .notEmitted)])
        }
    }

    @Test func aShortFrameHasLeftTheAir() {
        var queue = DownlinkQueue(Bench.settings())
        let start: UInt64 = 2_000_000
        _ = queue.enqueue(DownlinkRequest(id: 1, timing: .count(start), frame: Bench.frame(7, 500)), now: 1_000_000)
        _ = queue.poll(now: start - 40_000) { _ in .free }
        let actions = queue.poll(now: start + 20_000) { _ in .free }
        #expect(actions == [.emitted(id: 1, count: start, airtime: TimeOnAir.microseconds(of: Bench.frame(7, 500)))])
        #expect(queue.count == 0)
    }

    @Test func theRadioRefuses() {
        var bench = Bench(Bench.settings())
        bench.refusing = [5]
        bench.request(.count(bench.now + 1_000_000), id: 5)
        bench.run(until: bench.now + 2_000_000)
        #expect(bench.actions.last == .failed(id: 5, .refusedByRadio))
        #expect(bench.queue.count == 0)
        #expect(bench.queue.counters.failed == [.refusedByRadio: 1])
        // Numbers that the queue does not know change nothing.
        #expect(bench.queue.radioRefused(id: 5, rfChain: 0) == [])
        #expect(bench.queue.radioRefused(id: 5, rfChain: 200) == [])
    }

    @Test func aFrameThatTheRadioSwallows() {
        var bench = Bench(Bench.settings())
        bench.swallowing = [5]
        bench.request(.count(bench.now + 1_000_000), id: 5)
        bench.run(until: bench.now + 2_000_000)
        #expect(bench.actions.last == .failed(id: 5, .notEmitted))
    }

    @Test func aRestartDropsWhatWaits() {
        var bench = Bench(Bench.settings())
        bench.request(.count(bench.now + 1_000_000), id: 1)
        bench.request(.count(bench.now + 2_000_000), id: 2)
        bench.request(.count(bench.now + 3_000_000), id: 3, Bench.frame(chain: 2))
        bench.run(until: bench.now + 1_010_000)
        let actions = bench.queue.restart(last: bench.now, now: 77)
        // The first is on the air and stays counted.
        #expect(actions == [.failed(id: 2, .restarted), .failed(id: 3, .restarted)])
        #expect(bench.queue.count == 0 && bench.queue.counters.emitted == 1)
        #expect(bench.queue.counters.failed == [.restarted: 2])
    }
}
