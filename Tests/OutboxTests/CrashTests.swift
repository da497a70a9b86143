import DeviceCore
import Glibc
import TestSupport
import Testing

@testable import Outbox

/// Real processes, killed while they write.
@Suite(.timeLimit(.minutes(5)), .serialized) struct CrashTests {
    private static func lines(_ path: String) throws -> [[Substring]] {
        guard access(path, F_OK) == 0 else { return [] }
        let text = String(decoding: try TemporaryDirectory.read(path), as: UTF8.self)
        return text.split(separator: "\n").map { $0.split(separator: " ") }
    }

    /// Starts a writer and kills it: sometimes while it starts, mostly while it writes.
    private static func runAndKill(_ mode: String, _ directory: String, _ report: String, round: Int) async throws {
        let before = try lines(report).count
        let child = try ChildProcess(beside: "OutboxWriter", [mode, directory, report])
        defer { child.killNow() }
        if round % 4 != 0 {
            let isWriting = try await eventually { try lines(report).count > before }
            #expect(isWriting)
        }
        try await Task.sleep(for: .microseconds(Int.random(in: 0...30_000)))
    }

    @Test func everythingDurableIsThereAfterEachKill() async throws {
        let directory = try TemporaryDirectory(onDisk: true)
        let report = directory("report")
        for round in 0..<60 {
            try await Self.runAndKill("log", directory.path, report, round: round)
            var durable: Set<RecordID> = []
            var acknowledged: Set<UInt64> = []
            for line in try Self.lines(report) {
                if line.count == 3, let epoch = UInt32(line[1]), let sequence = UInt64(line[2]) {
                    durable.insert(RecordID(epoch: epoch, sequence: sequence))
                } else if line.count == 2, let sequence = UInt64(line[1]) {
                    acknowledged.insert(sequence)
                } else {
                    Issue.record("the writer said \(line)")
                }
            }
            let store = try Logs.store(directory("log"), epoch: 0)
            #expect(store.recovery.lost == 0 && store.recovery.damagedBytes == 0)
            let entries = try Logs.all(store)
            let numbers = entries.map(\.id.sequence)
            #expect(zip(numbers, numbers.dropFirst()).allSatisfy { $0 < $1 })
            let there = Set(entries.map(\.id))
            let missing = durable.filter { !acknowledged.contains($0.sequence) && !there.contains($0) }
            #expect(missing.isEmpty, "round \(round)")
            for entry in entries {
                let byte = UInt8(truncatingIfNeeded: entry.id.epoch)
                #expect(entry.payload.count <= 300 && entry.payload.allSatisfy { $0 == byte })
            }
        }
        #expect(try Self.lines(report).count > 100)
    }

    @Test func everythingRememberedIsKnownAfterEachKill() async throws {
        let directory = try TemporaryDirectory(onDisk: true)
        let report = directory("report")
        for round in 0..<40 {
            try await Self.runAndKill("seen", directory.path, report, round: round)
            let seen = try await Deduplicator.open(directory: directory("seen"))
            #expect(seen.counters.damaged == 0)
            for line in try Self.lines(report) {
                let epoch = try #require(line.first.flatMap { UInt32($0) })
                let last = try #require(line.last.flatMap { UInt64($0) })
                for sequence in (last > 30 ? last - 30 : 1)...last {
                    let verdict = seen.admit(MessageID(source: 7, epoch: epoch, sequence: sequence))
                    #expect(verdict == .duplicate, "round \(round)")
                }
                // What was never completed by any run is new.
                #expect(seen.admit(MessageID(source: 8, epoch: epoch, sequence: last)) != .duplicate)
            }
            try await seen.close()
        }
    }

    @Test func bootEpochsNeverRepeat() async throws {
        let directory = try TemporaryDirectory()
        for round in 0..<20 {
            try await Self.runAndKill("epoch", directory("state"), directory("report"), round: round)
        }
        let epochs = try Self.lines(directory("report")).compactMap { $0.first.flatMap { UInt32($0) } }
        #expect(epochs.count > 20)
        #expect(zip(epochs, epochs.dropFirst()).allSatisfy { $0 < $1 })
    }

    @Test func bootEpochsOfProcessesAtOnceDiffer() async throws {
        let directory = try TemporaryDirectory()
        let children = try (0..<4).map { _ in
            try ChildProcess(beside: "OutboxWriter", ["epoch", directory("state"), directory("report")])
        }
        let isEnough = try await eventually { try Self.lines(directory("report")).count > 400 }
        for child in children { child.killNow() }
        #expect(isEnough)
        let epochs = try Self.lines(directory("report")).compactMap { $0.first.flatMap { UInt32($0) } }
        #expect(Set(epochs).count == epochs.count)
    }

    @Test func hostileNamesInTheEpochDirectory() throws {
        let directory = try TemporaryDirectory()
        for name in ["epoch-", "epoch-zzzzzzzz", "epoch-+0000001", "epoch-000000010", "epoch-00000005"] {
            try TemporaryDirectory.write([], to: directory(name))
        }
        #expect(try BootEpoch.next(in: directory.path) == 6)
        try TemporaryDirectory.write([], to: directory("epoch-ffffffff"))
        #expect(throws: DeviceError.self) { try BootEpoch.next(in: directory.path) }
    }

    @Test func anotherProcessHoldsTheDirectory() async throws {
        let directory = try TemporaryDirectory()
        let child = try ChildProcess(beside: "OutboxWriter", ["hold", directory("log"), directory("report")])
        defer { child.killNow() }
        let isOpen = try await eventually { try !Self.lines(directory("report")).isEmpty }
        #expect(isOpen)
        do {
            _ = try await OutboxLog.open(directory: directory("log"), epoch: 1)
            Issue.record("two processes have the log")
        } catch {
            #expect(error.code == .busy)
            #expect(error.message.contains("process \(child.id)"), "\(error)")
            #expect(error.hint != nil)
        }
        child.killNow()
        let log = try await OutboxLog.open(directory: directory("log"), epoch: 1)
        try await log.close()
    }

    @Test func openingALargeLogTakesLittleMemory() async throws {
        let directory = try TemporaryDirectory()
        do {
            let store = try Logs.store(directory("log"))
            for first in stride(from: UInt64(1), to: 100_000, by: 1000) {
                for number in first..<first + 1000 {
                    let payload = [UInt8](repeating: 1, count: 40)
                    store.backlog.append(PendingRecord(sequence: number, expires: 0, payload: payload))
                }
                try store.writeBacklog()
                try store.sync()
            }
            #expect(store.cost > 6_000_000)
        }
        let child = try ChildProcess(beside: "OutboxWriter", ["open", directory("log"), directory("report")])
        #expect(child.wait() == 0)
        let line = try #require(try Self.lines(directory("report")).first)
        #expect(line.last == "100000")
        // 6 MB of records; the window is 64 KiB, the rest is the program's own code being touched.
        let kibibytes = try #require(line.first.flatMap { Int($0) })
        #expect(kibibytes < 3072)
    }
}
