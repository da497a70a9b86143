import DeviceCore
import Glibc

/// The files of an ``OutboxLog``. Only the log's own thread uses it; every call may block.
///
/// A record's way: ``backlog`` (memory), then ``unsynced`` (in the active segment's file and in memory, because a sync
/// that fails may have lost it), then the file alone.
final class SegmentStore {
    struct Segment {
        var name: SegmentName
        /// Up to the end of the last record.
        var bytes: Int64
        /// Sequence of the last record; one below the first while there is none.
        var last: UInt64
        /// The largest expiry of its records; nil as soon as one never expires.
        var latestExpiry: UInt32? = 0

        /// What it counts against the byte cap.
        var cost: Int { SpacePlan.rounded(Int(clamping: min(bytes, 1 << 60))) }
        var isEmpty: Bool { last < name.first }

        mutating func note(expires: UInt32) {
            latestExpiry = expires == 0 ? nil : latestExpiry.map { max($0, expires) }
        }
    }

    static let acknowledgedName = "acknowledged"
    /// Bytes of the journal of acknowledgements before it is written anew, for which everything waits: of 40,000.
    static let leastJournalLimit: Int64 = 1 << 20

    let configuration: OutboxConfiguration
    let directory: StateDirectory
    let epoch: UInt32

    /// Oldest first.
    var segments: [Segment] = []
    /// The file of the last segment while it is written to.
    var active: StoreFile?
    /// Of the active segment: bytes and last sequence that are on the disk.
    var syncedBytes: Int64 = 0
    /// A segment's name may not be on the disk yet.
    var isDirectoryDirty = false
    var backlog: [PendingRecord] = []
    var unsynced: [PendingRecord] = []
    /// When the first of ``unsynced`` was written.
    var firstUnsynced: MonotonicTime?
    /// A sync that another thread waits for.
    private(set) var flight: SyncFlight?
    /// Hands a sync to that thread; false where there is none, then this one waits.
    var startSync: (SyncFlight) -> Bool = { _ in false }
    /// The last sync failed: the next one is not to wait for a group.
    private(set) var hasSyncFailed = false
    /// The last sequence whose record is in a file.
    var storedThrough: UInt64 = 0
    /// The last sequence whose record is on the disk.
    var durableThrough: UInt64 = 0

    /// Acknowledged, expired, dropped, lost: what nobody waits for any more.
    var settled = SequenceRanges()
    let acknowledgements: EntryJournal
    /// Settled but not in the journal.
    var unflushed: [ClosedRange<UInt64>] = []
    /// The journal of acknowledgements misses some, or has grown: it is to be written anew.
    var isJournalIncomplete = false
    var journalLimit = SegmentStore.leastJournalLimit

    /// Where the last read ended, so that the next one goes on there.
    var reader: (generation: UInt32, scanner: RecordScanner)?
    var counters = OutboxCounters()
    var recovery = OutboxRecovery()
    private var generation: UInt32 = 0
    private var buffer: [UInt8] = []

    /// Opens a log, whatever a crash left of it. See `SegmentStore+Recovery.swift`.
    init(directory path: String, epoch: UInt32, configuration: OutboxConfiguration) throws(DeviceError) {
        self.configuration = configuration
        self.epoch = epoch
        directory = try StateDirectory(path)
        var settled = SequenceRanges()
        acknowledgements = try EntryJournal(
            Self.acknowledgedName, payload: 16, in: directory, calls: configuration.calls
        ) { entry in
            guard let first: UInt64 = entry.bigEndian(at: 0), let last: UInt64 = entry.bigEndian(at: 8), first >= 1,
                first <= last, last < RecordFormat.maximumSequence
            else { return }
            _ = settled.insert(first...last)
        }
        self.settled = settled
        generation = try recover()
    }

    /// The file of a segment.
    func path(_ segment: Segment) -> String { directory.file(segment.name.text) }

    /// Bytes on the disk as the cap counts them.
    var cost: Int { segments.reduce(0) { $0 + $1.cost } }

    // MARK: Writing

