import DeviceCore
import Outbox
import Testing

@testable import ClusterClient

/// A log in memory and the machine that sends it.
private struct SenderBench {
    var machine: LogSenderStateMachine
    var now = MonotonicTime(nanoseconds: 1_000_000_000)
    /// What waits: number and level.
    var log: [(sequence: UInt64, level: SMQDeliveryLevel, bytes: Int)] = []
    var next: UInt64 = 1
    var barrier: UInt64 = 0

    init(_ set: (inout LogSenderStateMachine.Limits) -> Void = { _ in }) {
        var limits = LogSenderStateMachine.Limits()
        set(&limits)
        machine = LogSenderStateMachine(limits: limits)
    }

    mutating func store(_ count: Int, _ level: SMQDeliveryLevel = .broker, bytes: Int = 10) {
        for _ in 0..<count {
            log.append((next, level, bytes))
            next += 1
            machine.stored(published: 5)
        }
    }

    /// One read with everything around it; nil when none is wanted.
    mutating func step() -> [UInt64]? {
        guard let read = machine.nextRead(now: now) else { return nil }
        return answer(read)
    }

    mutating func answer(_ read: LogSenderStateMachine.Read) -> [UInt64] {
        var bytes = read.bytes
        var entries: [LogSenderStateMachine.Entry] = []
        for one in log where one.sequence >= read.from {
            guard entries.count < read.limit, bytes > 0 else { break }
            bytes -= one.bytes
            entries.append(
                .init(id: RecordID(epoch: 1, sequence: one.sequence), level: one.level, published: 5, bytes: one.bytes))
        }
        barrier += 1
        let chosen = machine.take(
            entries, of: read, through: entries.last?.id.sequence, barrier: barrier, now: now)
        return chosen.map { entries[$0].id.sequence }
    }

    /// Everything that is sent now.
    mutating func run() -> [UInt64] {
        var sent: [UInt64] = []
        while let some = step() { sent += some }
        return sent
    }

    mutating func pass(_ barrier: UInt64) -> [UInt64] {
        let ended = machine.passed(barrier: barrier, now: now).map(\.sequence)
        log.removeAll { ended.contains($0.sequence) }
        return ended
    }

    mutating func acknowledge(_ numbers: UInt64..., epoch: UInt32 = 1) -> [UInt64] {
        let ended = machine.acknowledge(numbers.map { RecordID(epoch: epoch, sequence: $0) }, now: now).map(\.sequence)
        log.removeAll { ended.contains($0.sequence) }
        return ended
    }
}

@Suite struct LogSenderTests {
    @Test func nothingIsSentWithoutASession() {
        var bench = SenderBench()
        bench.store(3)
        #expect(bench.step() == nil)
        #expect(bench.machine.nextTime(now: bench.now) == .distantFuture)
        bench.machine.sessionOpened()
        #expect(bench.run() == [1, 2, 3])
        #expect(bench.machine.underWay == 3)
    }

    @Test func aBarrierEndsWhatWasSentBeforeItAndNothingElse() {
        var bench = SenderBench()
        bench.machine.sessionOpened()
        bench.store(2)
        #expect(bench.step() == [1, 2])
        let first = bench.barrier
        bench.store(1)
        bench.store(1, .endToEnd)
        #expect(bench.run() == [3, 4])
        #expect(bench.pass(first - 1) == [])
        #expect(bench.pass(first) == [1, 2])
        #expect(bench.pass(first) == [])
        #expect(bench.pass(bench.barrier) == [3])
        #expect(bench.machine.underWay == 1)
        #expect(bench.machine.acknowledged == 3)
    }

    /// One message after the other, each with its barrier, without waiting for the answers.
    @Test func barriersAreUnderWayTogether() {
        var bench = SenderBench()
        bench.machine.sessionOpened()
        for number in UInt64(1)...50 {
            bench.store(1)
            #expect(bench.run() == [number])
        }
        #expect(bench.pass(bench.barrier) == Array(1...50))
    }

