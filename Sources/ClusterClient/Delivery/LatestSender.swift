import NIOCore
import Outbox

/// A `.latest` message and where it goes.
struct LatestMessage: Sendable {
    var topic: String
    var subtopic: String?
    var payload: ByteBuffer
}

/// The newest message of each key, until a broker has it.
struct LatestSender {
    private var store: LatestStore<LatestMessage>
    /// Sent in this session, and before which barrier.
    private var underWay: [String: (message: LatestMessage, barrier: UInt64)] = [:]
    private(set) var sent: UInt64 = 0

    init(maximumKeys: Int = 256, maximumBytes: Int = 1 << 20) {
        store = LatestStore(maximumKeys: maximumKeys, maximumBytes: maximumBytes)
    }

    /// Messages that no broker is known to have.
    var waiting: Int { store.count + underWay.count }
    var replaced: UInt64 { store.replaced }
    var dropped: UInt64 { store.dropped }

    mutating func put(_ message: LatestMessage, for key: String) {
        store.put(message, bytes: message.payload.readableBytes, for: key)
    }

    /// Takes everything that is to be sent before a barrier, or nothing while as much is under way as may be kept.
    mutating func take(barrier: UInt64) -> [LatestMessage] {
        guard store.count > 0, underWay.count < store.maximumKeys else { return [] }
        let all = store.takeAll()
        for (key, message) in all { underWay[key] = (message, barrier) }
        sent += UInt64(all.count)
        return all.map(\.message)
    }

    /// The broker has handled what was sent before a barrier. Returns whether something waits to be sent.
    mutating func passed(barrier: UInt64) -> Bool {
        underWay = underWay.filter { $0.value.barrier > barrier }
        return store.count > 0
    }

    /// A session begins or ends: what was under way is to be sent again, where nothing newer is.
    mutating func restart() {
        let newer = store.takeAll()
        for (key, _) in newer { underWay[key] = nil }
        for (key, sent) in underWay.sorted(by: { $0.value.barrier < $1.value.barrier }) { put(sent.message, for: key) }
        underWay = [:]
        for (key, message) in newer { put(message, for: key) }
    }
}
