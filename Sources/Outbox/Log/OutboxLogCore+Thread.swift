import DeviceCore

/// What the thread of an ``OutboxLog`` does each time it is woken.
extension OutboxLogCore {
    /// The files, and what the thread remembers between two steps.
    private final class Resource {
        let store: SegmentStore
        /// After a failure: not before this time, unless somebody asks or room was freed.
        var retryAt: MonotonicTime?
        /// Somebody waits until everything up to this sequence is durable.
        var hurry: UInt64 = 0
        init(_ store: SegmentStore) { self.store = store }
    }

    /// Opens the files on a thread of their own.
    func start(directory: String) async throws(DeviceError) -> (WorkerThread, OutboxRecovery) {
        let started = try await WorkerThread.start("outbox") { [self] () throws(DeviceError) in
            let store = try SegmentStore(directory: directory, epoch: epoch, configuration: configuration)
            state.withLock { $0.lastSequence = store.storedThrough }
            publish(store)
            store.startSync = { [self] flight in syncThread.withLock { $0 }?.start(flight) ?? false }
            return (Resource(store), store.recovery)
        } step: { [self] resource, isLast in
            step(resource, isLast: isLast)
        } ended: { [self] in
            gate.close()
        }
        // Nobody can wake the thread before this function returns.
        syncThread.withLock { $0 = SyncThread(log: started.0) }
        return started
    }

    private func step(_ resource: Resource, isLast: Bool) -> MonotonicTime? {
        let store = resource.store
        if isLast { beginClosing() }
        let work = takeWork()
        let segments = store.segments.count
        store.backlog.append(contentsOf: work.records)
        store.acknowledge(work.acknowledgements)
        if work.sweep { attempt(resource) { () throws(DeviceError) in try store.removeExpired() } }
        let isFreed = store.segments.count < segments
        if store.flight.map({ isLast || $0.isOver }) ?? false {
            attempt(resource) { () throws(DeviceError) in try store.takeSync() }
        }
        resource.hurry = max(resource.hurry, work.hurry)
        let isHurried = resource.hurry > store.durableThrough
        if isLast || isHurried || isFreed || resource.retryAt.map({ $0 <= .monotonicNow }) ?? true {
            resource.retryAt = nil
            attempt(resource) { () throws(DeviceError) in
                try store.writeBacklog()
                if isLast {
                    try finish(store)
                } else if isHurried || isCommitDue(store) || store.hasSyncFailed {
                    try store.beginSync()
                }
            }
        } else {
            publish(store)
        }
        if !work.reads.isEmpty {
            let answers = work.reads.map { answer($0, store) }
            // Before anybody goes on: what a read found expired is counted when its caller looks.
            publish(store)
            for (read, result) in zip(work.reads, answers) { read.answer(result) }
        }
        if isLast {
            store.flushAcknowledgements()
            try? store.acknowledgements.sync()
            syncThread.withLock { $0 }?.stop()
        }
        return nextStep(resource)
    }

    /// Makes everything durable, however many segments it takes.
    private func finish(_ store: SegmentStore) throws(DeviceError) {
        try store.sync()
        while !store.backlog.isEmpty {
            try store.writeBacklog()
            try store.sync()
        }
    }

    private func takeWork() -> Work {
        state.withLock { state in
            let work = state.work
            state.work = Work()
            state.heldRecords += work.records.count
            // Until the thread reports again, which can take as long as the disk.
            state.counters.waiting += UInt64(work.records.count)
            state.heldBytes += state.newPayloadBytes
            state.newPayloadBytes = 0
            return work
        }
    }

    private func isCommitDue(_ store: SegmentStore) -> Bool {
        guard let first = store.firstUnsynced else { return false }
        return store.unsynced.count >= configuration.commit.records
            || first + configuration.commit.interval <= .monotonicNow
    }

    private func nextStep(_ resource: Resource) -> MonotonicTime? {
        if let retryAt = resource.retryAt { return retryAt }
        // A sync's end wakes the thread.
        guard resource.store.flight == nil else { return nil }
        return resource.store.firstUnsynced.map { $0 + configuration.commit.interval }
    }

    /// Does something with the disk and reports how it went.
    private func attempt(_ resource: Resource, _ body: () throws(DeviceError) -> Void) {
        do {
            try body()
            // What the disk did not sync it may well write.
            if !resource.store.hasSyncFailed { state.withLock { $0.failure = nil } }
            publish(resource.store)
        } catch {
            resource.hurry = 0
            resource.retryAt = .monotonicNow + configuration.retryInterval
            resource.store.counters.failures += 1
            state.withLock { $0.failure = error }
            publish(resource.store, failure: error)
        }
    }

    private func answer(_ read: Read, _ store: SegmentStore) -> Result<[OutboxEntry], DeviceError> {
        do {
            return .success(try store.read(from: read.from, limit: read.limit, bytes: read.bytes))
        } catch {
            return .failure(error)
        }
    }

    /// Tells callers how far the files are.
    private func publish(_ store: SegmentStore, failure: DeviceError? = nil) {
        var counters = store.counters
        let last = store.backlog.last?.sequence ?? store.storedThrough
        counters.waiting = last - min(last, store.settled.count)
        counters.bytes = store.cost
        counters.segments = store.segments.count
        let records = store.backlog.count + store.unsynced.count
        let bytes =
            store.backlog.reduce(0) { $0 + $1.payload.count } + store.unsynced.reduce(0) { $0 + $1.payload.count }
        let segmentBytes = configuration.boundedSegmentBytes
        var plan = SpacePlan(
            cost: counters.bytes, tail: store.active == nil ? 0 : Int(clamping: store.segments.last?.bytes ?? 0))
        for record in store.backlog { plan = plan.adding(record.fileBytes, segmentBytes: segmentBytes) }
        let hasRoom = state.withLock { state in
            state.counters = counters
            state.heldRecords = records
            state.heldBytes = bytes
            for record in state.work.records { plan = plan.adding(record.fileBytes, segmentBytes: segmentBytes) }
            state.plan = plan
            return records + state.work.records.count < max(1, configuration.memoryRecords)
                && bytes + state.newPayloadBytes < configuration.memoryBytes
        }
        gate.advance(
            to: .init(stored: store.storedThrough, durable: store.durableThrough, hasRoom: hasRoom), failure: failure)
    }
}
