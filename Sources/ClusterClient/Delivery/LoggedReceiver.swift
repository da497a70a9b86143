import DeviceCore
import NIOCore
import Outbox

/// Sorts out, for one subscription, what was handled before.
final class LoggedReceiver: Sendable {
    let stream: BoundedStream<SMQLoggedMessage>
    private let deduplicator: Deduplicator
    private let delivery: DeliverySender
    private let acknowledgements: AcknowledgementQueue

    init(
        limit: Int, deduplicator: Deduplicator, delivery: DeliverySender, acknowledgements: AcknowledgementQueue
    ) {
        stream = BoundedStream(limit: limit)
        self.deduplicator = deduplicator
        self.delivery = delivery
        self.acknowledgements = acknowledgements
    }

    /// Takes the messages of one read.
    func receive(_ messages: [SMQMessage]) {
        var new: [SMQLoggedMessage] = []
        new.reserveCapacity(messages.count)
        var again: [(SMQPeer, MessageID)] = []
        var (plain, duplicates, refused) = (UInt64(0), UInt64(0), UInt64(0))
        for message in messages {
            guard let envelope = Envelope(decoding: message.payload.readableBytesView.prefix(Envelope.byteCount)) else {
                plain += 1
                new.append(SMQLoggedMessage(message: message, id: nil, completion: nil))
                continue
            }
            let wantsWord = envelope.flags.contains(.endToEnd)
            switch deduplicator.admit(envelope.id) {
            case .new:
                var message = message
                message.payload.moveReaderIndex(forwardBy: Envelope.byteCount)
                let completion = LoggedCompletion(
                    envelope.id, acknowledgeTo: wantsWord ? message.publisher : nil, receiver: self)
                new.append(SMQLoggedMessage(message: message, id: envelope.id, completion: completion))
            case .duplicate:
                duplicates += 1
                if wantsWord { again.append((message.publisher, envelope.id)) }
            case .deferred: duplicates += 1
            // The program handles more than it may: as if nobody had read it in time.
            case .refused: refused += 1
            }
        }
        let before = stream.dropped
        stream.send(contentsOf: new)
        let dropped = stream.dropped - before + refused
        delivery.count { counters in
            counters.received += UInt64(new.count)
            counters.receivedPlain += plain
            counters.duplicates += duplicates
            counters.droppedUnread += dropped
        }
        if dropped > 0 { delivery.wake.send(()) }
        acknowledgements.add(again)
    }

    /// Ends the stream. What nobody has read is withdrawn, by letting it go.
    func cancel() {
        stream.finish()
        _ = stream.takeAll()
    }

    func end(_ id: MessageID, isCompleted: Bool, acknowledgeTo peer: SMQPeer?) {
        if isCompleted { deduplicator.complete(id) } else { deduplicator.withdraw(id) }
        delivery.count { counters in
            if isCompleted { counters.completed += 1 } else { counters.withdrawn += 1 }
        }
        if isCompleted, let peer { acknowledgements.add([(peer, id)]) }
    }
}

extension DeliverySender {
    func count(_ body: (inout SMQDeliveryCounters) -> Void) { state.withLock { body(&$0.counters) } }
}
