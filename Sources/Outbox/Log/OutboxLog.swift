public import DeviceCore

/// A durable queue of messages on disk: an append-only log in segment files, read and acknowledged by number.
///
/// One log is one priority class, in a directory of its own. Calls that do not wait never touch the disk; a thread of
/// the log's own does, for many records at once.
///
/// ## What is promised
/// - **After ``stored(_:)``** a record survives the process, kill -9 at any instruction included. A power failure or
///   kernel crash can lose it.
/// - **After ``durable(_:)``** it survives power failure too, as far as the disk keeps what it said it wrote. Nobody
///   has to ask: without that call a record becomes durable by ``GroupCommit``, by default within 50 ms.
/// - **Before either**, from the return of ``append(_:timeToLive:)`` on, it is in memory: kill -9 loses it.
/// - Records are read in the order of their appends, each until it is acknowledged, expired, or dropped by policy; and
///   ``OutboxCounters`` counts each that ends otherwise than by an acknowledgement.
/// - **Acknowledgements** are written at once but not synced: kill -9 right after ``acknowledge(_:)``, or a power
///   failure up to about half a minute later, brings records back, to be sent again. The receiver's ``Deduplicator``
///   drops them.
/// - **Damage** (flipped bits, torn writes) costs the records whose bytes it touches, no others. At most, damage at the
///   end of the newest segment cannot be told from a torn write: the records there are missing uncounted, and
///   ``OutboxRecovery/truncatedBytes`` tells how many bytes went.
/// - **A full or failing disk** loses nothing that is stored. Records that cannot be written wait in memory, can be
///   read and sent, and are tried again every ``OutboxConfiguration/retryInterval`` and when acknowledgements
///   have freed room. Until then ``stored(_:)`` and ``durable(_:)`` throw what the disk said, and so do appends once
///   the memory is full. After a failed sync, records that were ``stored(_:)`` but not ``durable(_:)`` are written
///   again.
public final class OutboxLog: Sendable {
    let core: OutboxLogCore
    private let worker: WorkerThread
    /// The start during which this log was opened: the epoch of all records appended to it.
    public let epoch: UInt32
    /// What was found at the opening.
    public let recovery: OutboxRecovery

    /// Opens the log in a directory, which is made where it is missing.
    ///
    /// `epoch` is this start's number (``BootEpoch/next(in:)``). Throws `.busy` with the pid of the process that has
    /// the directory, `.permission`, `.io`. Damaged content never makes it fail; see ``recovery``.
    public static func open(
        directory: String, epoch: UInt32, configuration: OutboxConfiguration = OutboxConfiguration()
    ) async throws(DeviceError) -> OutboxLog {
        let core = OutboxLogCore(epoch: epoch, configuration: configuration)
        let (worker, recovery) = try await core.start(directory: directory)
        return OutboxLog(core: core, worker: worker, epoch: epoch, recovery: recovery)
    }

    private init(core: OutboxLogCore, worker: WorkerThread, epoch: UInt32, recovery: OutboxRecovery) {
        self.core = core
        self.worker = worker
        self.epoch = epoch
        self.recovery = recovery
    }

    /// A log that nobody holds any more closes itself, durably, soon.
    deinit { worker.stop() }

    /// The largest payload that ``append(_:timeToLive:)`` takes.
    public var maximumPayload: Int { core.configuration.maximumPayload }

    /// What the log holds and what happened to its records.
    public var counters: OutboxCounters { core.counters }

    /// Why the disk does not take records now; nil while it does. They wait in memory meanwhile.
    public var failure: DeviceError? { core.failure }

    // MARK: Appending

    /// Takes a record without waiting and returns its ticket.
    ///
    /// `timeToLive` is that of the configuration where it is nil. Throws, and counts as rejected: `.limitExceeded` when
    /// the byte cap is reached (``WhenFull/reject``) or the memory is full, the disk's error when the memory is full
    /// because of it, `.invalidArgument` for a payload above ``maximumPayload``, `.closed`.
    public func appendNow(_ payload: [UInt8], timeToLive: Duration? = nil) throws(DeviceError) -> RecordID {
        let sequence = try core.append(payload, timeToLive: timeToLive, countsFullMemory: true)
        worker.wake()
        return RecordID(epoch: epoch, sequence: sequence)
    }

