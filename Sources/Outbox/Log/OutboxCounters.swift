/// What an ``OutboxLog`` holds and what happened to its records since it was opened.
public struct OutboxCounters: Sendable, Hashable {
    /// Records that wait for an acknowledgement, in files or in memory. Expired ones count until they are noticed: by a
    /// read, or when all of their segment have expired.
    public var waiting: UInt64 = 0
    /// Bytes on the disk, as the byte cap counts them.
    public var bytes = 0
    /// Segment files.
    public var segments = 0
    /// Records in memory that are not durable yet.
    public var undurable = 0

    /// Records taken.
    public var appended: UInt64 = 0
    /// Appends refused: byte cap, full memory, failed disk, record too large.
    public var rejected: UInt64 = 0
    /// Records that were acknowledged.
    public var acknowledged: UInt64 = 0
    /// Records whose time to live ended before they were acknowledged.
    public var expired: UInt64 = 0
    /// Unacknowledged records deleted with the oldest segment (``WhenFull/dropOldest``).
    public var dropped: UInt64 = 0
    /// Unacknowledged records that can no longer be read, when opened or since: their bytes were damaged.
    public var lost: UInt64 = 0
    /// Acknowledgements of records that this log does not hold, and those that came while too many waited: no effect.
    public var ignoredAcknowledgements: UInt64 = 0
    /// Acknowledgements forgotten because too many gaps lay before them (``OutboxConfiguration/maximumRanges``).
    public var forgottenAcknowledgements: UInt64 = 0
    /// Writes brought to the disk.
    public var syncs: UInt64 = 0
    /// Attempts to write or sync that failed. Their records stay in memory and are tried again.
    public var failures: UInt64 = 0

    /// Makes counters that are all zero.
    public init() {}
}

/// What an ``OutboxLog`` found when it was opened.
public struct OutboxRecovery: Sendable, Hashable {
    /// Records that wait for an acknowledgement.
    public var waiting: UInt64 = 0
    /// Bytes of segments that were no intact record and lay before one: damage. Their records are in ``lost``.
    public var damagedBytes: UInt64 = 0
    /// Bytes after the last intact record of a segment, cut off. After a crash or power failure these are records that
    /// had not become durable; otherwise damage, whose records in the newest segment nobody can count.
    public var truncatedBytes: UInt64 = 0
    /// Unacknowledged records known by their numbers to be missing.
    public var lost: UInt64 = 0
    /// Records of acknowledgements that were damaged: what they acknowledged is sent again.
    public var damagedAcknowledgements: UInt64 = 0

    /// Makes a report of nothing.
    public init() {}
}

/// A record that waits to be sent.
public struct OutboxEntry: Sendable, Hashable {
    /// Which one it is: what to put into its ``Envelope`` and what to acknowledge.
    public var id: RecordID
    /// What was appended.
    public var payload: [UInt8]
    /// Seconds since 1970 after which it need not be sent; nil for never.
    public var expires: UInt32?

    /// Makes an entry.
    public init(id: RecordID, payload: [UInt8], expires: UInt32?) {
        self.id = id
        self.payload = payload
        self.expires = expires
    }
}
