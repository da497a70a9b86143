import DeviceCore
import Outbox

/// A logged message that is on its way to the session: which record of which log.
struct LogTicket: Sendable, Equatable {
    /// Nil for a `.latest` message.
    var priority: SMQPriority?
    var record: RecordID
}

/// What a client delivers: the state that its publishers, its sessions and its delivering task share.
///
/// Nothing in here waits or does I/O. The task is `SMQClient.deliver()`.
final class DeliverySender: Sendable {
    struct State {
        /// The session that messages are sent in now.
        var session: UInt64?
        var outbox: SMQOutbox?
        /// By ``SMQPriority/index``.
        var logs: [LogSenderStateMachine] = []
        var latest = LatestSender()
        /// Barriers are numbered across sessions and priorities.
        var barrier: UInt64 = 0
        /// What is not in the machines: denied, damaged, and all of the receiving side.
        var counters = SMQDeliveryCounters()
        /// How often the delivering task was woken.
        var rounds: UInt64 = 0
    }

    /// On the heap, because most clients have none.
    private let boxedConfiguration: [SMQOutboxConfiguration]
    var configuration: SMQOutboxConfiguration? { boxedConfiguration.first }
    let state = Locked(State())
    /// Wakes the delivering task.
    let wake = BoundedStream<Void>(limit: 1)
    private let opening = Locked<Task<Result<SMQOutbox, DeviceError>, Never>?>(nil)

    init(_ configuration: SMQOutboxConfiguration?) { boxedConfiguration = configuration.map { [$0] } ?? [] }

    private var limits: LogSenderStateMachine.Limits {
        var limits = LogSenderStateMachine.Limits()
        guard let configuration else { return limits }
        limits.window = min(max(1, configuration.window), 1000)
        limits.windowBytes = max(1, configuration.windowBytes)
        limits.repeatAfter = max(.milliseconds(1), configuration.repeatAfter)
        limits.firstRepeat = max(.milliseconds(1), configuration.firstRepeat)
        limits.repeatCap = max(limits.repeatAfter, configuration.repeatCap)
        limits.retryInterval = max(.milliseconds(1), configuration.retryInterval)
        return limits
    }

    // MARK: The outbox

    /// Whether there is an outbox, and it is not open.
    var isToBeOpened: Bool { configuration != nil && state.withLock { $0.outbox == nil } }
    /// How long to wait after a failure to open it.
    var retryInterval: Duration { limits.retryInterval }

    /// The open outbox; opens it where it is not.
    func open() async throws(DeviceError) -> SMQOutbox {
        guard let configuration else {
            throw DeviceError(
                .configuration, "the client has no outbox to keep messages in",
                hint: "Set SMQClientConfiguration.outbox, or publish with another delivery")
        }
        let task = opening.withLock { opening in
            if let opening { return opening }
            let task = Task { () -> Result<SMQOutbox, DeviceError> in
                do throws(DeviceError) {
                    let outbox = try await SMQOutbox.open(configuration)
                    await self.began(outbox)
                    return .success(outbox)
                } catch {
                    return .failure(error)
                }
            }
            opening = task
            return task
        }
        switch await task.value {
        case .success(let outbox): return outbox
        case .failure(let error):
            // The next who needs it tries again.
            opening.withLock { opening in if opening == task { opening = nil } }
            throw error
        }
    }

    private func began(_ outbox: SMQOutbox) async {
        var oldest: [Int64?] = []
        for log in outbox.logs {
            let first = try? await log.read(limit: 1).first
            oldest.append(first.flatMap { LoggedRecord(decoding: $0.payload) }?.published)
        }
        let times = oldest
        state.withLock { state in
            state.logs = times.map { oldest in
                var machine = LogSenderStateMachine(limits: limits)
                if let oldest { machine.stored(published: oldest) }
                if state.session != nil { machine.sessionOpened() }
                return machine
            }
            state.outbox = outbox
        }
        wake.send(())
    }

