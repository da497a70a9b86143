import DeviceCore

/// Messages of one topic, in order, across reconnects: the client subscribes again on each new session.
///
/// It lasts as long as somebody holds it or reads from it, or until ``cancel()``. What is sent while the client is
/// between two sessions is not received: SMQ keeps nothing.
public final class SMQSubscription: AsyncSequence, Sendable {
    private let wish: SubscriptionWish
    private let onCancel: @Sendable (SubscriptionWish) -> Void

    init(_ wish: SubscriptionWish, onCancel: @escaping @Sendable (SubscriptionWish) -> Void) {
        self.wish = wish
        self.onCancel = onCancel
    }

    deinit { cancel() }

    /// The topic's name; nil for messages to this client alone.
    public var topic: String? { wish.topic }
    /// Only this sub-topic; nil for all.
    public var subtopic: String? { wish.subtopic }
    /// Messages that were thrown away, oldest first, because nobody read them in time.
    public var dropped: UInt64 { wish.stream.dropped }

    /// Ends the subscription and the sequence.
    public func cancel() {
        onCancel(wish)
        wish.cancel()
    }

    /// Reads the messages, and holds the subscription meanwhile.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let subscription: SMQSubscription
        var messages: BoundedStream<SMQMessage>.AsyncIterator

        /// The next message, or nil at the end.
        public mutating func next() async -> SMQMessage? { await messages.next() }
    }

    /// Reads the messages; several readers share them out.
    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(subscription: self, messages: wish.stream.makeAsyncIterator())
    }
}

/// The number of subscribers of a topic, or 0 once when a peer has gone; a value for each change.
///
/// Across reconnects a topic is observed anew; a peer's observation ends with its session. It lasts as long as somebody
/// holds it or reads from it, or until ``cancel()``.
public final class SMQObservation: AsyncSequence, Sendable {
    private let wish: ObservationWish
    private let onCancel: @Sendable (ObservationWish) -> Void

    init(_ wish: ObservationWish, onCancel: @escaping @Sendable (ObservationWish) -> Void) {
        self.wish = wish
        self.onCancel = onCancel
    }

    deinit { cancel() }

    /// Ends the sequence. The broker is not told: Unobserve makes the vendor's broker forget the topic's subscribers.
    public func cancel() {
        onCancel(wish)
        wish.stream.finish()
    }

    /// Reads the numbers, and holds the observation meanwhile.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let observation: SMQObservation
        var counts: BoundedStream<Int>.AsyncIterator

        /// The next number, or nil at the end.
        public mutating func next() async -> Int? { await counts.next() }
    }

    /// Reads the numbers; several readers share them out.
    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(observation: self, counts: wish.stream.makeAsyncIterator())
    }
}
