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
    private let send: Locked<(@Sendable (ByteBuffer, SMQPeer) throws(DeviceError) -> Void)?>

    init(eventLoop: any EventLoop, delivery: DeliverySender) {
        self.eventLoop = eventLoop
        self.delivery = delivery
        send = Locked(nil)
    }

    /// How a message goes to a peer; nothing is sent before.
    func connect(_ send: @escaping @Sendable (ByteBuffer, SMQPeer) throws(DeviceError) -> Void) {
        self.send.withLock { $0 = send }
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
        guard let send = send.withLock({ $0 }) else { return }
        for (peer, ids) in ids {
            var (sent, lost) = (UInt64(0), UInt64(0))
            for (message, count) in AcknowledgementMessage.encode(ids) {
                do throws(DeviceError) {
                    try send(message, peer)
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
