import DeviceCore

/// A subscription as the client keeps it: made again in every session until its owner lets go.
final class SubscriptionWish: Sendable {
    let key: UInt64
    /// Nil for messages to this client alone.
    let topic: String?
    /// Nil for all.
    let subtopic: String?
    let stream: BoundedStream<SMQMessage>
    private let sink: SubscriptionSink?

    init(key: UInt64, topic: String?, subtopic: String?, limit: Int, sink: SubscriptionSink? = nil) {
        self.key = key
        self.topic = topic
        self.subtopic = subtopic
        self.sink = sink
        stream = BoundedStream(limit: limit)
    }

    func deliver(_ messages: [SMQMessage]) {
        if let sink { sink.receive(messages) } else { stream.send(contentsOf: messages) }
    }

    func finish() {
        stream.finish()
        sink?.finish()
    }

    func cancel() {
        stream.finish()
        sink?.cancel()
    }

    /// Whether a message with that sub-topic is meant. The acknowledgements of receivers are for who asks for them.
    func wants(_ messageSubtopic: String?) -> Bool {
        if let subtopic { return subtopic == messageSubtopic }
        return topic != nil || messageSubtopic != AcknowledgementMessage.subtopic
    }
}

/// Takes messages on the event loop, one call for each read, instead of a stream.
struct SubscriptionSink: Sendable {
    var receive: @Sendable ([SMQMessage]) -> Void
    /// No more messages come.
    var finish: @Sendable () -> Void
    /// Nor is anybody left to read those that came.
    var cancel: @Sendable () -> Void
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
