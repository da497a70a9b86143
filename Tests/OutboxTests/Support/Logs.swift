import DeviceCore

@testable import Outbox

/// Short ways to a store and a log.
enum Logs {
    static func configuration(segment: Int = 1 << 20, time: (@Sendable () -> Int64)? = nil) -> OutboxConfiguration {
        var configuration = OutboxConfiguration()
        configuration.segmentBytes = segment
        if let time { configuration.time = time }
        return configuration
    }

    static func store(
        _ path: String, epoch: UInt32 = 1, _ configuration: OutboxConfiguration = configuration()
    ) throws -> SegmentStore {
        try SegmentStore(directory: path, epoch: epoch, configuration: configuration)
    }

    /// The payload that a record of these tests has.
    static func payload(_ sequence: UInt64) -> [UInt8] {
        (0..<Int(sequence * 5 % 23)).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ Int(sequence)) }
    }

    static func append(_ numbers: ClosedRange<UInt64>, to store: SegmentStore) throws {
        for number in numbers {
            store.backlog.append(PendingRecord(sequence: number, expires: 0, payload: payload(number)))
        }
        try store.writeBacklog()
        try store.sync()
    }

    static func all(_ store: SegmentStore) throws -> [OutboxEntry] {
        try store.read(from: 0, limit: .max, bytes: .max)
    }

    static func all(_ log: OutboxLog) async throws -> [OutboxEntry] {
        try await log.read(limit: .max, bytes: .max)
    }
}

/// A clock that tests set.
final class ManualTime: Sendable {
    private let milliseconds = Locked(Int64(1_700_000_000_000))
    var now: @Sendable () -> Int64 { { self.milliseconds.withLock { $0 } } }
    func advance(seconds: Int64) { milliseconds.withLock { $0 += seconds * 1000 } }
}
