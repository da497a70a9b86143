import DeviceCore

/// A subscription as the client keeps it: made again in every session until its owner lets go.
final class SubscriptionWish: Sendable {
    let key: UInt64
    /// Nil for messages to this client alone.
    let topic: String?
    /// Nil for all.
    let subtopic: String?
    let stream: BoundedStream<SMQMessage>

    init(key: UInt64, topic: String?, subtopic: String?, limit: Int) {
        self.key = key
        self.topic = topic
        self.subtopic = subtopic
        stream = BoundedStream(limit: limit)
    }
}

/// An observation as the client keeps it.
final class ObservationWish: Sendable {
    let key: UInt64
    let target: SMQDestination
    let stream = BoundedStream<Int>(limit: 64)

    init(key: UInt64, target: SMQDestination) {
        self.key = key
        self.target = target
    }
}
