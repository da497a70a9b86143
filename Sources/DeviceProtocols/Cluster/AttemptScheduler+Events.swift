public import DeviceCore

extension AttemptScheduler {
    /// The connection of an attempt is up. `isSecured`: TLS comes next.
    public mutating func connected(_ attempt: UInt64, isSecured: Bool, at now: MonotonicTime) -> [AttemptAction] {
        guard attempts[attempt]?.phase == .connecting else { return [] }
        attempts[attempt]?.phase = isSecured ? .securing : .handshaking
        attempts[attempt]?.deadline = now + (isSecured ? settings.tlsDeadline : settings.handshakeDeadline)
        return []
    }

    /// TLS of an attempt is up.
    public mutating func secured(_ attempt: UInt64, at now: MonotonicTime) -> [AttemptAction] {
        guard let phase = attempts[attempt]?.phase, phase != .handshaking else { return [] }
        attempts[attempt]?.phase = .handshaking
        attempts[attempt]?.deadline = now + settings.handshakeDeadline
        return []
    }

    /// The session of an attempt is ready. The first one is adopted; the others, and the session that it replaces, are
    /// cancelled. One that comes too late is cancelled too.
    public mutating func ready(_ attempt: UInt64, at now: MonotonicTime) -> [AttemptAction] {
        guard let winner = attempts.removeValue(forKey: attempt) else {
            return session?.attempt == attempt ? [] : [.cancel(attempt: attempt)]
        }
        var actions = [AttemptAction.adopt(attempt: attempt, winner.endpoint)]
        actions += attempts.keys.sorted().map { .cancel(attempt: $0) }
        // The old one last: what is on its way through it can still arrive while the new one is taken over.
        if let session { actions.append(.cancel(attempt: session.attempt)) }
        attempts = [:]
        queue = []
        lost = nil
        state = .idle
        session = Session(attempt: attempt, endpoint: winner.endpoint, since: now)
        return actions
    }

    /// An attempt failed, or the session was lost. One that was cancelled, or has failed already, is passed over.
    ///
    /// - Parameter blame: whether the node gets a penalty; false when this machine is to blame, as without a network.
    public mutating func failed(
        _ attempt: UInt64, blame: Bool = true, at now: MonotonicTime, using random: inout some RandomNumberGenerator
    ) -> [AttemptAction] {
        if let session, session.attempt == attempt { return lost(session, blame, at: now, using: &random) }
        guard let failed = attempts.removeValue(forKey: attempt) else { return [] }
        let penalty: [AttemptAction] = blame ? [.penalize(failed.endpoint, .failed(failed.phase))] : []
        return penalty + proceed(at: now, using: &random)
    }

    /// The node, or the DNS, asks to leave: a session with another node is sought after a random part of `time`, and the
    /// present one is used until then. Without a session it does nothing.
    public mutating func drain(
        within time: Duration, at now: MonotonicTime, using random: inout some RandomNumberGenerator
    ) -> [AttemptAction] {
        guard let session, case .idle = state else { return [] }
        self.lost = session.endpoint
        return [wait(max(.zero, time) * Double.random(in: 0...1, using: &random), .drain, at: now)]
    }

    /// Handles deadlines, staggers and waits that are due.
    public mutating func tick(
        at now: MonotonicTime, using random: inout some RandomNumberGenerator
    ) -> [AttemptAction] {
        var actions: [AttemptAction] = []
        for (id, attempt) in attempts.sorted(by: { $0.key < $1.key }) where attempt.deadline <= now {
            attempts[id] = nil
            actions.append(.cancel(attempt: id))
            actions.append(.penalize(attempt.endpoint, .timedOut(attempt.phase)))
        }
        if case .waiting(let until) = state, until <= now { return actions + choose() }
        return actions + proceed(at: now, using: &random)
    }

    private mutating func lost(
        _ lost: Session, _ blame: Bool, at now: MonotonicTime, using random: inout some RandomNumberGenerator
    ) -> [AttemptAction] {
        session = nil
        self.lost = lost.endpoint
        var actions: [AttemptAction] = blame ? [.penalize(lost.endpoint, .lost)] : []
        let wasStable = now - lost.since >= settings.stableAfter
        if wasStable { backOff.reset() }
        switch state {
        case .choosing, .racing: return actions  // already looking for another one
        case .idle, .waiting: break
        }
        if wasStable {
            let jitter = settings.firstJitter * Double.random(in: 0...1, using: &random)
            actions.append(wait(jitter, .jitter, at: now))
        } else {
            // A node that accepts and at once ends is not hammered.
            actions.append(wait(backOff.next(using: &random), .backOff, at: now))
        }
        return actions
    }
}
