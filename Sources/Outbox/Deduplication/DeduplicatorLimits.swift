/// Limits and times of a ``Deduplicator``.
public struct DeduplicatorLimits: Sendable {
    /// How far apart the numbers of one source and epoch may be under way: what is that much older than the newest is
    /// taken for a duplicate.
    public static let windowSize = 1024

    /// Sources, each with each of its epochs, that are remembered: about 200 bytes each. When there are more, the one
    /// heard of longest ago is forgotten and counted. Should be well above the number of senders, because each start
    /// of a sender is an epoch.
    public var streams = 1024
    /// Messages being handled at a time; more are refused and counted.
    public var handling = 1024
    /// Messages remembered but not yet on the disk, at most; beyond that the next write is a snapshot of everything.
    public var unwritten = 8192
    /// When what was completed becomes durable.
    public var commit = GroupCommit(records: 100, interval: .milliseconds(50))
    /// Bytes of the journal after which everything is written anew as a snapshot.
    public var journalBytes = 1 << 20
    /// How long after a failure the disk is tried again.
    public var retryInterval = Duration.seconds(1)

    var calls = FileCalls()

    /// The defaults.
    public init() {}
}

/// What happened to the messages that a ``Deduplicator`` was asked about since it was opened.
public struct DeduplicatorCounters: Sendable, Hashable {
    /// Messages admitted as new.
    public var new: UInt64 = 0
    /// Messages recognized as handled before.
    public var duplicates: UInt64 = 0
    /// Of these: messages too old to be told apart, taken for duplicates.
    public var belowWindow: UInt64 = 0
    /// Copies of a message that was being handled.
    public var copiesWhileHandled: UInt64 = 0
    /// Messages refused because too many were being handled.
    public var deferred: UInt64 = 0
    /// Sources forgotten to make room: a message of theirs that is repeated counts as new.
    public var evicted: UInt64 = 0
    /// Sources and epochs remembered now.
    public var streams = 0
    /// Entries found damaged when opened: what they said is forgotten.
    public var damaged: UInt64 = 0
    /// Attempts to write that failed. Everything is in memory and is tried again.
    public var failures: UInt64 = 0

    /// Makes counters that are all zero.
    public init() {}
}
