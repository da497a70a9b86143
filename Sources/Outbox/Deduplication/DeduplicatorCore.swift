import DeviceCore

/// What the callers and the thread of a ``Deduplicator`` share.
final class DeduplicatorCore: Sendable {
    struct State: Sendable {
        var memory: DeduplicatorState
        var handling: Set<MessageID> = []
        /// Completed, to be written; of no use once ``isOverflowing``.
        var unwritten: [MessageID] = []
        var isOverflowing = false
        /// How many were completed, ever; the thread writes up to a number of them.
        var completed: UInt64 = 0
        var hurry: UInt64 = 0
        var counters = DeduplicatorCounters()
        var failure: DeviceError?
    }

    /// The files, and what the thread remembers between two steps.
    private final class Resource {
        let store: DeduplicatorStore
        var durable: UInt64 = 0
        /// When the oldest unwritten message was first seen by the thread.
        var waitingSince: MonotonicTime?
        var retryAt: MonotonicTime?
        init(_ store: DeduplicatorStore) { self.store = store }
    }

    let limits: DeduplicatorLimits
    let state: Locked<State>
    let gate = ProgressGate(limit: 4096)

    init(limits: DeduplicatorLimits) {
        self.limits = limits
        state = Locked(State(memory: DeduplicatorState(streams: limits.streams)))
    }

    var counters: DeduplicatorCounters {
        state.withLock { state in
            var counters = state.counters
            counters.evicted = state.memory.evicted
            counters.streams = state.memory.count
            return counters
        }
    }

    // MARK: For callers

    func admit(_ id: MessageID) -> Verdict {
        state.withLock { state in
            let known = state.memory.lookUp(id)
            if known.isSeen {
                state.counters.duplicates += 1
                if known.isBelow { state.counters.belowWindow += 1 }
                return .duplicate
            }
            if state.handling.contains(id) {
                state.counters.copiesWhileHandled += 1
                return .deferred
            }
            guard state.handling.count < max(1, limits.handling) else {
                state.counters.deferred += 1
                return .refused
            }
            state.handling.insert(id)
            state.counters.new += 1
            return .new
        }
    }

    /// Returns whether the thread has something to do.
    func complete(_ id: MessageID) -> Bool {
        state.withLock { state in
            state.handling.remove(id)
            guard state.memory.insert(id) else { return false }
            state.completed += 1
            if state.unwritten.count < max(1, limits.unwritten), !state.isOverflowing {
                state.unwritten.append(id)
            } else {
                state.unwritten = []
                state.isOverflowing = true
            }
            // The first starts the thread's time; then it looks again when it is time or a group is full.
            return state.unwritten.count <= 1 || state.unwritten.count == limits.commit.records || state.isOverflowing
        }
    }

    func withdraw(_ id: MessageID) { state.withLock { _ = $0.handling.remove(id) } }

    func hurry() -> UInt64 {
        state.withLock { state in
            state.hurry = state.completed
            return state.completed
        }
    }

    // MARK: The thread

    func start(directory: String) async throws(DeviceError) -> WorkerThread {
        let (worker, _) = try await WorkerThread.start("deduplicator") { [self] () throws(DeviceError) in
            var memory = DeduplicatorState(streams: limits.streams)
            let store = try DeduplicatorStore(directory: directory, state: &memory, calls: limits.calls)
            let found = memory
            state.withLock { state in
                state.memory = found
                state.counters.damaged = store.damaged
            }
            return (Resource(store), ())
        } step: { [self] resource, isLast in
            step(resource, isLast: isLast)
        } ended: { [self] in
            gate.close()
        }
        return worker
    }

    private func step(_ resource: Resource, isLast: Bool) -> MonotonicTime? {
        let now = MonotonicTime.monotonicNow
        let (waiting, hurry) = state.withLock { ($0.completed - resource.durable, $0.hurry) }
        guard waiting > 0 else { return nil }
        let since = resource.waitingSince ?? now
        resource.waitingSince = since
        let isHurried = hurry > resource.durable
        let due = resource.retryAt ?? (since + limits.commit.interval)
        let isFull = resource.retryAt == nil && waiting >= UInt64(limits.commit.records)
        guard isLast || isHurried || isFull || due <= now else { return due }
        do {
            resource.durable = try write(resource.store)
            resource.waitingSince = nil
            resource.retryAt = nil
            state.withLock { $0.failure = nil }
            gate.advance(to: .init(stored: resource.durable, durable: resource.durable))
            return nil
        } catch {
            let retryAt = MonotonicTime.monotonicNow + limits.retryInterval
            resource.retryAt = retryAt
            state.withLock { state in
                state.failure = error
                state.counters.failures += 1
                state.hurry = 0
            }
            gate.advance(to: .init(stored: resource.durable, durable: resource.durable), failure: error)
            return retryAt
        }
    }

    /// Brings what was completed to the disk; returns up to which number.
    private func write(_ store: DeduplicatorStore) throws(DeviceError) -> UInt64 {
        let isJournalFull = store.journalBytes >= Int64(limits.journalBytes)
        let needsSnapshot = store.needsSnapshot
        let (completed, messages, snapshot) = state.withLock { state -> (UInt64, [MessageID], DeduplicatorState?) in
            let messages = state.unwritten
            let isSnapshot = isJournalFull || needsSnapshot || state.isOverflowing
            state.unwritten = []
            state.isOverflowing = false
            return (state.completed, messages, isSnapshot ? state.memory : nil)
        }
        if let snapshot { try store.write(snapshot) } else { try store.append(messages) }
        return completed
    }
}
