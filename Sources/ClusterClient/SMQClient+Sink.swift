import DeviceCore

extension SMQClient {
    /// Hands the messages of a topic, or with nil those to this client alone, to a closure, one call for each read: for
    /// programs of this package that run thousands of clients and have no task for each.
    ///
    /// - Parameter onMessages: called on the client's event loop; has to return at once.
    /// - Returns: what holds the subscription; nothing comes through its sequence.
    package func subscribe(
        to topic: String?, onMessages: @escaping @Sendable ([SMQMessage]) -> Void
    ) -> SMQSubscription {
        addSubscription(
            topic: topic, subtopic: nil,
            sink: SubscriptionSink(receive: onMessages, finish: {}, cancel: {}))
    }
}
