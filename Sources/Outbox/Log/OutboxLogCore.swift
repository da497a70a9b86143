import DeviceCore

/// What the callers and the thread of an ``OutboxLog`` share.
final class OutboxLogCore: Sendable {
    /// A read that waits for the thread.
    struct Read: Sendable {
        var from: UInt64
        var limit: Int
        var bytes: Int
        var answer: @Sendable (Result<[OutboxEntry], DeviceError>) -> Void
    }

    /// What the callers want of the thread.
    struct Work: Sendable {
        var records: [PendingRecord] = []
        var acknowledgements: [Acknowledgement] = []
        var reads: [Read] = []
        /// Everything up to this sequence is to be durable soon.
        var hurry: UInt64 = 0
        var sweep = false
    }

    struct State: Sendable {
        var work = Work()
        /// Payload bytes of the records in ``work``.
        var newPayloadBytes = 0
        /// What the thread holds in memory, as it last said: records not durable, their bytes.
        var heldRecords = 0
        var heldBytes = 0
        var plan = SpacePlan()
        var lastSequence: UInt64 = 0
        var isClosing = false
        var failure: DeviceError?
        /// From the thread.
        var counters = OutboxCounters()
        var appended: UInt64 = 0
        var rejected: UInt64 = 0
        var ignored: UInt64 = 0
    }

    let epoch: UInt32
    let configuration: OutboxConfiguration
    let gate: ProgressGate
    let state = Locked(State())
    let syncThread = Locked<SyncThread?>(nil)

    init(epoch: UInt32, configuration: OutboxConfiguration) {
        self.epoch = epoch
        self.configuration = configuration
        gate = ProgressGate(limit: max(1, configuration.maximumWaiting))
    }

    var failure: DeviceError? { state.withLock { $0.failure } }
    var lastSequence: UInt64 { state.withLock { $0.lastSequence } }

    var counters: OutboxCounters {
        state.withLock { state in
            var counters = state.counters
            counters.appended = state.appended
            counters.rejected = state.rejected
            counters.ignoredAcknowledgements += state.ignored
            counters.undurable = state.heldRecords + state.work.records.count
            counters.waiting += UInt64(state.work.records.count)
            return counters
        }
    }

    // MARK: For callers

    func append(_ payload: [UInt8], timeToLive: Duration?, countsFullMemory: Bool) throws(DeviceError) -> UInt64 {
        let expires = expiry(timeToLive ?? configuration.timeToLive)
        return try state.withLock { state throws(DeviceError) in
            do throws(DeviceError) {
                state.plan = try admit(payload, state)
            } catch {
                let isCapReached = error.code == .limitExceeded && !isMemoryFull(error)
                if isCapReached { state.work.sweep = true }
                if countsFullMemory || !isMemoryFull(error) { state.rejected += 1 }
                throw error
            }
            state.lastSequence += 1
            let record = PendingRecord(sequence: state.lastSequence, expires: expires, payload: payload)
            state.newPayloadBytes += payload.count
            state.work.records.append(record)
            state.appended += 1
            return state.lastSequence
        }
    }

    /// The space that the log takes with one more record, where it may be taken.
    private func admit(_ payload: [UInt8], _ state: State) throws(DeviceError) -> SpacePlan {
        guard !state.isClosing else { throw ProgressGate.closed }
        guard payload.count <= configuration.maximumPayload else {
            throw DeviceError(
                .invalidArgument,
                "a payload of \(payload.count) bytes is more than a segment takes (\(configuration.maximumPayload))",
                hint: "Send it in parts or raise segmentBytes")
        }
        guard state.lastSequence < RecordFormat.maximumSequence - 1 else {
            throw DeviceError(.limitExceeded, "the log's numbers are used up", hint: "Start with a new directory")
        }
        let plan = state.plan.adding(
            RecordFormat.headerBytes + payload.count, segmentBytes: configuration.boundedSegmentBytes)
        if configuration.whenFull == .reject, plan.cost > configuration.boundedMaximumBytes {
            throw DeviceError(
                .limitExceeded, "the outbox is full: \(configuration.boundedMaximumBytes) bytes wait",
                hint: "Restore the connection, raise its byte cap, or let it drop the oldest")
        }
        let records = state.heldRecords + state.work.records.count
        let held = state.heldBytes + state.newPayloadBytes
        guard records < max(1, configuration.memoryRecords),
            records == 0 || held + payload.count <= configuration.memoryBytes
        else { throw state.failure ?? Self.memoryFull }
        return plan
    }

    private static let memoryFull = DeviceError(
        .limitExceeded, "the outbox has more records in memory than the disk can take now",
        hint: "Append more slowly, or wait with append instead of appendNow")

    /// Whether waiting can help.
    func isMemoryFull(_ error: DeviceError) -> Bool {
        error.code == .limitExceeded && error.message == Self.memoryFull.message
    }

    private func expiry(_ timeToLive: Duration?) -> UInt32 {
        guard let timeToLive else { return 0 }
        let milliseconds = max(0, timeToLive.wholeNanoseconds / 1_000_000)
        let end = configuration.time().addingReportingOverflow(milliseconds)
        guard !end.overflow else { return 0 }
        return UInt32(clamping: max(1, end.partialValue / 1000 + (end.partialValue % 1000 > 0 ? 1 : 0)))
    }

    func hurry(_ sequence: UInt64) { state.withLock { $0.work.hurry = max($0.work.hurry, sequence) } }
    func requestSweep() { state.withLock { $0.work.sweep = true } }
    func beginClosing() { state.withLock { $0.isClosing = true } }

    func acknowledge(_ all: some Collection<Acknowledgement>) {
        state.withLock { state in
            let taken = all.prefix(max(0, 65536 - state.work.acknowledgements.count))
            state.work.acknowledgements.append(contentsOf: taken)
            state.ignored += UInt64(all.count - taken.count)
        }
    }

    /// Queues a read, or answers it at once with why not.
    func request(_ read: Read) -> Bool {
        let limit = max(1, configuration.maximumWaiting)
        let refusal = state.withLock { state -> DeviceError? in
            if state.isClosing { return ProgressGate.closed }
            guard state.work.reads.count < limit else {
                return DeviceError(.limitExceeded, "\(limit) reads of the outbox already wait")
            }
            state.work.reads.append(read)
            return nil
        }
        if let refusal { read.answer(.failure(refusal)) }
        return refusal == nil
    }
}