    /// The same, but waits while the memory is full and the disk works: back-pressure at the disk's speed.
    public func append(_ payload: [UInt8], timeToLive: Duration? = nil) async throws -> RecordID {
        while true {
            do throws(DeviceError) {
                let sequence = try core.append(payload, timeToLive: timeToLive, countsFullMemory: false)
                worker.wake()
                return RecordID(epoch: epoch, sequence: sequence)
            } catch {
                guard core.isMemoryFull(error) else { throw error }
                try await core.gate.wait(for: .room) { worker.wake() }
            }
        }
    }

    /// Waits until a record of this log is in a file: it survives the end of the process.
    ///
    /// Throws what the disk said (the record stays in memory and is tried again; this may be called again), `.closed`,
    /// `.limitExceeded`, or `CancellationError`.
    public func stored(_ record: RecordID) async throws {
        try await core.gate.wait(for: .stored(record.sequence)) { worker.wake() }
    }

    /// Waits until a record, and with it all before it, is on the disk. Throws as ``stored(_:)`` does.
    ///
    /// By default it asks for a sync at once; with `hurry: false` it waits for the next group commit.
    public func durable(_ record: RecordID, hurry: Bool = true) async throws {
        try await core.gate.wait(for: .durable(record.sequence)) {
            if hurry { core.hurry(record.sequence) }
            worker.wake()
        }
    }

    /// Waits until everything appended so far is on the disk. Throws as ``stored(_:)`` does.
    public func sync() async throws { try await durable(RecordID(epoch: epoch, sequence: core.lastSequence)) }

    // MARK: Reading and acknowledging

    /// Reads records that wait to be acknowledged, from a sequence on, in order.
    ///
    /// At most `limit` and, beyond the first, about `bytes` of payload. Empty when there are none. To read on, pass the
    /// last one's sequence + 1; to send again after a lost connection, begin at 0. Reads need not wait for durability:
    /// a message that is sent before it is durable is at worst repeated or, after a power failure, never repeated.
    ///
    /// A sender must not let the numbers that it has under way spread wider than the receiver's window
    /// (``DeduplicatorLimits/windowSize``). Throws the disk's error, `.closed`, `.limitExceeded`.
    public func read(from sequence: UInt64 = 0, limit: Int = 100, bytes: Int = 262_144) async throws(DeviceError)
        -> [OutboxEntry]
    {
        let result: Result<[OutboxEntry], DeviceError> = await withCheckedContinuation { continuation in
            let request = OutboxLogCore.Read(from: sequence, limit: limit, bytes: bytes) {
                continuation.resume(returning: $0)
            }
            if core.request(request) { worker.wake() }
        }
        return try result.get()
    }

    /// Ends a record: it was delivered. In any order; repeating it does no harm.
    ///
    /// A number that the log does not hold in that epoch is ignored and counted, whoever sent it.
    public func acknowledge(_ record: RecordID) { acknowledge(CollectionOfOne(record)) }

    /// Ends many records with one wake-up of the log's thread.
    public func acknowledge(_ records: some Collection<RecordID>) {
        guard !records.isEmpty else { return }
        core.acknowledge(records.lazy.map { Acknowledgement(id: $0, isCumulative: false) })
        worker.wake()
    }

    /// Ends a record and all before it.
    public func acknowledge(through record: RecordID) {
        core.acknowledge(CollectionOfOne(Acknowledgement(id: record, isCumulative: true)))
        worker.wake()
    }

    /// Ends segments whose records have all expired and gives back their room.
    ///
    /// Reading passes over expired records anyway, and the log does this itself when it has refused a record for want
    /// of room. There is no timer: an idle log costs no wake-ups.
    public func removeExpired() {
        core.requestSweep()
        worker.wake()
    }

    /// Makes everything durable and gives the directory free. Appends end with `.closed` from now on.
    ///
    /// Throws the disk's error when records in memory could not be written: they are lost with the process.
    public func close() async throws {
        core.beginClosing()
        worker.stop()
        try await core.gate.wait(for: .closed) {}
        if let failure = core.failure { throw failure }
    }
}
