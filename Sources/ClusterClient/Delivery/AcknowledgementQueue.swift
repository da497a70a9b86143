import DeviceCore
import NIOCore
import Outbox

/// Acknowledgements that are to be sent, gathered until the event loop gets there: one message for each publisher and
/// read, or for what a program has completed meanwhile.
final class AcknowledgementQueue: Sendable {
    private struct State {
        var ids: [SMQPeer: [MessageID]] = [:]
        var count = 0
    }

    /// What waits at most; the rest is lost and counted, and comes again with the sender's repetition.
    static let limit = 65_536
    private let state = Locked(State())
    private let eventLoop: any EventLoop
    private let delivery: DeliverySender
    /// A closure in a struct: one that stands in a generic type by itself gets another wrapper each time it is read there,
    /// and after some ten thousand calls no stack is deep enough for them.
    private struct Way {
        let send: @Sendable (ByteBuffer, SMQPeer) throws(DeviceError) -> Void
    }
    private let way = Locked<Way?>(nil)

    init(eventLoop: any EventLoop, delivery: DeliverySender) {
        self.eventLoop = eventLoop
        self.delivery = delivery
    }

    /// How a message goes to a peer; nothing is sent before.
    func connect(_ send: @escaping @Sendable (ByteBuffer, SMQPeer) throws(DeviceError) -> Void) {
        way.withLock { $0 = Way(send: send) }
    }

    func add(_ new: [(SMQPeer, MessageID)]) {
        guard !new.isEmpty else { return }
        let (isFirst, lost) = state.withLock { state in
            let isFirst = state.count == 0
            let taken = new.prefix(Self.limit - state.count)
            for (peer, id) in taken { state.ids[peer, default: []].append(id) }
            state.count += taken.count
            return (isFirst, new.count - taken.count)
        }
        if lost > 0 { delivery.count { $0.acknowledgementsLost += UInt64(lost) } }
        if isFirst { eventLoop.execute { self.flush() } }
    }

    private func flush() {
        let ids = state.withLock { state in
            defer { state = State() }
            return state.ids
        }
        guard let way = way.withLock({ $0 }) else { return }
        for (peer, ids) in ids {
            var (sent, lost) = (UInt64(0), UInt64(0))
            for (message, count) in AcknowledgementMessage.encode(ids) {
                do throws(DeviceError) {
                    try way.send(message, peer)
                    sent += UInt64(count)
                } catch {
                    lost += UInt64(count)
                }
            }
            delivery.count { counters in
                counters.acknowledgementsSent += sent
                counters.acknowledgementsLost += lost
            }
        }
    }
}
