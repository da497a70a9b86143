/// Why a session ended.
public enum SMQLossCause: String, Hashable, CaseIterable, Sendable {
    /// The broker said goodbye.
    case goodbye
    /// The connection ended without a word: the node's process died, or something on the way.
    case connectionLost = "connection-lost"
    /// Nothing came any more, not even the answer to a ping.
    case silence
    /// The broker sent what cannot be understood, or refused.
    case protocolError = "protocol-error"
    /// The node, or the DNS, asked to leave.
    case drained
}

/// One change of the node.
public struct SMQMove: Hashable, Sendable {
    /// The node that was in use.
    public var from: String
    /// The node that is in use now; it can be the same one again.
    public var to: String
    /// Why the old session ended.
    public var cause: SMQLossCause
    /// The same for a person.
    public var reason: String
    /// From the end of the old session, as this client noticed it, to the beginning of the new one. Zero when both
    /// overlapped: nothing was interrupted.
    public var gap: Duration
    /// How long nothing had come from the old node when its end was noticed.
    public var silence: Duration
}

/// How a client is doing, for people and for metrics.
public struct SMQClientStatus: Sendable {
    /// The node in use; nil while there is none.
    public var node: String?
    /// The node of the standby that is ready; nil while there is none.
    public var standby: String?
    /// Sessions so far.
    public var sessions: UInt64 = 0
    /// Sessions that ended, by cause.
    public var losses: [SMQLossCause: UInt64] = [:]
    /// Attempts so far, those for a standby included.
    public var attempts: UInt64 = 0
    /// Attempts that failed.
    public var failedAttempts: UInt64 = 0
    /// Changes of the session, a return to the same node included.
    public var moves: UInt64 = 0
    /// The last of them, oldest first; at most ``recentLimit``.
    public var recentMoves: [SMQMove] = []
    /// How many moves are remembered.
    public static let recentLimit = 32

    mutating func add(_ move: SMQMove) {
        moves += 1
        if recentMoves.count >= Self.recentLimit { recentMoves.removeFirst() }
        recentMoves.append(move)
    }
}
