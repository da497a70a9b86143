/// Times and bounds of an ``AttemptScheduler``.
public struct AttemptSettings: Sendable {
    /// The next candidate is tried when the one before is not ready after so long: what a black hole costs.
    public var stagger: Duration = .milliseconds(250)
    /// From the start of an attempt to its connection.
    public var connectDeadline: Duration = .seconds(2)
    /// From the connection to TLS, where there is TLS.
    public var tlsDeadline: Duration = .seconds(2)
    /// From the connection, or TLS, to the protocol's session.
    public var handshakeDeadline: Duration = .seconds(2)
    /// Attempts under way at the same time.
    public var concurrency = 4
    /// The first attempt after a good session was lost waits a random time up to this, so that a node's clients do not
    /// all arrive at the next in the same millisecond.
    public var firstJitter: Duration = .milliseconds(50)
    /// The waits after a cycle in which no candidate was ready.
    public var backOff = BackOff()
    /// A session that lasted so long was a good one.
    public var stableAfter: Duration = .seconds(5)
    /// Never more than so many attempts begin within ``window``, whatever happens.
    public var attemptLimit = 20
    /// See ``attemptLimit``.
    public var window: Duration = .seconds(5)

    /// The default: back-off of 50 ms to 2 s.
    public init() {}

    /// For links where attempts cost money or time: back-off of 0.5 to 30 s, long deadlines.
    public static var relaxed: AttemptSettings {
        var settings = AttemptSettings()
        settings.stagger = .seconds(1)
        settings.connectDeadline = .seconds(10)
        settings.tlsDeadline = .seconds(10)
        settings.handshakeDeadline = .seconds(10)
        settings.backOff = BackOff(base: .milliseconds(500), cap: .seconds(30))
        settings.stableAfter = .seconds(30)
        return settings
    }

    /// For loss of a node within half a second: back-off of 20 to 500 ms, shorter deadlines.
    public static var fast: AttemptSettings {
        var settings = AttemptSettings()
        settings.stagger = .milliseconds(100)
        settings.connectDeadline = .milliseconds(500)
        settings.tlsDeadline = .milliseconds(500)
        settings.handshakeDeadline = .milliseconds(500)
        settings.firstJitter = .milliseconds(10)
        settings.backOff = BackOff(base: .milliseconds(20), cap: .milliseconds(500))
        settings.stableAfter = .seconds(2)
        settings.attemptLimit = 40
        return settings
    }
}

/// How far an attempt has come.
public enum AttemptPhase: String, Hashable, Sendable {
    /// Waits for the connection.
    case connecting
    /// Waits for TLS.
    case securing
    /// Waits for the protocol's session.
    case handshaking
}

/// What an ``AttemptScheduler``'s environment is to do.
public enum AttemptAction: Hashable, Sendable {
    /// Look the name up again, take the nodes' order (``NodeChooser/candidates(avoiding:at:using:)``), call
    /// `candidates`. Do not wait long for the DNS: the nodes of its last answer serve at once, and newer ones can be
    /// given by another call of `candidates` while the attempts run.
    case choose(avoiding: Set<Endpoint>)
    /// Connect, and report `connected`, `secured` (with TLS), `ready` or `failed`.
    case begin(attempt: UInt64, Endpoint)
    /// Close the attempt's or session's connection. Nothing needs to be reported any more.
    case cancel(attempt: UInt64)
    /// A node failed: tell the ``NodeChooser``.
    case penalize(Endpoint, AttemptFailure)
    /// The session of this attempt is the one to use now.
    case adopt(attempt: UInt64, Endpoint)
    /// Nobody was ready: it goes on by itself after this time.
    case wait(Duration, AttemptWait)
}

/// Why a node gets a penalty.
public enum AttemptFailure: Hashable, Sendable {
    /// The environment reported it.
    case failed(AttemptPhase)
    /// A deadline passed.
    case timedOut(AttemptPhase)
    /// A session ended that had been adopted.
    case lost
}

/// Why there is a wait.
public enum AttemptWait: Hashable, Sendable {
    /// A good session was lost: a little jitter.
    case jitter
    /// No candidate was ready, or a session ended too soon.
    case backOff
    /// Clients were asked to leave their node, and share the time.
    case drain
}