    @Test func theWindowIsCountedInNumbersNotInMessages() {
        var bench = SenderBench { $0.window = 10 }
        bench.machine.sessionOpened()
        bench.store(30, .endToEnd)
        #expect(bench.run() == Array(1...10))
        // All but the oldest are done: the newest that may be sent is still 10.
        #expect(bench.acknowledge(2, 3, 4, 5, 6, 7, 8, 9, 10).count == 9)
        #expect(bench.run() == [])
        #expect(bench.acknowledge(1) == [1])
        #expect(bench.run() == Array(11...20))
    }

    /// Numbers that were acknowledged in an earlier run are missing in the log.
    @Test func gapsInTheLogDoNotWidenTheWindow() {
        var bench = SenderBench { $0.window = 10 }
        bench.machine.sessionOpened()
        bench.store(40, .endToEnd)
        bench.log.removeAll { (3...20).contains($0.sequence) }
        #expect(bench.run() == [1, 2])
        #expect(bench.step() == nil)
        #expect(bench.acknowledge(1, 2) == [1, 2])
        #expect(bench.run() == Array(21...30))
    }

    @Test func theWindowIsCountedInBytesToo() {
        var bench = SenderBench { $0.windowBytes = 1000 }
        bench.machine.sessionOpened()
        bench.store(5, bytes: 400)
        #expect(bench.run() == [1, 2, 3])
        #expect(bench.pass(bench.barrier).count == 3)
        #expect(bench.run() == [4, 5])
        #expect(bench.pass(bench.barrier).count == 2)
        // One that is larger than the window goes alone.
        bench.store(2, bytes: 5000)
        #expect(bench.run() == [6])
        #expect(bench.pass(bench.barrier) == [6])
        #expect(bench.run() == [7])
        #expect(bench.machine.bytesUnderWay == 5000)
    }

    @Test func aNewSessionSendsEverythingUnderWayAgainOldestFirst() {
        var bench = SenderBench { $0.window = 4 }
        bench.machine.sessionOpened()
        bench.store(6, .endToEnd)
        #expect(bench.run() == [1, 2, 3, 4])
        let old = bench.barrier
        #expect(bench.acknowledge(2) == [2])
        bench.machine.sessionEnded()
        #expect(bench.run() == [])
        #expect(bench.machine.underWay == 3)
        // The receiver's word counts whenever it comes, also between sessions.
        #expect(bench.acknowledge(1) == [1])
        bench.machine.sessionOpened()
        #expect(bench.run() == [3, 4, 5, 6])
        #expect(bench.machine.repeated == 2)
        #expect(bench.pass(old) == [])
    }

    @Test func aLateAnswerToABarrierOfAnEarlierSessionEndsNothingThatWaits() {
        var bench = SenderBench()
        bench.machine.sessionOpened()
        bench.store(2)
        #expect(bench.run() == [1, 2])
        let old = bench.barrier
        bench.machine.sessionEnded()
        bench.machine.sessionOpened()
        #expect(bench.pass(old) == [])
        #expect(bench.run() == [1, 2])
        #expect(bench.pass(old) == [])
        #expect(bench.pass(bench.barrier) == [1, 2])
    }

    /// After all brokers were down, the sender may be back before any receiver has subscribed.
    @Test func aSessionInWhichNobodyAnsweredYetRepeatsSooner() {
        var bench = SenderBench {
            $0.firstRepeat = .milliseconds(100)
            $0.repeatAfter = .seconds(1)
        }
        bench.machine.sessionOpened()
        bench.store(2, .endToEnd)
        #expect(bench.run() == [1, 2])
        for milliseconds in [100, 200, 400] {
            #expect(bench.machine.nextTime(now: bench.now) == bench.now + .milliseconds(milliseconds))
            bench.now = bench.now + .milliseconds(milliseconds)
            #expect(bench.run() == [1, 2])
        }
        #expect(bench.acknowledge(1, 2) == [1, 2])
        // Somebody is there: what comes now has its time.
        bench.store(1, .endToEnd)
        #expect(bench.run() == [3])
        #expect(bench.machine.nextTime(now: bench.now) == bench.now + .seconds(1))
        // Who answered in the last session may be away in this one.
        bench.machine.sessionEnded()
        bench.machine.sessionOpened()
        #expect(bench.run() == [3])
        #expect(bench.machine.nextTime(now: bench.now) == bench.now + .milliseconds(100))
    }

