/// Times and bounds of a resolver.
public struct ResolverLimits: Hashable, Sendable {
    /// A lookup that has no answer by then fails.
    public var deadline: Duration = .seconds(3)
    /// Who has an older answer waits only so long for a new one before being given the older one.
    public var staleWait: Duration = .milliseconds(250)
    /// Once one address is known, the other questions (of the other family, of other targets) have so long.
    public var partialWait: Duration = .milliseconds(100)
    /// An answer is used at least so long, whatever its time to live: the bound on questions per name.
    public var minimumTimeToLive: Duration = .seconds(1)
    /// An answer is used at most so long: the bound on how late a change is seen.
    public var maximumTimeToLive: Duration = .seconds(300)
    /// "There is none" is believed at most so long.
    public var maximumNegativeTimeToLive: Duration = .seconds(30)
    /// After a failure nothing is asked about the name for so long.
    public var failureWait: Duration = .milliseconds(250)
    /// An older answer is given for so long when the DNS is down; nil for ever.
    public var maximumStaleness: Duration?
    /// Names whose answers are kept; the one used longest ago makes room.
    public var names = 64
    /// Names that are looked up at the same time; above it a lookup fails.
    public var flights = 32
    /// Questions that the servers have not answered; above it a lookup fails.
    public var questions = 256
    /// Callers that wait; above it a lookup fails.
    public var waiters = 1024
    /// Targets of a service that are looked up; the ones of the lowest priority values are.
    public var targets = 16

    /// The defaults.
    public init() {}
}

/// What a resolver has done since its start.
public struct ResolverCounters: Hashable, Sendable {
    /// Questions sent to the DNS.
    public var questions: UInt64 = 0
    /// Lookups answered by what was kept, within its time to live.
    public var hits: UInt64 = 0
    /// Lookups that joined one under way.
    public var joined: UInt64 = 0
    /// Lookups given an older answer.
    public var stale: UInt64 = 0
    /// Lookups that failed.
    public var failed: UInt64 = 0
    /// Lookups refused because a limit was reached.
    public var refused: UInt64 = 0
    /// Names that made room for others.
    public var evicted: UInt64 = 0
    /// Answers that came when nobody needed them any more.
    public var late: UInt64 = 0

    /// All zero.
    public init() {}
}
