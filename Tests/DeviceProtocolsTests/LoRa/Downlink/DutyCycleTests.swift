import DeviceProtocols
import Testing

@Suite struct DutyCycleTests {
    private typealias Bench = DownlinkBench

    @Test func budgets() {
        let duty = DutyCycle(.eu868)
        #expect(
            (0..<7).map { duty.budget(band: $0) } == [
                3_600_000, 36_000_000, 36_000_000, 3_600_000, 360_000_000, 36_000_000, nil,
            ])
        #expect(DutyCycle(.us915).budget(band: 0) == nil)
        #expect(DutyCycle(nil).allows(.max, band: 0, at: 0))
        #expect(DutyCycle(.us915).allows(.max, band: 0, at: .max))
    }

    @Test func anHourIsKept() {
        var duty = DutyCycle(.eu868)
        let start: UInt64 = 100_000_000_000
        duty.add(36_000_000, band: 1, at: start)
        #expect(!duty.allows(1, band: 1, at: start + 3_600_000_000))
        // A minute later at the latest it is allowed again.
        #expect(duty.allows(36_000_000, band: 1, at: start + 3_720_000_000))
        #expect(!duty.allows(36_000_001, band: 1, at: start + 3_720_000_000))
        #expect(duty.allows(36_000_000, band: 2, at: start), "bands are apart")
        duty.remove(36_000_000, band: 1, at: start)
        #expect(duty.used(band: 1, at: start) == 0)
    }

    @Test func numbersFromOutsideDoNotTrap() {
        var duty = DutyCycle(.eu868)
        for band in [-1, 0, 5, 6, .max] {
            for time: UInt64 in [0, 1, .max] {
                for airtime: UInt64 in [0, .max] {
                    duty.add(airtime, band: band, at: time)
                    duty.add(airtime, band: band, at: time)
                    _ = duty.allows(airtime, band: band, at: time)
                    duty.remove(airtime, band: band, at: time)
                }
            }
        }
    }

    @Test func theQueueRefusesWhatIsOverTheBudget() throws {
        var bench = Bench(Bench.settings())
        // SF12, 17 bytes: 1.155 s; 31 of them are 35.8 s of 36 s.
        let frame = Bench.frame(12, bytes: 17, hertz: 868_100_000)
        for id in 0..<UInt64(31) {
            #expect(bench.request(.immediately, id: id, frame).acceptance != nil)
            bench.run(until: bench.now + 10_000_000)
        }
        let refused = bench.request(.immediately, id: 31, frame)
        #expect(refused.refusal == .dutyCycle)
        #expect(refused.txpkAck.error?.description == "DUTY_CYCLE_OVERFLOW")
        #expect(bench.queue.dutyCycleUse(band: 2, now: bench.now) == 994)
        // A shorter frame still fits, and so does another band.
        #expect(bench.request(.immediately, id: 32, Bench.frame(7, hertz: 868_100_000)).acceptance != nil)
        #expect(bench.request(.immediately, id: 33, Bench.frame(12, bytes: 17)).acceptance != nil)
        // After an hour there is room again.
        bench.run(until: bench.now + 3_600_000_000)
        #expect(bench.request(.immediately, id: 34, frame).acceptance != nil)
    }

    @Test func aTrustedServerIsCountedAndNotRefused() {
        var settings = Bench.settings()
        settings.trustsServer = true
        var bench = Bench(settings)
        let frame = Bench.frame(12, bytes: 17, hertz: 868_100_000)
        for id in 0..<UInt64(40) {
            #expect(bench.request(.immediately, id: id, frame).acceptance != nil)
            bench.run(until: bench.now + 10_000_000)
        }
        #expect((bench.queue.dutyCycleUse(band: 2, now: bench.now) ?? 0) > 1200)
    }

    @Test func aFrameThatWasNotSentIsGivenBack() {
        var bench = Bench(Bench.settings())
        bench.refusing = [1]
        bench.request(.immediately, id: 1, Bench.frame(12, bytes: 17, hertz: 868_100_000))
        #expect((bench.queue.dutyCycleUse(band: 2, now: bench.now) ?? 0) > 0)
        bench.run(until: bench.now + 1_000_000)
        #expect(bench.queue.dutyCycleUse(band: 2, now: bench.now) == 0)
    }

    /// A radio that is restarted, whose clock starts anew, has sent what it has sent.
    @Test(arguments: [UInt64(0), 5, 1 << 40])
    func aRestartForgetsNothing(_ newClock: UInt64) {
        var bench = Bench(Bench.settings())
        let frame = Bench.frame(12, bytes: 17, hertz: 868_100_000)
        for id in 0..<UInt64(31) {
            bench.request(.immediately, id: id, frame)
            bench.run(until: bench.now + 10_000_000)
        }
        _ = bench.queue.restart(last: bench.now, now: newClock)
        bench.now = newClock
        #expect(bench.request(.immediately, id: 31, frame).refusal == .dutyCycle)
        bench.now += 3_000_000_000
        #expect(bench.request(.immediately, id: 32, frame).refusal == .dutyCycle)
        bench.now += 900_000_000
        #expect(bench.request(.immediately, id: 33, frame).acceptance != nil)
    }

    @Test func otherSettingsForgetNothingEither() {
        var bench = Bench(Bench.settings())
        let frame = Bench.frame(12, bytes: 17, hertz: 868_100_000)
        for id in 0..<UInt64(31) {
            bench.request(.immediately, id: id, frame)
            bench.run(until: bench.now + 10_000_000)
        }
        bench.request(.count(bench.now + 1_000_000), id: 31)
        var settings = Bench.settings()
        settings.limit = 1
        // The radio goes on as it is, and so does what waits.
        #expect(bench.queue.use(settings, now: bench.now) == [] && bench.queue.count == 1)
        settings.plan.antennaGain = 2
        #expect(bench.queue.use(settings, now: bench.now) == [.failed(id: 31, .restarted)])
        #expect(bench.request(.immediately, id: 32, frame).refusal == .dutyCycle)
        #expect(bench.request(.immediately, id: 33).acceptance != nil)
        #expect(bench.request(.immediately, id: 34).refusal == .queueFull)
        #expect(bench.queue.counters.emitted == 31)
        // Another region has other bands.
        _ = bench.queue.use(Bench.settings(.in865), now: bench.now)
        #expect(bench.queue.dutyCycleUse(band: 0, now: bench.now) == nil)
        _ = bench.queue.use(Bench.settings(), now: bench.now)
        #expect(bench.request(.immediately, id: 35, frame).acceptance != nil)
    }

    /// What a program has sent counts for the one that runs after it, whatever the radio's clock shows then.
    @Test(arguments: [0, 5, (1 << 32) - 1, 1 << 50] as [UInt64])
    func recordsOutliveTheProgram(_ newClock: UInt64) {
        var bench = Bench(Bench.settings())
        let frame = Bench.frame(12, bytes: 17, hertz: 868_100_000)
        for id in 0..<UInt64(31) {
            bench.request(.immediately, id: id, frame)
            bench.run(until: bench.now + 10_000_000)
        }
        var records = bench.queue.dutyRecords(now: bench.now)
        #expect(records.reduce(0) { $0 + $1.airtime } == bench.queue.counters.airtime)
        var next = Bench(Bench.settings(), now: newClock)
        next.queue.restoreDuty(records, now: next.now)
        #expect(next.queue.dutyCycleUse(band: 2, now: next.now) == 994)
        #expect(next.request(.immediately, id: 1, frame).refusal == .dutyCycle)
        #expect(next.queue.dutyRecords(now: next.now).reduce(0) { $0 + $1.airtime } == bench.queue.counters.airtime)
        next.now += 3_780_000_000
        #expect(next.request(.immediately, id: 2, frame).acceptance != nil)

        // Half an hour later, and too late to matter.
        for (minutes, use) in [(Int64(30), UInt64(994)), (62, 0)] {
            records = bench.queue.dutyRecords(now: bench.now).map { record in
                var record = record
                record.minutesAgo += minutes
                return record
            }
            var later = Bench(Bench.settings(), now: newClock)
            later.queue.restoreDuty(records, now: later.now)
            #expect(later.queue.dutyCycleUse(band: 2, now: later.now) == use)
        }
    }

    @Test func recordsFromOutsideDoNotTrap() {
        let lowest = RadioFrequency(hertz: 868_000_000)
        let end = RadioFrequency(hertz: 868_600_000)
        for time: UInt64 in [0, 1, .max] {
            var duty = DutyCycle(.eu868)
            for minutes in [Int64.min, -11, -10, 0, 61, 62, .max] {
                for airtime: UInt64 in [0, 1, .max] {
                    for (lowest, end) in [(lowest, end), (end, lowest), (lowest, lowest)] {
                        duty.restore(
                            [.init(lowest: lowest, end: end, minutesAgo: minutes, airtime: airtime)], at: time)
                    }
                }
            }
            _ = duty.records(at: time)
            _ = duty.allows(1, band: 2, at: time)
        }
    }

    /// Frames planned in any order: no hour at all has more than its share.
    @Test func noHourIsOverItsBudget() {
        var random = SeededRandom(seed: 3)
        var duty = DutyCycle(.eu868)
        var frames: [(start: UInt64, airtime: UInt64)] = []
        var now: UInt64 = 5_000_000_000
        for _ in 0..<4_000 {
            now += UInt64.random(in: 0...30_000_000, using: &random)
            let start = now + UInt64.random(in: 0...512_000_000, using: &random)
            let airtime = UInt64.random(in: 10_000...2_000_000, using: &random)
            guard duty.allows(airtime, band: 2, at: start) else { continue }
            duty.add(airtime, band: 2, at: start)
            frames.append((start, airtime))
        }
        #expect(frames.count > 500)
        // The fullest hours begin with a frame or end with one.
        for frame in frames {
            for begin in [
                frame.start, (frame.start + frame.airtime).subtractingReportingOverflow(3_600_000_000).partialValue,
            ] {
                let end = begin + 3_600_000_000
                let used = frames.reduce(UInt64(0)) { sum, other in
                    let from = max(begin, other.start)
                    let to = min(end, other.start + other.airtime)
                    return to > from ? sum + to - from : sum
                }
                #expect(used <= 36_000_000)
            }
        }
        // And most of the share can be used: 4000 frames of 1 s in 16 hours were wanted, 36 s an hour are allowed.
        let total = frames.reduce(UInt64(0)) { $0 + $1.airtime }
        #expect(total > 16 * 36_000_000 * 8 / 10, "\(total)")
    }
}
