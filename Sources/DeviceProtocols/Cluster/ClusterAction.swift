/// What a ``ClusterStateMachine``'s environment is to do, in this order.
public enum ClusterAction: Hashable, Sendable {
    /// Look the names up and call ``ClusterStateMachine/resolved(_:timeLeft:isFresh:at:using:)`` or `unresolved`.
    /// `refresh`: ask the DNS even within an answer's time, because a node was just lost.
    case resolve(refresh: Bool)
    /// Connect, and report `connected`, `secured` (with TLS), `ready` or `failed`.
    case begin(attempt: UInt64, Endpoint)
    /// Close this connection, whatever it has become. Nothing needs to be reported any more.
    case cancel(attempt: UInt64)
    /// Use this session from now on. `replacing`: the one in use so far, which is alive: what is on its way through it
    /// is still taken, then it is closed; nothing needs to be reported of it any more.
    case adopt(attempt: UInt64, Endpoint, replacing: UInt64?)
    /// Keep this session in reserve: answer pings, ask for nothing.
    case hold(attempt: UInt64, Endpoint)
    /// An attempt took too long, in this phase; its connection is closed by the `cancel` before.
    case gaveUp(Endpoint, AttemptPhase)
    /// There is no session, and it goes on by itself after this time.
    case wait(Duration, AttemptWait)
    /// Something that a person should know.
    case notice(String)
}

/// How an attempt or a session ended, as far as the choice of the next node is concerned.
public enum ClusterFailure: Hashable, Sendable {
    /// The node is to blame.
    case node
    /// This machine is to blame, or nobody.
    case nobody
    /// Another connection of this client took its place at the node: two addresses are one node.
    case replaced
}