    /// Writes the backlog, up to the end of a segment that is not on the disk yet. What it throws leaves unwritten
    /// records in the backlog.
    func writeBacklog() throws(DeviceError) {
        var done = 0
        defer { backlog.removeFirst(done) }
        while done < backlog.count {
            try dropOldest()
            try openActive(first: backlog[done].sequence)
            guard let active, var segment = segments.last else { return }
            buffer.removeAll(keepingCapacity: true)
            let seed = segment.name.seed
            var count = 0
            for record in backlog[done...] {
                let full = Int(segment.bytes) + buffer.count + record.fileBytes > configuration.boundedSegmentBytes
                if (full && Int(segment.bytes) + buffer.count > 0) || (count > 0 && buffer.count > 1 << 18) { break }
                RecordFormat.append(record, seed: seed, to: &buffer)
                segment.note(expires: record.expires)
                segment.last = record.sequence
                count += 1
            }
            if count == 0 {
                // A failed sync can take back the records of one segment only, so the next begins when this is durable.
                try beginSync()
                guard unsynced.isEmpty else { return }
                self.active = nil
                continue
            }
            try active.write(buffer, at: segment.bytes)
            segment.bytes += Int64(buffer.count)
            segments[segments.count - 1] = segment  // safe: it has a last one
            unsynced.append(contentsOf: backlog[done..<done + count])
            if firstUnsynced == nil { firstUnsynced = .monotonicNow }
            storedThrough = segment.last
            done += count
        }
    }

    /// Begins a segment where none is being written.
    private func openActive(first: UInt64) throws(DeviceError) {
        guard active == nil else { return }
        let name = SegmentName(first: first, epoch: epoch, generation: generation, salt: .random(in: 0 ... .max))
        let segment = Segment(name: name, bytes: 0, last: first - 1)
        // A name is never tried twice, even if only a part of this succeeds.
        generation += 1
        active = try StoreFile(path(segment), flags: O_RDWR | O_CREAT | O_EXCL, calls: configuration.calls)
        segments.append(segment)
        syncedBytes = 0
        isDirectoryDirty = true
    }

    /// Ends the active segment, durably.
    func closeActive() throws(DeviceError) {
        try sync()
        active = nil
    }

    /// Begins to make what was written durable, unless that is under way; ``takeSync()`` ends it.
    func beginSync() throws(DeviceError) {
        guard flight == nil, let active, let segment = segments.last, !unsynced.isEmpty else { return }
        let flight = SyncFlight(
            active, bytes: segment.bytes, last: segment.last, directory: isDirectoryDirty ? directory : nil)
        self.flight = flight
        guard !startSync(flight) else { return }
        flight.run()
        try takeSync()
    }

    /// Waits for the sync that is under way, and takes its result.
    ///
    /// After a failed sync the kernel may have thrown the data away and say so only once. So the records go back into
    /// the backlog, and their next attempt is a new segment.
    func takeSync() throws(DeviceError) {
        guard let flight else { return }
        self.flight = nil
        do throws(DeviceError) {
            try flight.finish()
        } catch {
            hasSyncFailed = true
            abandonUnsynced()
            throw error
        }
        hasSyncFailed = false
        if flight.coversDirectory { isDirectoryDirty = false }
        syncedBytes = flight.bytes
        durableThrough = flight.last
        unsynced.removeFirst(unsynced.firstIndex { $0.sequence > flight.last } ?? unsynced.count)
        // The others were written after it began.
        firstUnsynced = unsynced.isEmpty ? nil : flight.began
        counters.syncs += 1
    }

    /// Makes what was written durable before it returns.
    func sync() throws(DeviceError) {
        try takeSync()
        try beginSync()
        try takeSync()
    }

    private func abandonUnsynced() {
        guard let file = active, var segment = segments.popLast() else { return }
        reader = nil
        active = nil
        backlog.insert(contentsOf: unsynced, at: 0)
        unsynced = []
        firstUnsynced = nil
        storedThrough = durableThrough
        segment.bytes = syncedBytes
        segment.last = durableThrough
        // Where this fails too, start-up prefers the newer segment with the same records.
        try? file.truncate(to: syncedBytes)
        if segment.isEmpty { try? StoreFile.remove(path(segment)) } else { segments.append(segment) }
    }

    /// Deletes the oldest segments until one more full segment fits under the cap, where that is the policy.
    private func dropOldest() throws(DeviceError) {
        guard configuration.whenFull == .dropOldest else { return }
        let full = SpacePlan.rounded(configuration.boundedSegmentBytes)
        while segments.count > 1, let oldest = segments.first,
            cost + full - (active == nil ? 0 : segments.last?.cost ?? 0) > configuration.boundedMaximumBytes
        {
            counters.dropped += settle(oldest.name.first...max(oldest.name.first, oldest.last))
            try remove(at: 0)
        }
    }
}
