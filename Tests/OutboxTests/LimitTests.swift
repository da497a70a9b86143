import DeviceCore
import TestSupport
import Testing

@testable import Outbox

@Suite(.timeLimit(.minutes(5))) struct LimitTests {
    @Test func aFullLogRejectsAndTakesAgainAfterAcknowledgements() async throws {
        let directory = try TemporaryDirectory()
        var configuration = Logs.configuration(segment: 4096)
        configuration.maximumBytes = 65536
        let log = try await OutboxLog.open(directory: directory("log"), epoch: 1, configuration: configuration)
        var last: RecordID?
        var refusal: DeviceError?
        while refusal == nil {
            do {
                last = try await log.append(.init(repeating: 7, count: 480))
            } catch { refusal = error as? DeviceError }
        }
        #expect(refusal?.code == .limitExceeded)
        try await log.sync()
        let full = log.counters
        #expect(full.rejected == 1 && full.dropped == 0 && full.bytes <= 65536 && full.appended >= 100)
        #expect(try await Logs.all(log).count == Int(full.appended))
        log.acknowledge(through: RecordID(epoch: 1, sequence: (last?.sequence ?? 0) / 2))
        #expect(try await eventually { log.counters.segments < full.segments })
        _ = try await log.append([1])
        try await log.close()
    }

    @Test func dropOldestKeepsTheNewestAndCounts() async throws {
        let directory = try TemporaryDirectory()
        var configuration = Logs.configuration(segment: 4096)
        configuration.maximumBytes = 65536
        configuration.whenFull = .dropOldest
        var log = try await OutboxLog.open(directory: directory("log"), epoch: 1, configuration: configuration)
        for _ in 0..<1000 { _ = try await log.append(.init(repeating: 7, count: 480)) }
        try await log.sync()
        let counters = log.counters
        #expect(counters.bytes <= 65536 && counters.rejected == 0 && counters.dropped > 0)
        #expect(counters.dropped + counters.waiting == 1000)
        let numbers = try await Logs.all(log).map(\.id.sequence)
        #expect(numbers == Array((counters.dropped + 1)...1000))
        try await log.close()
        log = try await OutboxLog.open(directory: directory("log"), epoch: 2, configuration: configuration)
        #expect(log.recovery.waiting == counters.waiting && log.recovery.lost == 0)
        try await log.close()
    }

    @Test func timeToLive() async throws {
        let directory = try TemporaryDirectory()
        let time = ManualTime()
        let configuration = Logs.configuration(segment: 4096, time: time.now)
        let log = try await OutboxLog.open(directory: directory("log"), epoch: 1, configuration: configuration)
        for number in UInt64(1)...9 {
            let life: Duration? = number % 3 == 0 ? nil : .seconds(Int64(number) * 10)
            _ = try await log.append(Logs.payload(number), timeToLive: life)
        }
        #expect(try await log.read().count == 9)
        time.advance(seconds: 9)
        #expect(try await log.read().count == 9)
        time.advance(seconds: 31)
        #expect(try await log.read().map(\.id.sequence) == [3, 5, 6, 7, 8, 9])
        #expect(log.counters.expired == 3 && log.counters.waiting == 6)
        try await log.close()
        let again = try await OutboxLog.open(directory: directory("log"), epoch: 2, configuration: configuration)
        time.advance(seconds: 1000)
        #expect(try await again.read().map(\.id.sequence) == [3, 6, 9])
        #expect(again.counters.expired == 3)
        try await again.close()
    }

    @Test func expiredSegmentsMakeRoom() async throws {
        let directory = try TemporaryDirectory()
        let time = ManualTime()
        var configuration = Logs.configuration(segment: 4096, time: time.now)
        configuration.maximumBytes = 65536
        configuration.timeToLive = .seconds(60)
        let log = try await OutboxLog.open(directory: directory("log"), epoch: 1, configuration: configuration)
        var taken: UInt64 = 0
        while (try? await log.append(.init(repeating: 7, count: 480))) != nil { taken += 1 }
        try await log.sync()
        time.advance(seconds: 61)
        log.removeExpired()
        #expect(try await eventually { log.counters.segments == 0 })
        #expect(log.counters.expired == taken)
        _ = try await log.append([1])
        try await log.close()
    }

    @Test func extremeTimesToLive() async throws {
        let directory = try TemporaryDirectory()
        let log = try await OutboxLog.open(directory: directory("log"), epoch: 1)
        _ = try log.appendNow([1], timeToLive: .seconds(Int64.max))
        _ = try log.appendNow([2], timeToLive: .seconds(-5))
        _ = try log.appendNow([3], timeToLive: .zero)
        #expect(try await log.read().map(\.payload).first == [1])
        try await log.close()
    }

    @Test func payloadsHaveALargestSize() async throws {
        let directory = try TemporaryDirectory()
        let log = try await OutboxLog.open(
            directory: directory("log"), epoch: 1, configuration: Logs.configuration(segment: 4096))
        #expect(log.maximumPayload == 4076)
        let id = try log.appendNow(.init(repeating: 1, count: 4076))
        #expect(throws: DeviceError.self) { try log.appendNow(.init(repeating: 1, count: 4077)) }
        #expect(log.counters.rejected == 1)
        #expect(try await log.read().map(\.id) == [id])
        try await log.close()
    }
}
