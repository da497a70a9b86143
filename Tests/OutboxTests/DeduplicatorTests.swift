import DeviceCore
import TestSupport
import Testing

@testable import Outbox

@Suite(.timeLimit(.minutes(5))) struct DeduplicatorTests {
    /// Random messages of several sources and epochs, repeated and out of order, against a set; restarts in between.
    @Test(arguments: [64, 1 << 20]) func equalsASet(journalBytes: Int) async throws {
        let directory = try TemporaryDirectory()
        var limits = DeduplicatorLimits()
        limits.journalBytes = journalBytes
        var model: Set<MessageID> = []
        var next: [UInt64: UInt64] = [:]
        for _ in 0..<6 {
            let seen = try await Deduplicator.open(directory: directory("seen"), limits: limits)
            for _ in 0..<1500 {
                let stream = UInt64.random(in: 0..<6)
                let newest = next[stream, default: 1]
                let sequence = newest - min(newest - 1, .random(in: 0..<200))
                next[stream] = newest + (Int.random(in: 0..<3) == 0 ? 1 : 0)
                let id = MessageID(source: stream / 2, epoch: UInt32(stream % 2), sequence: sequence)
                let verdict = seen.admit(id)
                #expect(verdict == (model.contains(id) ? .duplicate : .new))
                guard verdict == .new else { continue }
                if Int.random(in: 0..<5) == 0 {
                    seen.withdraw(id)
                } else {
                    #expect(seen.admit(id) == .deferred)
                    seen.complete(id)
                    model.insert(id)
                }
                if Int.random(in: 0..<300) == 0 { try await seen.synchronize() }
            }
            try await seen.close()
        }
        #expect(model.count > 500)
    }

    @Test func whatIsBelowTheWindowIsTakenForADuplicateAndCounted() async throws {
        let directory = try TemporaryDirectory()
        let seen = try await Deduplicator.open(directory: directory("seen"))
        for sequence in stride(from: UInt64(1), through: 5000, by: 1000) {
            seen.complete(MessageID(source: 1, epoch: 1, sequence: sequence))
        }
        seen.complete(MessageID(source: 1, epoch: 1, sequence: 5000))
        #expect(seen.admit(MessageID(source: 1, epoch: 1, sequence: 5000 - 1024)) == .duplicate)
        #expect(seen.counters.belowWindow == 1)
        #expect(seen.admit(MessageID(source: 1, epoch: 1, sequence: 5000 - 1023)) == .new)
        // The same number of an earlier start is another message.
        #expect(seen.admit(MessageID(source: 1, epoch: 0, sequence: 5000)) == .new)
        try await seen.close()
    }

    /// Somebody sends numbers far ahead under a device's identity: what the device sends is received all the same, once.
    @Test func aWrongNumberFarAheadTurnsNothingIntoOldMessages() async throws {
        let directory = try TemporaryDirectory()
        var seen = try await Deduplicator.open(directory: directory("seen"))
        func id(_ sequence: UInt64) -> MessageID { MessageID(source: 1, epoch: 1, sequence: sequence) }
        // Before the first message of an epoch as well.
        seen.complete(id(.max))
        for sequence in UInt64(1)...3000 {
            #expect(seen.admit(id(sequence)) == .new)
            seen.complete(id(sequence))
            if sequence % 100 == 0 { seen.complete(id(sequence * 1_000_000)) }
            if sequence == 1500 {
                try await seen.close()
                seen = try await Deduplicator.open(directory: directory("seen"))
            }
            #expect(seen.admit(id(sequence)) == .duplicate)
        }
        // A copy from the beginning that a frozen node has kept.
        #expect(seen.admit(id(7)) == .duplicate && seen.counters.belowWindow == 1)
        try await seen.close()
    }

    /// A sender that gave up thousands of messages: both runs are known, what lies between was never seen.
    @Test func aSendersOwnJumpIsNoLoss() {
        var runs = SequenceRuns()
        for number in Array(UInt64(1)...50) + Array(20_000...25_000) {
            #expect(!runs.contains(number))
            let isNew = runs.insert(number)
            #expect(isNew)
        }
        #expect(runs.windows.count == 2)
        for number in [UInt64(1), 50, 20_000, 21_000, 25_000] { #expect(runs.contains(number)) }
        for number in [UInt64(51), 19_000, 25_001, 99_000] { #expect(!runs.contains(number)) }
        for step in UInt64(1)...100 { _ = runs.insert(step * 1_000_000) }
        #expect(runs.windows.count == SequenceRuns.limit)
    }

    @Test func theSourceHeardOfLongestAgoIsForgottenAlsoAcrossRestarts() async throws {
        let directory = try TemporaryDirectory()
        var limits = DeduplicatorLimits()
        limits.streams = 3
        limits.journalBytes = 24
        func id(_ source: UInt64) -> MessageID { MessageID(source: source, epoch: 1, sequence: 1) }
        var seen = try await Deduplicator.open(directory: directory("seen"), limits: limits)
        for source in [UInt64(1), 2, 3] {
            seen.complete(id(source))
            try await seen.synchronize()
        }
        #expect(seen.admit(id(1)) == .duplicate)
        seen.complete(MessageID(source: 1, epoch: 1, sequence: 2))
        try await seen.close()
        seen = try await Deduplicator.open(directory: directory("seen"), limits: limits)
        seen.complete(id(4))
        #expect(seen.counters.evicted == 1 && seen.counters.streams == 3)
        #expect([1, 2, 3, 4].map { seen.admit(id($0)) } == [.duplicate, .new, .duplicate, .duplicate])
        try await seen.close()
    }

    @Test func tooManyAtATimeAreDeferred() async throws {
        let directory = try TemporaryDirectory()
        var limits = DeduplicatorLimits()
        limits.handling = 2
        let seen = try await Deduplicator.open(directory: directory("seen"), limits: limits)
        let ids = (UInt64(1)...3).map { MessageID(source: 1, epoch: 1, sequence: $0) }
        #expect(ids.map { seen.admit($0) } == [.new, .new, .refused])
        seen.complete(ids[0])
        #expect(ids.map { seen.admit($0) } == [.duplicate, .deferred, .new])
        #expect(seen.counters.deferred == 1 && seen.counters.copiesWhileHandled == 1)
        try await seen.close()
    }

    /// Cut or damaged at every byte: what is not readable is new again, never the other way round.
    @Test func damagedFiles() async throws {
        let directory = try TemporaryDirectory()
        let path = directory("seen")
        let ids = (UInt64(1)...4).map { MessageID(source: $0, epoch: 1, sequence: $0) }
        var state = DeduplicatorState(streams: 10)
        do {
            let store = try DeduplicatorStore(directory: path, state: &state, calls: FileCalls())
            for id in ids[..<2] { _ = state.insert(id) }
            try store.write(state)
            try store.append(Array(ids[2...]))
        }
        let files = try TemporaryDirectory.snapshot(path)
        for name in ["windows", "seen"] {
            for index in 0..<(files[name]?.count ?? 0) {
                for isCut in [false, true] {
                    var damaged = files
                    if isCut { damaged[name]?.removeSubrange(index...) } else { damaged[name]?[index] ^= 4 }
                    try TemporaryDirectory.restore(damaged, to: path)
                    var found = DeduplicatorState(streams: 10)
                    let store = try DeduplicatorStore(directory: path, state: &found, calls: FileCalls())
                    #expect(store.damaged == (isCut ? 0 : 1))
                    let known = ids.filter { found.lookUp($0).isSeen }
                    #expect(isCut ? known.count >= 2 : known.count == 3)
                    #expect(!found.lookUp(MessageID(source: 1, epoch: 1, sequence: 2)).isSeen)
                    #expect(!found.lookUp(MessageID(source: 9, epoch: 1, sequence: 1)).isSeen)
                }
            }
        }
    }
}