    /// Makes everything durable and lets the outbox go.
    func close() async throws {
        let task = opening.withLock { opening in
            defer { opening = nil }
            return opening
        }
        guard let task, case .success(let outbox) = await task.value else { return }
        state.withLock { $0.outbox = nil }
        try await outbox.close()
    }

    // MARK: What publishers and sessions tell

    func stored(_ priority: SMQPriority, published: Int64) {
        state.withLock { $0.withLog(priority.index) { $0.stored(published: published) } }
        wake.send(())
    }

    func put(_ message: LatestMessage, for key: String) {
        state.withLock { $0.latest.put(message, for: key) }
        wake.send(())
    }

    func sessionOpened(_ session: UInt64) {
        state.withLock { state in
            state.session = session
            state.latest.restart()
            for index in state.logs.indices { state.logs[index].sessionOpened() }
        }
        wake.send(())
    }

    /// Of a session that another has replaced it is not heard any more.
    func sessionEnded(_ session: UInt64) {
        state.withLock { state in
            guard state.session == session else { return }
            state.session = nil
            state.latest.restart()
            for index in state.logs.indices { state.logs[index].sessionEnded() }
        }
        wake.send(())
    }

    /// The broker of a session has handled all that was sent before a barrier.
    func passed(barrier: UInt64, session: UInt64, now: MonotonicTime) {
        let (outbox, ended, hasLatest) = state.withLock { state -> (SMQOutbox?, [[RecordID]], Bool) in
            guard state.session == session else { return (nil, [], false) }
            let hasLatest = state.latest.passed(barrier: barrier)
            let ended = state.logs.indices.map { state.logs[$0].passed(barrier: barrier, now: now) }
            return (state.outbox, ended, hasLatest)
        }
        acknowledge(ended, outbox)
        // They may have waited for what was under way.
        if hasLatest { wake.send(()) }
    }

    /// A receiver says that messages were completed.
    func acknowledged(_ ids: [MessageID], now: MonotonicTime) {
        let (outbox, ended) = state.withLock { state -> (SMQOutbox?, [[RecordID]]) in
            guard let outbox = state.outbox else { return (nil, []) }
            let ended = state.logs.indices.map { index in
                let own = ids.filter { $0.source == outbox.sources[index] }  // safe: one source for each log
                return own.isEmpty ? [] : state.logs[index].acknowledge(own.map(\.record), now: now)
            }
            state.counters.acknowledgementsIgnored += UInt64(ids.count - ended.reduce(0) { $0 + $1.count })
            return (outbox, ended)
        }
        acknowledge(ended, outbox)
    }

    /// The broker does not permit the names of these messages.
    func denied(_ tickets: [LogTicket]) {
        guard !tickets.isEmpty else { return }
        let (outbox, ended) = state.withLock { state -> (SMQOutbox?, [[RecordID]]) in
            state.counters.latestDenied += UInt64(tickets.count { $0.priority == nil })
            let ended = SMQPriority.allCases.map { priority in
                let records = tickets.filter { $0.priority == priority }.map(\.record)
                var ended: [RecordID] = []
                state.withLog(priority.index) { ended = $0.giveUp(records) }
                state.counters[priority].denied += UInt64(ended.count)
                return ended
            }
            return (state.outbox, ended)
        }
        acknowledge(ended, outbox)
    }

    private func acknowledge(_ ended: [[RecordID]], _ outbox: SMQOutbox?) {
        guard let outbox else { return }
        var isAny = false
        for (log, records) in zip(outbox.logs, ended) where !records.isEmpty {
            log.acknowledge(records)
            isAny = true
        }
        // The window may have room again.
        if isAny { wake.send(()) }
    }
}

extension DeliverySender.State {
    /// Does nothing while the outbox is not open.
    mutating func withLog(_ index: Int, _ body: (inout LogSenderStateMachine) -> Void) {
        if logs.indices.contains(index) { body(&logs[index]) }
    }
}
