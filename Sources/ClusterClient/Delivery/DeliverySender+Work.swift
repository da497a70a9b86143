import DeviceCore
import NIOCore
import Outbox

/// A message as the session takes it.
struct OutgoingRecord: Sendable {
    var ticket: LogTicket
    var topic: String
    var subtopic: String?
    var payload: ByteBuffer
}

/// Messages for one session, in order.
struct OutgoingBatch: Sendable {
    var session: UInt64
    var records: [OutgoingRecord]
    /// The barrier to write after them, if one is needed.
    var barrier: UInt64?
}

// What the delivering task does, without what it waits for.
extension DeliverySender {
    /// A read that is to be made.
    struct Job: Sendable {
        var outbox: SMQOutbox
        var index: Int
        var read: LogSenderStateMachine.Read
    }

    /// `.latest` messages that are to be sent now.
    func takeLatest() -> OutgoingBatch? {
        state.withLock { state in
            guard let session = state.session else { return nil }
            let messages = state.latest.take(barrier: state.barrier + 1)
            guard !messages.isEmpty else { return nil }
            state.barrier += 1
            let records = messages.map { message in
                OutgoingRecord(
                    ticket: LogTicket(priority: nil, record: RecordID(epoch: 0, sequence: 0)), topic: message.topic,
                    subtopic: message.subtopic, payload: message.payload)
            }
            return OutgoingBatch(session: session, records: records, barrier: state.barrier)
        }
    }

    /// What is to be read now: of the highest priority that has something to send.
    func nextJob(now: MonotonicTime) -> Job? {
        state.withLock { state in
            guard state.session != nil, let outbox = state.outbox else { return nil }
            for index in state.logs.indices {
                if let read = state.logs[index].nextRead(now: now) {
                    return Job(outbox: outbox, index: index, read: read)
                }
            }
            return nil
        }
    }

    /// Makes messages of what was read.
    func take(_ entries: [OutboxEntry], for job: Job, now: MonotonicTime) -> OutgoingBatch? {
        var records: [LoggedRecord] = []
        var ids: [LogSenderStateMachine.Entry] = []
        var unreadable: [RecordID] = []
        for entry in entries {
            guard let record = LoggedRecord(decoding: entry.payload) else {
                unreadable.append(entry.id)
                continue
            }
            records.append(record)
            ids.append(
                LogSenderStateMachine.Entry(
                    id: entry.id, level: record.level, published: record.published, bytes: record.payload.count))
        }
        if !unreadable.isEmpty { job.outbox.logs[job.index].acknowledge(unreadable) }
        let priority = SMQPriority.allCases[job.index]  // safe: a job's index is a log's
        let (session, chosen, barrier) = state.withLock { state -> (UInt64?, [Int], UInt64) in
            state.counters[priority].damaged += UInt64(unreadable.count)
            state.barrier += 1
            let barrier = state.barrier
            var chosen: [Int] = []
            state.withLog(job.index) {
                chosen = $0.take(ids, of: job.read, through: entries.last?.id.sequence, barrier: barrier, now: now)
            }
            return (state.session, chosen, barrier)
        }
        guard let session, !chosen.isEmpty else { return nil }
        let source = job.outbox.sources[job.index]
        var batch = OutgoingBatch(session: session, records: [])
        batch.records.reserveCapacity(chosen.count)
        for offset in chosen {
            let (record, id) = (records[offset], ids[offset].id)  // safe: the machine chooses from what it was given
            if record.level == .broker { batch.barrier = barrier }
            let envelope = Envelope(
                id: MessageID(source: source, record: id), flags: record.level == .endToEnd ? .endToEnd : [])
            var payload = ByteBuffer()
            payload.reserveCapacity(Envelope.byteCount + record.payload.count)
            payload.writeBytes(envelope.encoded)
            payload.writeBytes(record.payload)
            batch.records.append(
                OutgoingRecord(
                    ticket: LogTicket(priority: priority, record: id), topic: record.topic, subtopic: record.subtopic,
                    payload: payload))
        }
        return batch
    }

    func readFailed(_ job: Job, now: MonotonicTime) {
        state.withLock { $0.withLog(job.index) { $0.readFailed(now: now) } }
    }

    /// When to look again, if nothing happens before.
    func nextTime(now: MonotonicTime) -> MonotonicTime {
        state.withLock { state in
            guard state.outbox != nil else { return .distantFuture }
            return state.logs.reduce(.distantFuture) { min($0, $1.nextTime(now: now)) }
        }
    }

    /// A copy of everything that is counted.
    var counters: SMQDeliveryCounters {
        state.withLock { state in
            var counters = state.counters
            counters.latestWaiting = state.latest.waiting
            counters.latestSent = state.latest.sent
            counters.latestReplaced = state.latest.replaced
            counters.latestDropped = state.latest.dropped
            guard let outbox = state.outbox else { return counters }
            for (index, priority) in SMQPriority.allCases.enumerated() {
                let log = outbox.logs[index].counters  // safe: one log and one machine for each priority
                let machine = state.logs[index]
                var one = counters[priority]
                one.published = log.appended
                one.rejected = log.rejected
                one.expired = log.expired
                one.dropped = log.dropped
                one.damaged += log.lost
                one.waiting = log.waiting
                one.bytes = log.bytes
                one.sent = machine.sent
                one.repeated = machine.repeated
                one.acknowledged = machine.acknowledged
                one.underWay = machine.underWay
                one.totalLatency = machine.totalLatency
                one.lastLatency = machine.lastLatency
                if log.waiting > 0, let oldest = machine.oldestPublished {
                    one.oldestAge = .milliseconds(max(0, outbox.now(index) - oldest))
                }
                counters[priority] = one
            }
            return counters
        }
    }
}
