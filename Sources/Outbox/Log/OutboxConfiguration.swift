import DeviceCore
import Glibc

/// When records are brought to the disk together.
public struct GroupCommit: Sendable, Hashable {
    /// As soon as so many wait (1: each batch of appends at once).
    public var records: Int
    /// At the latest so long after the first of them was written.
    public var interval: Duration

    /// Makes a rule.
    public init(records: Int = 10, interval: Duration = .milliseconds(50)) {
        self.records = max(1, records)
        self.interval = max(.zero, interval)
    }
}

/// What happens to an append when the log has reached its byte cap.
public enum WhenFull: String, Sendable, Hashable, CaseIterable {
    /// The new record is refused with `.limitExceeded` and counted (``OutboxCounters/rejected``).
    case reject
    /// The oldest segment is deleted, delivered or not; what was not is counted (``OutboxCounters/dropped``).
    case dropOldest
}

/// Limits and times of an ``OutboxLog``.
public struct OutboxConfiguration: Sendable {
    /// Bytes after which a new segment file begins; room is given back by whole segments. Between 4 KiB and 64 MiB, and
    /// at most a quarter of ``maximumBytes``.
    public var segmentBytes = 1 << 20
    /// Bytes on the disk, each segment rounded up to 4 KiB, at least 64 KiB. The files of acknowledgements (usually
    /// under 64 KiB) come on top.
    public var maximumBytes = 64 << 20
    /// What happens when ``maximumBytes`` is reached.
    public var whenFull = WhenFull.reject
    /// When records become durable that nobody waits for.
    public var commit = GroupCommit()
    /// Life of records that do not say their own; nil for ever. Counted in whole seconds, rounded up.
    public var timeToLive: Duration?
    /// Records held in memory because they are not durable yet, at most; then appends wait or are refused.
    public var memoryRecords = 4096
    /// Their payload bytes, at most. A single record may be larger.
    public var memoryBytes = 1 << 20
    /// Tasks that wait for a record to be stored or for a read, at most; more are refused with `.limitExceeded`.
    public var maximumWaiting = 4096
    /// Ranges of records acknowledged out of order, at most. An acknowledgement that needs one more is forgotten and
    /// counted: its record is sent again after the next read, and the receiver drops it as a duplicate.
    public var maximumRanges = 4096
    /// How long after a failure the disk is tried again.
    public var retryInterval = Duration.seconds(1)
    /// Milliseconds since 1970, for times to live: they go on while the program does not run.
    ///
    /// The default reads the machine's clock once, when the value is made, and follows its monotonic clock from there.
    /// So correcting a wrong clock expires nothing before the next start; after a start, records are judged by the time
    /// of then. A board without a battery-backed clock should open its log after its clock was set, or use long times
    /// to live.
    public var time: @Sendable () -> Int64 = Self.steadyTime()

    var calls = FileCalls()

    /// The defaults: 1 MiB segments, 64 MiB cap, reject, 10 records or 50 ms.
    public init() {}

    /// The record bytes of a segment, within its bounds.
    var boundedSegmentBytes: Int { min(max(4096, segmentBytes), 64 << 20, boundedMaximumBytes / 4) }
    var boundedMaximumBytes: Int { max(65536, maximumBytes) }
    /// The largest payload that this log takes.
    var maximumPayload: Int { min(RecordFormat.maximumPayload, boundedSegmentBytes - RecordFormat.headerBytes) }

    private static func steadyTime() -> @Sendable () -> Int64 {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let start = Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000
        let boot = sinceBoot()
        return { start + sinceBoot() - boot }
    }

    /// Milliseconds, suspended time included.
    private static func sinceBoot() -> Int64 {
        var now = timespec()
        clock_gettime(CLOCK_BOOTTIME, &now)
        return Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000
    }
}
