public import DeviceCore

/// Messages of one topic, in order, across reconnects: the client subscribes again on each new session.
///
/// What is sent while the client is between two sessions is not received: SMQ keeps nothing.
public final class SMQSubscription: AsyncSequence, Sendable {
    /// A message.
    public typealias Element = SMQMessage

    let stream: BoundedStream<SMQMessage>
    let key: UInt64
    /// The topic's name; nil for messages to this client alone.
    public let topic: String?
    /// Only this sub-topic; nil for all.
    public let subtopic: String?
    private let onCancel: @Sendable (SMQSubscription) -> Void

    init(
        key: UInt64, topic: String?, subtopic: String?, limit: Int,
        onCancel: @escaping @Sendable (SMQSubscription) -> Void
    ) {
        self.key = key
        self.topic = topic
        self.subtopic = subtopic
        stream = BoundedStream(limit: limit)
        self.onCancel = onCancel
    }

    /// Messages that were thrown away, oldest first, because nobody read them in time.
    public var dropped: UInt64 { stream.dropped }

    /// Ends the subscription and the sequence.
    public func cancel() {
        onCancel(self)
        stream.finish()
    }

    /// Reads the messages.
    public func makeAsyncIterator() -> BoundedStream<SMQMessage>.AsyncIterator { stream.makeAsyncIterator() }
}

/// The number of subscribers of a topic, or 0 once when a peer has gone; a value for each change.
///
/// Across reconnects a topic is observed anew; a peer's observation ends with its session.
public final class SMQObservation: AsyncSequence, Sendable {
    /// A number of subscribers.
    public typealias Element = Int

    let stream = BoundedStream<Int>(limit: 64)
    let key: UInt64
    let target: SMQDestination
    private let onCancel: @Sendable (SMQObservation) -> Void

    init(key: UInt64, target: SMQDestination, onCancel: @escaping @Sendable (SMQObservation) -> Void) {
        self.key = key
        self.target = target
        self.onCancel = onCancel
    }

    /// Ends the sequence. The broker is not told: Unobserve makes the vendor's broker forget the topic's subscribers.
    public func cancel() {
        onCancel(self)
        stream.finish()
    }

    /// Reads the numbers.
    public func makeAsyncIterator() -> BoundedStream<Int>.AsyncIterator { stream.makeAsyncIterator() }
}
