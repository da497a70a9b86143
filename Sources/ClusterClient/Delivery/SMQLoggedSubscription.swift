import DeviceCore
import Logging
public import Outbox

/// Logged messages of one topic, each handed on once, across reconnects and restarts.
///
/// It lasts as long as somebody holds it or reads from it, or until ``cancel()``.
public final class SMQLoggedSubscription: AsyncSequence, Sendable {
    private let subscription: SMQSubscription
    private let receiver: LoggedReceiver

    init(_ subscription: SMQSubscription, _ receiver: LoggedReceiver) {
        self.subscription = subscription
        self.receiver = receiver
    }

    /// Messages thrown away, and so withdrawn, oldest first, because nobody read them in time.
    public var dropped: UInt64 { receiver.stream.dropped }

    /// Ends the subscription and the sequence. What was not read is withdrawn.
    public func cancel() { subscription.cancel() }

    /// Reads the messages, and holds the subscription meanwhile.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let subscription: SMQLoggedSubscription
        var messages: BoundedStream<SMQLoggedMessage>.AsyncIterator

        /// The next message, or nil at the end.
        public mutating func next() async -> SMQLoggedMessage? { await messages.next() }
    }

    /// Reads the messages; several readers share them out.
    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(subscription: self, messages: receiver.stream.makeAsyncIterator())
    }
}

extension SMQClient {
    /// Receives `.log` messages of a topic: each is handed on once, and is to be completed once it was handled.
    ///
    /// A message of the topic without an envelope is handed on as it is, with no id; nothing is known of its copies.
    ///
    /// - Parameters:
    ///   - deduplicator: the memory of what was handled. Several clients may share one, for example a client for each
    ///     node of a cluster.
    ///   - limit: messages that may wait to be read; then the oldest are withdrawn, counted in `dropped`. A sender's
    ///     window (``SMQOutboxConfiguration/window``) for each sender and priority makes sure that none are.
    public func receiveLogged(
        from topic: String, subtopic: String? = nil, deduplicator: Deduplicator, limit: Int = 1_024
    ) -> SMQLoggedSubscription {
        // It tells of what slow readers lose.
        needDelivery()
        let receiver = LoggedReceiver(
            limit: limit, deduplicator: deduplicator, delivery: delivery, acknowledgements: acknowledgements)
        let subscription = addSubscription(
            topic: topic, subtopic: subtopic,
            sink: SubscriptionSink(
                receive: { receiver.receive($0) }, finish: { receiver.stream.finish() },
                cancel: { receiver.cancel() }))
        return SMQLoggedSubscription(subscription, receiver)
    }

    /// Handles `.log` messages of a topic one after the other, until the client's run or the task ends: a message is
    /// complete when `handle` returns, and withdrawn, so that an `.endToEnd` one comes again, when it throws.
    ///
    /// See ``receiveLogged(from:subtopic:deduplicator:limit:)``.
    public func handleLogged(
        from topic: String, subtopic: String? = nil, deduplicator: Deduplicator, limit: Int = 1_024,
        _ handle: @Sendable (SMQLoggedMessage) async throws -> Void
    ) async {
        let messages = receiveLogged(from: topic, subtopic: subtopic, deduplicator: deduplicator, limit: limit)
        for await message in messages {
            do {
                try await handle(message)
                message.complete()
            } catch {
                message.withdraw()
                logger.debug("a message was withdrawn", metadata: ["topic": "\(topic)", "reason": "\(error)"])
            }
        }
    }
}