    @Test func unacknowledgedMessagesAreRepeatedWithBackOffUpToTheCap() {
        var bench = SenderBench {
            $0.firstRepeat = .seconds(1)
            $0.repeatAfter = .seconds(1)
            $0.repeatCap = .seconds(5)
        }
        bench.machine.sessionOpened()
        bench.store(1, .endToEnd)
        bench.store(1, .broker)
        #expect(bench.run() == [1, 2])
        for seconds in [1, 2, 4, 5, 5, 5] {
            #expect(bench.machine.nextTime(now: bench.now) == bench.now + .seconds(seconds))
            bench.now = bench.now + .seconds(seconds) + .nanoseconds(-1)
            #expect(bench.run() == [])
            bench.now = bench.now + .nanoseconds(1)
            #expect(bench.run() == [1])
        }
        #expect(bench.machine.repeated == 6)
        // Each session begins with short times.
        bench.machine.sessionEnded()
        bench.machine.sessionOpened()
        #expect(bench.run() == [1, 2])
        #expect(bench.machine.nextTime(now: bench.now) == bench.now + .seconds(1))
        #expect(bench.acknowledge(1) == [1])
        bench.now = bench.now + .seconds(1)
        #expect(bench.run() == [])
        #expect(bench.machine.nextTime(now: bench.now) == .distantFuture)
    }

    @Test func onlyWhatIsUnderWayEndToEndIsAcknowledged() {
        var bench = SenderBench()
        bench.machine.sessionOpened()
        bench.store(1, .endToEnd)
        bench.store(1, .broker)
        // Not sent yet.
        #expect(bench.acknowledge(1) == [])
        #expect(bench.run() == [1, 2])
        // A broker message, numbers that do not exist, another epoch.
        #expect(bench.acknowledge(2, 3, 0, .max) == [])
        #expect(bench.acknowledge(1, epoch: 2) == [])
        #expect(bench.acknowledge(1, 1) == [1])
        #expect(bench.acknowledge(1) == [])
        #expect(bench.machine.acknowledged == 1)
    }

    @Test func acknowledgedWhileItIsReadAgain() throws {
        var bench = SenderBench()
        bench.machine.sessionOpened()
        bench.store(3, .endToEnd)
        #expect(bench.run() == [1, 2, 3])
        bench.machine.sessionEnded()
        bench.machine.sessionOpened()
        let next = bench.machine.nextRead(now: bench.now)
        let read = try #require(next)
        // The log answers with what it had before.
        let before = bench.log
        #expect(bench.acknowledge(1, 2) == [1, 2])
        bench.log = before
        #expect(bench.answer(read) == [3])
        #expect(bench.machine.underWay == 1)
    }

    @Test func aSessionThatEndsWhileTheLogIsReadSendsNothing() throws {
        var bench = SenderBench()
        bench.machine.sessionOpened()
        bench.store(2)
        let next = bench.machine.nextRead(now: bench.now)
        let read = try #require(next)
        bench.machine.sessionEnded()
        #expect(bench.answer(read) == [])
        bench.machine.sessionOpened()
        #expect(bench.run() == [1, 2])
        #expect(bench.machine.repeated == 0)
    }

    /// Expired, dropped, damaged: the log knows, and says so by leaving it out.
    @Test func whatTheLogNoLongerHasIsForgotten() {
        var bench = SenderBench { $0.window = 4 }
        bench.machine.sessionOpened()
        bench.store(8, .endToEnd)
        #expect(bench.run() == [1, 2, 3, 4])
        bench.log.removeAll { [1, 3].contains($0.sequence) }
        bench.now = bench.now + .seconds(1)
        #expect(bench.run() == [2, 4, 5])
        bench.log.removeAll()
        bench.machine.sessionEnded()
        bench.machine.sessionOpened()
        #expect(bench.run() == [])
        #expect(bench.machine.underWay == 0 && bench.machine.bytesUnderWay == 0)
        #expect(bench.machine.oldestPublished == nil)
        bench.store(1)
        #expect(bench.run() == [9])
    }

