import DeviceCore

// How the two schedulers play together.
extension ClusterStateMachine {
    enum Role: CaseIterable {
        case active
        case standby
    }

    subscript(role: Role) -> AttemptScheduler {
        get { role == .active ? active : standby }
        set {
            switch role {
            case .active: active = newValue
            case .standby: standby = newValue
            }
        }
    }

    func role(of attempt: UInt64) -> Role {
        if active.session?.attempt == attempt { return .active }
        return attempt > Self.standbyIDs ? .standby : .active
    }

    /// Looks for another node; the one in use is used until then.
    mutating func leave(
        within time: Duration, at now: MonotonicTime, using random: inout some RandomNumberGenerator
    ) -> [ClusterAction] {
        if time == .zero, let reserve = standby.session, let session = active.session {
            return promote(reserve, replacing: session.attempt, at: now, using: &random)
        }
        let actions = active.drain(within: time, at: now, using: &random)
        return translate(actions, of: .active, at: now, using: &random)
    }

    /// The standby becomes the session in use.
    mutating func promote(
        _ reserve: AttemptScheduler.Session, replacing: UInt64?, at now: MonotonicTime,
        using random: inout some RandomNumberGenerator
    ) -> [ClusterAction] {
        _ = standby.release()
        let since = AttemptScheduler.Session(attempt: reserve.attempt, endpoint: reserve.endpoint, since: now)
        let cancelled = active.take(since, at: now)
        isForgiven = false
        var actions: [ClusterAction] = [.adopt(attempt: reserve.attempt, reserve.endpoint, replacing: replacing)]
        actions += translate(cancelled, of: .active, at: now, using: &random)
        return actions + startStandby(at: now, using: &random)
    }

    mutating func startStandby(
        at now: MonotonicTime, using random: inout some RandomNumberGenerator
    ) -> [ClusterAction] {
        guard settings.keepsStandby, isRunning, active.session != nil else { return [] }
        return translate(standby.start(at: now), of: .standby, at: now, using: &random)
    }

    mutating func stopStandby() -> [ClusterAction] {
        standby.stop().compactMap { action in
            if case .cancel(let attempt) = action { .cancel(attempt: attempt) } else { nil }
        }
    }

    /// Turns a scheduler's actions into what the environment has to do. `old`: the session that is replaced, which the
    /// scheduler would cancel; here it ends gently, as a part of the adoption.
    mutating func translate(
        _ actions: [AttemptAction], of role: Role, replacing old: UInt64? = nil, at now: MonotonicTime,
        using random: inout some RandomNumberGenerator
    ) -> [ClusterAction] {
        var result: [ClusterAction] = []
        var isAdopted = false
        for action in actions {
            switch action {
            case .choose: result += choose(role, at: now, using: &random)
            case .begin(let attempt, let endpoint): result.append(.begin(attempt: attempt, endpoint))
            case .cancel(let attempt) where attempt == old: break
            case .cancel(let attempt): result.append(.cancel(attempt: attempt))
            case .penalize(let endpoint, let failure):
                chooser.failed(endpoint, at: now)
                if case .timedOut(let phase) = failure { result.append(.gaveUp(endpoint, phase)) }
            case .adopt(let attempt, let endpoint) where role == .active:
                isForgiven = false
                hasHadSession = true
                absences = 0
                isAdopted = true
                result.append(.adopt(attempt: attempt, endpoint, replacing: old))
            case .adopt(let attempt, let endpoint): result.append(.hold(attempt: attempt, endpoint))
            case .wait(let time, let reason):
                // A standby's waits, and those of a session that is only to be left, are nobody's business.
                if role == .active, active.session == nil { result.append(.wait(time, reason)) }
            }
        }
        if isAdopted {
            // It may have been kept for the node that is now in use.
            if let reserve = standby.session, isOneNode(reserve.endpoint, active.session?.endpoint) {
                result += stopStandby()
            }
            result += startStandby(at: now, using: &random)
        }
        return result
    }

    /// Offers what is known already, and asks the DNS for what is new.
    private mutating func choose(
        _ role: Role, at now: MonotonicTime, using random: inout some RandomNumberGenerator
    ) -> [ClusterAction] {
        var actions: [ClusterAction] = []
        if !isResolving {
            isResolving = true
            actions.append(.resolve(refresh: role == .active && attemptCount > 0))
        }
        if !chooser.endpoints.isEmpty { actions += offer(role, at: now, using: &random) }
        return actions
    }

    mutating func offer(
        _ role: Role, at now: MonotonicTime, using random: inout some RandomNumberGenerator
    ) -> [ClusterAction] {
        let lost = self[role].lost.map { Set([$0]) } ?? []
        let candidates = chooser.candidates(avoiding: lost, at: now, using: &random)
        var endpoints = candidates.endpoints
        if role == .standby { endpoints.removeAll { isOneNode($0, active.session?.endpoint) } }
        let actions = self[role].candidates(endpoints, at: now, using: &random)
        untoldNotice = candidates.notice ?? untoldNotice
        return (hasHadSession ? tellMissing(at: now) : []) + translate(actions, of: role, at: now, using: &random)
    }

    /// Says, once, that the policy has nothing to go by.
    mutating func tellMissing(at now: MonotonicTime) -> [ClusterAction] {
        guard let notice = untoldNotice else { return [] }
        untoldNotice = nil
        return isMissing(at: now) ? [.notice(notice)] : []
    }

    private func isMissing(at now: MonotonicTime) -> Bool {
        settings.policy.needsReports
            ? !chooser.hasReports(at: now) : !chooser.endpoints.contains { chooser.roundTrip(of: $0) != nil }
    }

    // MARK: Nodes with two addresses

    func isOneNode(_ left: Endpoint, _ right: Endpoint?) -> Bool {
        guard let right else { return false }
        return left == right || aliases.contains { $0.contains(left) && $0.contains(right) }
    }

    /// One of this client's own connections was put out by another one: their addresses are one node's.
    mutating func learnAlias(of attempt: UInt64) {
        guard let victim = endpoint(of: attempt) else { return }
        let others = Role.allCases.flatMap { role in
            [self[role].session?.endpoint].compactMap { $0 } + self[role].attempts.values.map(\.endpoint)
        }
        for other in others where other != victim && !isOneNode(other, victim) {
            if aliases.count >= 32 { aliases.removeFirst() }
            aliases.append([victim, other])
        }
    }

    private func endpoint(of attempt: UInt64) -> Endpoint? {
        for role in Role.allCases {
            if let session = self[role].session, session.attempt == attempt { return session.endpoint }
            if let found = self[role].attempts[attempt] { return found.endpoint }
        }
        return nil
    }
}
