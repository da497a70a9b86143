import DeviceCore
import Glibc
import TestSupport
import Testing

@testable import Outbox

/// Disks that are full or fail.
@Suite(.timeLimit(.minutes(5)), .serialized) struct DiskTests {
    @Test(.enabled(if: SmallDisk.isPermitted, "needs root and permission to mount a tmpfs"))
    func aFullDiskLosesNothingAndWritingGoesOnByItself() async throws {
        let disk = try SmallDisk()
        var configuration = Logs.configuration(segment: 16384)
        configuration.memoryRecords = 64
        configuration.retryInterval = .milliseconds(20)
        let log = try await OutboxLog.open(directory: disk.path + "/log", epoch: 1, configuration: configuration)
        var durable: [RecordID] = []
        for number in UInt64(1)...100 {
            let id = try await log.append(.init(repeating: UInt8(number), count: 300))
            try await log.durable(id)
            durable.append(id)
        }
        disk.fill()
        var failure: DeviceError?
        while failure == nil {
            do {
                let id = try await log.append(.init(repeating: 200, count: 300))
                durable.append(id)
                try await log.durable(id)
            } catch { failure = error as? DeviceError }
        }
        #expect(failure?.code == .io && failure?.message.contains(disk.path) == true && failure?.hint != nil)
        #expect(log.failure?.description == failure?.description)
        // Nothing is lost meanwhile, also what is only in memory can be read; then the memory is full, which is said.
        #expect(try await Logs.all(log).map(\.id) == durable)
        while true {
            do { durable.append(try log.appendNow([1])) } catch {
                #expect(error.code == .io)
                break
            }
        }
        #expect(log.counters.undurable == 64 && log.counters.rejected == 1 && log.counters.failures > 0)
        let waiter = try await log.read(from: durable.last?.sequence ?? 0)
        #expect(waiter.map(\.id) == durable.suffix(1))

        disk.free()
        #expect(try await eventually { log.failure == nil && log.counters.undurable == 0 })
        durable.append(try await log.append([9]))
        try await log.close()
        let again = try await OutboxLog.open(directory: disk.path + "/log", epoch: 2, configuration: configuration)
        #expect(try await Logs.all(again).map(\.id) == durable)
        #expect(again.recovery.lost == 0 && again.recovery.damagedBytes == 0)
        try await again.close()
    }

    @Test(.enabled(if: SmallDisk.isPermitted, "needs root and permission to mount a tmpfs"))
    func acknowledgementsFreeRoomOnAFullDisk() async throws {
        let disk = try SmallDisk()
        var configuration = Logs.configuration(segment: 16384)
        configuration.retryInterval = .seconds(600)
        let log = try await OutboxLog.open(directory: disk.path + "/log", epoch: 1, configuration: configuration)
        var last = RecordID(epoch: 1, sequence: 0)
        while log.failure == nil {
            last = try await log.append(.init(repeating: 7, count: 300))
            try? await log.durable(last)
        }
        log.acknowledge(through: RecordID(epoch: 1, sequence: last.sequence / 2))
        #expect(try await eventually { log.failure == nil })
        try await log.durable(last)
        try await log.close()
        let again = try await OutboxLog.open(directory: disk.path + "/log", epoch: 2, configuration: configuration)
        #expect(try await Logs.all(again).map(\.id.sequence) == Array((last.sequence / 2 + 1)...last.sequence))
        try await again.close()
    }

    @Test(.enabled(if: SmallDisk.isPermitted, "needs root and permission to mount a tmpfs"))
    func theDeduplicatorCatchesUpAfterAFullDisk() async throws {
        let disk = try SmallDisk()
        var limits = DeduplicatorLimits()
        limits.unwritten = 50
        limits.retryInterval = .milliseconds(20)
        let seen = try await Deduplicator.open(directory: disk.path + "/seen", limits: limits)
        disk.fill()
        let ids = (UInt64(1)...1000).map { MessageID(source: 1, epoch: 1, sequence: $0) }
        for id in ids where seen.admit(id) == .new { seen.complete(id) }
        await #expect(throws: DeviceError.self) { try await seen.synchronize() }
        #expect(seen.failure?.code == .io)
        disk.free()
        #expect(try await eventually { seen.failure == nil })
        try await seen.close()
        let again = try await Deduplicator.open(directory: disk.path + "/seen", limits: limits)
        #expect(ids.allSatisfy { again.admit($0) == .duplicate })
        try await again.close()
    }

    /// A sync that fails may have thrown data away without saying so again: the records are written anew elsewhere.
    @Test func recordsOfAFailedSyncAreWrittenAgain() async throws {
        let directory = try TemporaryDirectory()
        let isFailing = Locked(false)
        var configuration = Logs.configuration(segment: 16384)
        configuration.retryInterval = .milliseconds(5)
        configuration.calls.sync = { file in
            guard isFailing.withLock({ $0 }) else { return fdatasync(file) }
            // What the kernel may do: the pages are gone.
            _ = ftruncate(file, 10)
            errno = EIO
            return -1
        }
        let log = try await OutboxLog.open(directory: directory("log"), epoch: 1, configuration: configuration)
        isFailing.withLock { $0 = true }
        var ids: [RecordID] = []
        for number in UInt64(1)...50 { ids.append(try await log.append(Logs.payload(number))) }
        await #expect(throws: DeviceError.self) { try await log.durable(ids[49]) }
        #expect(log.failure?.hint?.contains("failing") == true)
        isFailing.withLock { $0 = false }
        #expect(try await eventually { log.failure == nil })
        try await log.durable(ids[49])
        try await log.close()
        let again = try await OutboxLog.open(directory: directory("log"), epoch: 2)
        let entries = try await Logs.all(again)
        #expect(entries.map(\.id) == ids)
        #expect(entries.allSatisfy { $0.payload == Logs.payload($0.id.sequence) })
        try await again.close()
    }

    /// A flash card takes a second for a sync now and then. Messages must not wait for it.
    @Test func aSlowSyncHoldsUpNeitherWritesNorReads() async throws {
        let directory = try TemporaryDirectory()
        let isSlow = Locked(true)
        var configuration = Logs.configuration(segment: 4096)
        configuration.calls.sync = { file in
            while isSlow.withLock({ $0 }) { usleep(1000) }
            return fdatasync(file)
        }
        let log = try await OutboxLog.open(directory: directory("log"), epoch: 1, configuration: configuration)
        var ids: [RecordID] = []
        // More than a segment takes: the next one has to wait for the disk, so the rest waits in memory.
        for number in UInt64(1)...1000 { ids.append(try await log.append(Logs.payload(number))) }
        try await log.stored(ids[9])
        #expect(try await Logs.all(log).map(\.id) == ids)
        log.acknowledge(through: ids[499])
        #expect(try await Logs.all(log).map(\.id) == Array(ids[500...]))
        #expect(log.counters.undurable == 1000)
        isSlow.withLock { $0 = false }
        try await log.durable(ids[999])
        #expect(log.counters.undurable == 0)
        try await log.close()
        let again = try await OutboxLog.open(directory: directory("log"), epoch: 2)
        #expect(try await Logs.all(again).map(\.id) == Array(ids[500...]))
        try await again.close()
    }

    /// The kernel may drop the pages of a sync that fails, and somebody reads before the failure is known.
    @Test func whatAFailingSyncTakesFromTheFileIsReadFromMemory() async throws {
        let directory = try TemporaryDirectory()
        let isFailing = Locked(true)
        let hasDropped = Locked(false)
        let isHeld = Locked(true)
        var configuration = Logs.configuration(segment: 16384)
        configuration.retryInterval = .milliseconds(5)
        configuration.calls.sync = { file in
            guard isFailing.withLock({ $0 }) else { return fdatasync(file) }
            _ = ftruncate(file, 10)
            hasDropped.withLock { $0 = true }
            while isHeld.withLock({ $0 }) { usleep(1000) }
            errno = EIO
            return -1
        }
        let log = try await OutboxLog.open(directory: directory("log"), epoch: 1, configuration: configuration)
        var ids: [RecordID] = []
        for number in UInt64(1)...50 { ids.append(try await log.append(Logs.payload(number))) }
        #expect(try await eventually { hasDropped.withLock { $0 } })
        #expect(try await log.read(limit: 7).map(\.id) == Array(ids[..<7]))
        #expect(try await Logs.all(log).map(\.id) == ids)
        isHeld.withLock { $0 = false }
        #expect(try await eventually { log.failure != nil })
        isFailing.withLock { $0 = false }
        try await log.durable(ids[49])
        #expect(log.counters.lost == 0)
        #expect(try await Logs.all(log).map(\.payload) == (UInt64(1)...50).map(Logs.payload))
        try await log.close()
    }

    /// Every write is cut at some byte, again and again, as a full disk does.
    @Test func shortWritesAnywhere() throws {
        for limit in 0..<200 {
            let directory = try TemporaryDirectory()
            let left = Locked(limit)
            var configuration = Logs.configuration()
            configuration.calls.write = { file, bytes, offset in
                let count = min(bytes.count, left.withLock { $0 })
                if count == 0, bytes.count > 0 {
                    errno = ENOSPC
                    return -1
                }
                left.withLock { $0 -= count }
                return pwrite(file, bytes.baseAddress, count, off_t(offset))
            }
            let store = try Logs.store(directory("log"), configuration)
            #expect(throws: DeviceError.self) { try Logs.append(1...8, to: store) }
            #expect(try Logs.all(store).map(\.id.sequence) == Array(1...8))
            left.withLock { $0 = .max }
            try Logs.append(9...9, to: store)
            #expect(try Logs.all(store).map(\.id.sequence) == Array(1...9))
            try store.closeActive()
        }
    }

    @Test func closingWithoutRoomSaysWhatWasLost() async throws {
        let directory = try TemporaryDirectory()
        var configuration = Logs.configuration()
        configuration.calls.write = { _, _, _ in
            errno = ENOSPC
            return -1
        }
        let log = try await OutboxLog.open(directory: directory("log"), epoch: 1, configuration: configuration)
        _ = try log.appendNow([1])
        await #expect(throws: DeviceError.self) { try await log.close() }
    }
}
