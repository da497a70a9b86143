import DeviceCore
import DeviceProtocols
import NIOCore

/// What a session has to tell those who deliver.
struct DeliveryEffects {
    /// Of which session it speaks.
    var session: UInt64 = 0
    /// The session that is over.
    var ended: UInt64?
    /// The newest barrier that the broker has passed.
    var passed: UInt64?
    /// Messages whose names the broker does not permit.
    var denied: [LogTicket] = []
}

// Kept messages on their way through a session.
extension SMQSessionState {
    /// Writes messages and their barrier, or lets them wait for the ids of their names, in order. Their number is
    /// bounded by who sends them.
    ///
    /// - Returns: those that the broker is known not to permit. Where the session is over it does nothing.
    mutating func publish(_ batch: OutgoingBatch) -> [LogTicket] {
        guard isOpen, session == batch.session else { return [] }
        var denied: [LogTicket] = []
        for record in batch.records {
            let message = Pending(
                destination: .topic(record.topic), subtopic: record.subtopic, payload: record.payload,
                ticket: record.ticket)
            do throws(DeviceError) {
                try check(message)
                if pending.isEmpty, try write(message) { continue }
                wait(message)
            } catch {
                denied.append(record.ticket)
            }
        }
        if let barrier = batch.barrier {
            if pending.isEmpty {
                writeBarrier(barrier)
            } else {
                wait(Pending(destination: .topic(""), subtopic: nil, payload: ByteBuffer(), barrier: barrier))
            }
        }
        return denied
    }

    /// A broker handles a connection's frames in order, so the answer to a ping says that it has handled those before
    /// (measured with the vendor's broker: 200 rounds of 50 publishes).
    mutating func writeBarrier(_ barrier: UInt64) {
        guard let ping = machine?.ping() else { return }
        barriers.append((ping, barrier))
    }

    mutating func passed(ping: UInt64, into effects: inout DeliveryEffects) {
        let count = barriers.prefix { $0.ping <= ping }.count
        guard count > 0 else { return }
        effects.passed = barriers[count - 1].barrier
        barriers.removeFirst(count)
    }
}

extension SMQClient {
    /// Receivers' acknowledgements come to this client alone. The wish lasts as long as the client.
    func prepareDelivery() {
        acknowledgements.connect { [weak self] (payload, peer) throws(DeviceError) in
            guard let self else { throw DeviceError(.closed, "the client is gone") }
            try publishNow(payload, to: .peer(peer), subtopic: AcknowledgementMessage.subtopic)
        }
        guard configuration.outbox != nil else { return }
        needDelivery()
        let sink = SubscriptionSink(
            receive: { [delivery] messages in
                let ids = messages.flatMap { AcknowledgementMessage.decode($0.payload) }
                delivery.acknowledged(ids, now: ClusterKeeper.now)
            }, finish: {}, cancel: {})
        state.withLock { state in
            let wish = SubscriptionWish(
                key: state.nextKey, topic: nil, subtopic: AcknowledgementMessage.subtopic, limit: 1, sink: sink)
            state.nextKey += 1
            state.subscriptions[wish.key] = wish
        }
    }

    func perform(_ effects: DeliveryEffects) {
        // In this order: what was denied is not done by the barrier behind it.
        delivery.denied(effects.denied)
        if let barrier = effects.passed {
            delivery.passed(barrier: barrier, session: effects.session, now: ClusterKeeper.now)
        }
        if let session = effects.ended { delivery.sessionEnded(session) }
    }
}
