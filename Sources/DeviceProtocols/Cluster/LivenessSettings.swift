/// How soon a silent node is noticed.
public struct LivenessSettings: Hashable, Sendable {
    /// A ping is sent when nothing was received for so long, also while data is being sent: a node that is cut off takes
    /// what is sent until the socket's buffer is full.
    public var pingAfter: Duration
    /// The node is left when nothing at all came for so long after the ping.
    public var pingTimeout: Duration

    /// Plain numbers.
    public init(pingAfter: Duration, pingTimeout: Duration) {
        self.pingAfter = pingAfter
        self.pingTimeout = pingTimeout
    }

    /// The longest time from a node's last sign of life to the end of the session.
    public var noticesWithin: Duration { pingAfter + pingTimeout }
}

/// Ready-made times, from the loss of a node to the next attempts.
public enum ClusterProfile: String, CaseIterable, Sendable {
    /// For metered or slow links: a ping a minute, notices within 75 s, back-off of 0.5 to 30 s.
    case relaxed
    /// Notices within 4.5 s, back-off of 50 ms to 2 s.
    case normal
    /// Notices within 430 ms, back-off of 20 to 500 ms. Eight pings a second while nothing else is received. An answer
    /// may take 300 ms: a way there and back of 200 ms, or one lost packet, is no reason to leave.
    case fast

    /// How soon a silent node is noticed.
    public var liveness: LivenessSettings {
        switch self {
        case .relaxed: LivenessSettings(pingAfter: .seconds(60), pingTimeout: .seconds(15))
        case .normal: LivenessSettings(pingAfter: .milliseconds(2500), pingTimeout: .seconds(2))
        case .fast: LivenessSettings(pingAfter: .milliseconds(130), pingTimeout: .milliseconds(300))
        }
    }

    /// Times and bounds of attempts.
    public var attempts: AttemptSettings {
        switch self {
        case .relaxed: .relaxed
        case .normal: AttemptSettings()
        case .fast: .fast
        }
    }
}
