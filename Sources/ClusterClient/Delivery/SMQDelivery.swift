/// What a client does for a message beside sending it. `docs/delivery.md` says what each promises.
public enum SMQDelivery: Hashable, Sendable {
    /// Sent now or an error now. For commands: a stale one must never come later.
    case live
    /// The newest of each key is kept until a broker has it, in memory: a state, a temperature.
    ///
    /// Between sessions a newer one replaces it; each session begins with what is left, after the announcements.
    case latest(key: String)
    /// Kept on disk until it was delivered, or until its time to live ends. Needs
    /// ``SMQClientConfiguration/outbox``.
    ///
    /// - Parameters:
    ///   - level: what counts as delivered.
    ///   - timeToLive: nil for that of the outbox's configuration. Counted in whole seconds, rounded up.
    ///   - priority: each class has a log of its own; a higher one goes first.
    ///   - isDurable: publishing returns when the message is on the disk. Without it, it returns at once, and the
    ///     message gets there with others, by default within 50 ms.
    case log(
        level: SMQDeliveryLevel = .endToEnd, timeToLive: Duration? = nil, priority: SMQPriority = .normal,
        isDurable: Bool = false)
}

/// What counts as delivered.
public enum SMQDeliveryLevel: String, Hashable, Sendable, CaseIterable {
    /// The broker has handled the message: a ping that was sent after it was answered.
    case broker
    /// A receiver's program has completed the message, and its SDK has said so to the sender.
    case endToEnd
}

/// Which messages of an outbox go first.
public enum SMQPriority: String, Hashable, Sendable, CaseIterable {
    /// Before all others.
    case high
    /// The usual.
    case normal
    /// When nothing else waits.
    case low

    /// Its place in tables, from 0.
    var index: Int {
        switch self {
        case .high: 0
        case .normal: 1
        case .low: 2
        }
    }
}

/// Why kept messages were given up.
public enum SMQDropReason: String, Hashable, Sendable, CaseIterable {
    /// Their time to live has ended.
    case expired
    /// The outbox was full and its policy is to drop the oldest.
    case outboxFull
    /// Their bytes on the disk were damaged.
    case damaged
    /// The broker does not permit their topic or sub-topic.
    case denied
    /// More keys of `.latest` than are kept, or a message too large for them.
    case latestFull
    /// The reader of a stream of logged messages was too slow. An `.endToEnd` one comes again.
    case slowReader
}
