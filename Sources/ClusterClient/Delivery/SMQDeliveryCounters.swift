/// What a client keeps and what happened to it. Counts are since the outbox was opened, or since the client was made.
public struct SMQDeliveryCounters: Sendable, Hashable {
    /// The `.log` messages of one priority.
    public struct Class: Sendable, Hashable {
        /// Messages taken into the log.
        public var published: UInt64 = 0
        /// Publishes refused, each with an error: byte cap, disk.
        public var rejected: UInt64 = 0
        /// Messages sent, repetitions included.
        public var sent: UInt64 = 0
        /// Messages sent that had been sent before: on a new session, or because nobody acknowledged them.
        public var repeated: UInt64 = 0
        /// Messages that were delivered, as their level defines it.
        public var acknowledged: UInt64 = 0
        /// Given up: the time to live has ended.
        public var expired: UInt64 = 0
        /// Given up: the byte cap was reached, and the policy is to drop the oldest.
        public var dropped: UInt64 = 0
        /// Given up: their bytes on the disk were damaged.
        public var damaged: UInt64 = 0
        /// Given up: the broker does not permit their topic.
        public var denied: UInt64 = 0

        /// Messages that wait to be delivered, those under way included.
        public var waiting: UInt64 = 0
        /// Bytes on the disk, as the byte cap counts them.
        public var bytes = 0
        /// Messages that were sent and not acknowledged.
        public var underWay = 0
        /// How long ago the oldest of those that wait was published.
        public var oldestAge: Duration?
        /// Time from the first transmission to the acknowledgement, of all acknowledged messages together.
        public var totalLatency = Duration.zero
        /// That of the last one.
        public var lastLatency: Duration?

        /// Makes counters that are all zero.
        public init() {}
    }

    /// `.log` messages of high priority.
    public var high = Class()
    /// `.log` messages of normal priority.
    public var normal = Class()
    /// `.log` messages of low priority.
    public var low = Class()

    /// `.latest` messages that no broker is known to have.
    public var latestWaiting = 0
    /// `.latest` messages sent.
    public var latestSent: UInt64 = 0
    /// `.latest` messages that a newer one of their key replaced before they were sent.
    public var latestReplaced: UInt64 = 0
    /// `.latest` messages given up: too many keys or bytes.
    public var latestDropped: UInt64 = 0
    /// `.latest` messages given up: the broker does not permit their topic.
    public var latestDenied: UInt64 = 0

    /// Logged messages handed to the program.
    public var received: UInt64 = 0
    /// Messages without an envelope on a topic of logged messages, handed on as plain ones.
    public var receivedPlain: UInt64 = 0
    /// Copies that were not handed on: handled before, or just being handled.
    public var duplicates: UInt64 = 0
    /// Messages that the program has completed.
    public var completed: UInt64 = 0
    /// Messages that the program has withdrawn, or let go without a word.
    public var withdrawn: UInt64 = 0
    /// Messages thrown away because their reader was too slow: more than a stream or the `Deduplicator` takes at a
    /// time. An `.endToEnd` one comes again, a `.broker` one is lost.
    public var droppedUnread: UInt64 = 0
    /// Acknowledgements sent to publishers.
    public var acknowledgementsSent: UInt64 = 0
    /// Acknowledgements that could not be sent: the session in which the message came is over, or too much waits. The
    /// sender repeats the message and gets another.
    public var acknowledgementsLost: UInt64 = 0
    /// Acknowledgements received of messages that were not under way: repeated, or not this client's.
    public var acknowledgementsIgnored: UInt64 = 0

    /// Makes counters that are all zero.
    public init() {}

    /// The counters of a priority.
    public internal(set) subscript(priority: SMQPriority) -> Class {
        get {
            switch priority {
            case .high: high
            case .normal: normal
            case .low: low
            }
        }
        set {
            switch priority {
            case .high: high = newValue
            case .normal: normal = newValue
            case .low: low = newValue
            }
        }
    }

    /// Messages given up for a reason.
    func given(up reason: SMQDropReason) -> UInt64 {
        switch reason {
        case .expired: high.expired + normal.expired + low.expired
        case .outboxFull: high.dropped + normal.dropped + low.dropped
        case .damaged: high.damaged + normal.damaged + low.damaged
        case .denied: high.denied + normal.denied + low.denied + latestDenied
        case .latestFull: latestDropped
        case .slowReader: droppedUnread
        }
    }
}
