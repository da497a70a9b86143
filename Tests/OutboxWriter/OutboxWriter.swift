import Glibc
import Outbox

/// A process for the tests of `Outbox` to kill: it writes, and notes in a file what it was promised.
///
///     OutboxWriter log DIRECTORY REPORT      appends, waits until durable, acknowledges some
///     OutboxWriter seen DIRECTORY REPORT     completes messages, waits until durable
///     OutboxWriter epoch DIRECTORY REPORT    takes one boot epoch after the other
///     OutboxWriter hold DIRECTORY REPORT     opens the log and waits
///     OutboxWriter open DIRECTORY REPORT     opens the log and notes the largest memory it took, in KiB
@main
enum OutboxWriter {
    static func main() async {
        let arguments = CommandLine.arguments
        guard arguments.count == 4 else { exit(64) }
        let report = Report(arguments[3])  // safe: four arguments
        do {
            switch arguments[1] {
            case "log": try await log(arguments[2], report)
            case "seen": try await seen(arguments[2], report)
            case "epoch": while true { report.add("\(try BootEpoch.next(in: arguments[2]))") }
            case "hold":
                let log = try await OutboxLog.open(directory: arguments[2], epoch: 1)
                report.add("open")
                while true { try await Task.sleep(for: .seconds(log.epoch == 1 ? 60 : 1)) }
            case "open":
                let before = peakMemory()
                let log = try await OutboxLog.open(directory: arguments[2], epoch: 2)
                report.add("\(peakMemory() - before) \(log.recovery.waiting)")
            default: exit(64)
            }
        } catch {
            report.add("error \(error)")
            exit(1)
        }
    }

    /// Notes `d EPOCH SEQUENCE` for what is durable, `a SEQUENCE` before it acknowledges.
    private static func log(_ directory: String, _ report: Report) async throws {
        let epoch = try BootEpoch.next(in: directory + "/state")
        var configuration = OutboxConfiguration()
        configuration.segmentBytes = 4096
        let log = try await OutboxLog.open(
            directory: directory + "/log", epoch: epoch, configuration: configuration)
        while true {
            var batch: [RecordID] = []
            for _ in 0..<Int.random(in: 1...8) {
                let filler = [UInt8](repeating: UInt8(truncatingIfNeeded: epoch), count: .random(in: 0...300))
                batch.append(try log.appendNow(filler))
            }
            guard let last = batch.last else { continue }
            try await log.durable(last)
            report.add(batch.map { "d \($0.epoch) \($0.sequence)" }.joined(separator: "\n"))
            // Most of it, in no order: segments go, gaps stay.
            for record in batch.shuffled() where Int.random(in: 0..<10) < 8 {
                report.add("a \(record.sequence)")
                log.acknowledge(record)
            }
        }
    }

    /// Notes `SEQUENCE` for what is durable, and completes more after it.
    private static func seen(_ directory: String, _ report: Report) async throws {
        let epoch = try BootEpoch.next(in: directory + "/state")
        var limits = DeduplicatorLimits()
        limits.journalBytes = 4096
        let seen = try await Deduplicator.open(directory: directory + "/seen", limits: limits)
        var sequence: UInt64 = 0
        while true {
            for _ in 0..<Int.random(in: 1...20) {
                sequence += 1
                let id = MessageID(source: 7, epoch: epoch, sequence: sequence)
                if seen.admit(id) == .new { seen.complete(id) }
            }
            try await seen.synchronize()
            report.add("\(epoch) \(sequence)")
        }
    }

    /// The largest resident memory so far, in KiB.
    private static func peakMemory() -> Int {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return usage.ru_maxrss
    }
}

/// A file of lines, each written at once, so that a killed process leaves whole ones.
private struct Report: Sendable {
    private let file: Int32

    init(_ path: String) { file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600) }

    func add(_ line: String) {
        let bytes = Array((line + "\n").utf8)
        guard bytes.withUnsafeBytes({ write(file, $0.baseAddress, $0.count) }) == bytes.count else { exit(74) }
    }
}
