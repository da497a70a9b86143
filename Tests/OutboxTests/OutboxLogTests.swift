import DeviceCore
import TestSupport
import Testing

@testable import Outbox

@Suite(.timeLimit(.minutes(5))) struct OutboxLogTests {
    @Test func recordsComeBackInOrderAfterARestart() async throws {
        let directory = try TemporaryDirectory()
        let configuration = Logs.configuration(segment: 4096)
        var ids: [RecordID] = []
        for epoch in UInt32(1)...3 {
            let log = try await OutboxLog.open(directory: directory("log"), epoch: epoch, configuration: configuration)
            #expect(log.recovery.waiting == UInt64(ids.count))
            for _ in 0..<200 { ids.append(try await log.append(Logs.payload(UInt64(ids.count + 1)))) }
            let entries = try await Logs.all(log)
            #expect(entries.map(\.id) == ids)
            #expect(entries.allSatisfy { $0.payload == Logs.payload($0.id.sequence) })
            try await log.close()
        }
        #expect(ids.map(\.sequence) == Array(1...600))
    }

    @Test func readingInPiecesSeesEverythingOnceWhileAppending() async throws {
        let directory = try TemporaryDirectory()
        let log = try await OutboxLog.open(
            directory: directory("log"), epoch: 1, configuration: Logs.configuration(segment: 4096))
        let writer = Task { for number in UInt64(1)...2000 { _ = try await log.append(Logs.payload(number)) } }
        var next: UInt64 = 1
        while next <= 2000 {
            for entry in try await log.read(from: next, limit: 7) {
                #expect(entry.id.sequence == next)
                #expect(entry.payload == Logs.payload(next))
                next += 1
            }
        }
        try await writer.value
        // The byte limit ends a read after at least one.
        #expect(try await log.read(from: 1, limit: 10, bytes: 1).count == 1)
        try await log.close()
    }

    @Test func acknowledgementsInAnyOrderOutliveRestarts() async throws {
        let directory = try TemporaryDirectory()
        let configuration = Logs.configuration(segment: 4096)
        var waiting = Set(UInt64(1)...1000)
        var epochOf: [UInt64: UInt32] = [:]
        for epoch in UInt32(1)...8 {
            let log = try await OutboxLog.open(directory: directory("log"), epoch: epoch, configuration: configuration)
            if epoch == 1 {
                for number in UInt64(1)...1000 { _ = try await log.append(Logs.payload(number)) }
            }
            let entries = try await Logs.all(log)
            #expect(entries.map(\.id.sequence) == waiting.sorted())
            #expect(log.counters.waiting == UInt64(waiting.count))
            for entry in entries { epochOf[entry.id.sequence] = entry.id.epoch }
            #expect(log.recovery.lost == 0)
            for entry in entries.shuffled().prefix(150) {
                waiting.remove(entry.id.sequence)
                log.acknowledge(entry.id)
            }
            try await log.close()
        }
        #expect(epochOf.values.allSatisfy { $0 == 1 })
        let log = try await OutboxLog.open(directory: directory("log"), epoch: 9, configuration: configuration)
        log.acknowledge(through: RecordID(epoch: 1, sequence: 1000))
        #expect(try await Logs.all(log).isEmpty)
        #expect(log.counters.segments == 0 && log.counters.waiting == 0)
        #expect(try await log.append([1]).sequence == 1001)
        try await log.close()
    }

    /// Numbers that a power failure took are used again; an acknowledgement from before must not end the new record.
    @Test func acknowledgementsOfAnotherEpochAreIgnored() async throws {
        let directory = try TemporaryDirectory()
        let log = try await OutboxLog.open(directory: directory("log"), epoch: 5)
        let id = try await log.append([1])
        for wrong in [
            RecordID(epoch: 4, sequence: 1), RecordID(epoch: 5, sequence: 2), RecordID(epoch: 5, sequence: 0),
            RecordID(epoch: 5, sequence: .max),
        ] {
            log.acknowledge(wrong)
            log.acknowledge(through: wrong)
        }
        #expect(try await log.read().map(\.id) == [id])
        #expect(log.counters.ignoredAcknowledgements >= 4 && log.counters.acknowledged == 0)
        try await log.close()
    }

    @Test func acknowledgementsBeyondTheLimitAreForgottenAndCounted() async throws {
        let directory = try TemporaryDirectory()
        var configuration = Logs.configuration()
        configuration.maximumRanges = 2
        let log = try await OutboxLog.open(directory: directory("log"), epoch: 1, configuration: configuration)
        for _ in 0..<10 { _ = try await log.append([1]) }
        for number in [UInt64(2), 4, 6] { log.acknowledge(RecordID(epoch: 1, sequence: number)) }
        #expect(try await log.read().map(\.id.sequence) == [1, 3, 5, 6, 7, 8, 9, 10])
        #expect(log.counters.forgottenAcknowledgements == 1)
        try await log.close()
    }

    @Test func groupCommitMakesDurableWithoutBeingAsked() async throws {
        let directory = try TemporaryDirectory()
        let log = try await OutboxLog.open(directory: directory("log"), epoch: 1)
        let id = try log.appendNow([1, 2, 3])
        try await log.durable(id, hurry: false)
        #expect(log.counters.syncs == 1 && log.counters.undurable == 0)
        try await log.stored(id)
        try await log.sync()
        #expect(log.counters.syncs == 1)
        try await log.close()
        await #expect(throws: DeviceError.self) { try await log.append([1]) }
        await #expect(throws: DeviceError.self) { try await log.read() }
    }

    @Test func aWaitCanBeCancelled() async throws {
        let directory = try TemporaryDirectory()
        var configuration = Logs.configuration()
        configuration.commit = GroupCommit(records: 1000, interval: .seconds(600))
        let log = try await OutboxLog.open(directory: directory("log"), epoch: 1, configuration: configuration)
        let id = try log.appendNow([1])
        let task = Task { try await log.durable(id, hurry: false) }
        try await Task.sleep(for: .milliseconds(20))
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        try await log.close()
    }

    @Test func manyWritersAtOnce() async throws {
        let directory = try TemporaryDirectory()
        var configuration = Logs.configuration(segment: 8192)
        configuration.memoryRecords = 16
        let log = try await OutboxLog.open(directory: directory("log"), epoch: 1, configuration: configuration)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in UInt8(0)..<8 {
                group.addTask {
                    for number in UInt8(0)..<100 {
                        let id = try await log.append([writer, number])
                        if number % 10 == 0 { try await log.durable(id) }
                    }
                }
            }
            try await group.waitForAll()
        }
        let entries = try await Logs.all(log)
        #expect(entries.count == 800)
        for writer in UInt8(0)..<8 {
            #expect(entries.filter { $0.payload[0] == writer }.map { $0.payload[1] } == Array(0..<100))
        }
        try await log.close()
    }
}
