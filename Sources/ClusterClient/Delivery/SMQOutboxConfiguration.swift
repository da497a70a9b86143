public import Outbox

/// Where a client keeps messages until they are delivered, and how it sends them.
public struct SMQOutboxConfiguration: Sendable {
    /// A directory of this client alone, for example `$STATE_DIRECTORY/outbox`; made where it is missing. Each priority
    /// has a directory in it. Who removes it removes messages that wait.
    public var directory: String
    /// Limits and times of the log of `.high`: byte cap, what happens there, time to live, group commit.
    public var high = OutboxConfiguration()
    /// Those of `.normal`.
    public var normal = OutboxConfiguration()
    /// Those of `.low`.
    public var low = OutboxConfiguration()

    /// How far the numbers of messages under way may spread, in each priority; from 1 to 1000.
    ///
    /// It must stay under a receiver's 1024 (``DeduplicatorLimits/windowSize``), so larger numbers count as 1000.
    public var window = 256
    /// Their payload bytes, about; at least one message is under way however large it is.
    public var windowBytes = 1 << 20
    /// As ``repeatAfter``, in a session in which nothing has been acknowledged yet: a sender is often back before its
    /// receivers, and what it sends then reaches nobody.
    public var firstRepeat = Duration.milliseconds(100)
    /// An `.endToEnd` message that nobody acknowledges is sent again after this time.
    public var repeatAfter = Duration.seconds(1)
    /// The time doubles with each repetition up to this.
    public var repeatCap = Duration.seconds(30)
    /// How long after a failure the directory is opened, or a log read, again.
    public var retryInterval = Duration.seconds(5)

    /// The defaults: 64 MiB for each priority, then publishing is refused.
    public init(directory: String) { self.directory = directory }

    /// The limits of a priority's log.
    public subscript(priority: SMQPriority) -> OutboxConfiguration {
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
}
