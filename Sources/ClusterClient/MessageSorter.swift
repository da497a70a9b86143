import NIOCore

/// Sorts the messages of a read by receiver, by the tables of the session that they came through.
struct MessageSorter {
    let receivers: [UInt32: [SubscriptionWish]]
    let topics: [UInt32: String]
    let subtopics: [UInt32: String]
    let session: UInt64
    var deliveries: [(SubscriptionWish, [SMQMessage])] = []
    var received: UInt64 = 0
    var unclaimed: UInt64 = 0

    init(
        receivers: [UInt32: [SubscriptionWish]], topics: [UInt32: String], subtopics: [UInt32: String], session: UInt64
    ) {
        self.receivers = receivers
        self.topics = topics
        self.subtopics = subtopics
        self.session = session
    }

    mutating func add(_ destination: UInt32, _ publisher: UInt32, _ subtopic: UInt32, _ payload: ByteBuffer) {
        received += 1
        guard let receivers = receivers[destination] else { return unclaimed += 1 }
        let message = SMQMessage(
            topic: topics[destination], subtopic: subtopic == 0 ? nil : subtopics[subtopic],
            publisher: SMQPeer(id: publisher, session: session), payload: payload)
        for receiver in receivers where receiver.wants(message.subtopic) {
            if let last = deliveries.indices.last, deliveries[last].0 === receiver {  // safe: the last index
                deliveries[last].1.append(message)  // safe: the last index
            } else {
                deliveries.append((receiver, [message]))
            }
        }
    }
}