    @Test func whatIsDeniedLeavesRoom() {
        var bench = SenderBench { $0.window = 2 }
        bench.machine.sessionOpened()
        bench.store(4)
        #expect(bench.run() == [1, 2])
        let ids = [RecordID(epoch: 1, sequence: 1), RecordID(epoch: 9, sequence: 2)]
        #expect(bench.machine.giveUp(ids) == [ids[0]])
        #expect(bench.machine.giveUp(ids) == [])
        #expect(bench.run() == [3])
        #expect(bench.machine.acknowledged == 0)
    }

    @Test func aFailedReadIsRepeatedLater() {
        var bench = SenderBench()
        bench.machine.sessionOpened()
        bench.store(1)
        #expect(bench.machine.nextRead(now: bench.now) != nil)
        bench.machine.readFailed(now: bench.now)
        #expect(bench.step() == nil)
        #expect(bench.machine.nextTime(now: bench.now) == bench.now + .seconds(5))
        bench.now = bench.now + .seconds(5)
        #expect(bench.run() == [1])
    }

    @Test func latencyIsFromTheFirstTransmission() {
        var bench = SenderBench()
        bench.machine.sessionOpened()
        bench.store(1, .endToEnd)
        #expect(bench.run() == [1])
        bench.now = bench.now + .seconds(2)
        #expect(bench.run() == [1])
        bench.now = bench.now + .seconds(1)
        #expect(bench.acknowledge(1) == [1])
        #expect(bench.machine.lastLatency == .seconds(3))
        #expect(bench.machine.totalLatency == .seconds(3))
    }

    /// Any order of events: what was stored is either done or sent in the session that stays, within the window.
    @Test func randomEventsLoseNothing() {
        for seed in UInt64(1)...300 {
            var random = Generator(state: seed)
            let window = Int.random(in: 1...20, using: &random)
            var bench = SenderBench { $0.window = window }
            var done: Set<UInt64> = []
            var firsts: [UInt64] = []
            func note(_ sent: [UInt64], _ bench: SenderBench) {
                for number in sent where !firsts.contains(number) { firsts.append(number) }
                if let low = bench.log.map(\.sequence).min(), let high = firsts.max(), high >= low {
                    #expect(high - low < UInt64(window), "seed \(seed)")
                }
            }
            for _ in 0..<120 {
                bench.now = bench.now + .milliseconds(Int.random(in: 0...700, using: &random))
                switch Int.random(in: 0..<9, using: &random) {
                case 0: bench.machine.sessionOpened()
                case 1: bench.machine.sessionEnded()
                case 2, 3:
                    bench.store(
                        Int.random(in: 1...8, using: &random), Bool.random(using: &random) ? .broker : .endToEnd)
                case 4: done.formUnion(bench.pass(.random(in: 0...bench.barrier, using: &random)))
                case 5:
                    let number = UInt64.random(in: 0...bench.next, using: &random)
                    done.formUnion(bench.acknowledge(number))
                default: note(bench.step() ?? [], bench)
                }
            }
            bench.machine.sessionOpened()
            for _ in 0..<1000 where !bench.log.isEmpty {
                note(bench.run(), bench)
                done.formUnion(bench.pass(bench.barrier))
                if let first = bench.log.first(where: { $0.level == .endToEnd }) {
                    done.formUnion(bench.acknowledge(first.sequence))
                }
                bench.now = bench.now + .seconds(40)
            }
            #expect(done == Set(1..<bench.next), "seed \(seed)")
            #expect(firsts == firsts.sorted(), "seed \(seed)")
        }
    }

    private struct Generator: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
    }
}
