public import DeviceCore

extension ResolverStateMachine {
    /// What the hosts file says about a flight's name.
    public mutating func hosts(flight id: UInt64, addresses: [IPAddress], at now: MonotonicTime) -> [ResolverAction] {
        guard let key = flightKeys[id], var flight = entries[key]?.flight else { return [] }
        var addresses = addresses
        if addresses.isEmpty, DNSName.isLocalhost(key.name) { addresses = [.loopback4, .loopback6] }
        if !addresses.isEmpty {
            let time = limits.minimumTimeToLive
            let found = addresses.prefix(DNSAnswer.recordLimit).map {
                ResolverAnswer.Entry(address: $0, timeToLive: time, target: key.name)
            }
            return succeed(key, flight, found, .hosts, timeToLive: time, at: now)
        }
        guard key.service != nil else { return askForAddresses(key, &flight, at: now) }
        let question = ask(key, &flight, key.serviceName, .srv, target: nil, search: !key.name.hasSuffix("."))
        entries[key]?.flight = flight
        return [question]
    }

    /// What became of a question. A second answer to the same question is passed over.
    public mutating func answered(
        question: UInt64, _ result: Result<DNSAnswer, DNSFailure>, negativeTimeToLive: UInt32? = nil,
        at now: MonotonicTime
    ) -> [ResolverAction] {
        guard let key = questionKeys.removeValue(forKey: question) else { return [] }
        guard var flight = entries[key]?.flight, let target = flight.pending.removeValue(forKey: question) else {
            counters.late += 1
            return []
        }
        guard let target else { return serviceAnswered(key, &flight, result, at: now) }
        switch result {
        case .success(let answer):
            // safe: pending only holds indices of its flight's targets
            flight.add(answer.records, of: flight.targets[target])
            if answer.records.isEmpty { flight.add(.noData, negativeTimeToLive: answer.negativeTimeToLive) }
        case .failure(let failure): flight.add(failure, negativeTimeToLive: negativeTimeToLive)
        }
        if flight.pending.isEmpty { return land(key, flight, at: now) }
        if !flight.found.isEmpty { flight.partialAt = min(flight.partialAt, now + limits.partialWait) }
        entries[key]?.flight = flight
        return []
    }

    /// Handles what is due: callers who get the older answer, flights that end.
    public mutating func tick(at now: MonotonicTime) -> [ResolverAction] {
        var actions: [ResolverAction] = []
        for key in Array(flightKeys.values) {
            guard var flight = entries[key]?.flight, flight.nextDeadline <= now else { continue }
            let due = flight.waiters.filter { $0.staleAt <= now }
            flight.waiters.removeAll { $0.staleAt <= now }
            for waiter in due {
                waiterKeys[waiter.id] = nil
                actions.append(give(waiter.id, entries[key]?.answer, nil, at: now))
            }
            if flight.deadline <= now || flight.partialAt <= now {
                actions += land(key, flight, at: now)
            } else {
                entries[key]?.flight = flight
            }
        }
        return actions
    }

    private mutating func serviceAnswered(
        _ key: ResolverKey, _ flight: inout ResolverFlight, _ result: Result<DNSAnswer, DNSFailure>,
        at now: MonotonicTime
    ) -> [ResolverAction] {
        var services: [ResolverFlight.Target] = []
        var isDeclined = false
        switch result {
        case .success(let answer):
            for record in answer.records {
                guard case .service(let target, let port, let priority, let weight) = record.value else { continue }
                isDeclined = isDeclined || target.isEmpty
                guard !target.isEmpty, port > 0 else { continue }
                services.append(
                    ResolverFlight.Target(
                        name: target, port: port, priority: priority, weight: weight, timeToLive: record.timeToLive,
                        search: false))
            }
        case .failure(let failure):
            guard failure.isNegative else {
                flight.add(failure, negativeTimeToLive: nil)
                return land(key, flight, at: now)
            }
        }
        if services.isEmpty, isDeclined {
            flight.add(.noData, negativeTimeToLive: nil)
            return land(key, flight, at: now)
        }
        services.sort { ($0.priority, -$0.weight) < ($1.priority, -$1.weight) }
        flight.targets = Array(services.prefix(max(1, limits.targets)))
        return askForAddresses(key, &flight, at: now)
    }

    /// Asks for the addresses of the service's targets, or of the name itself where there are none.
    private mutating func askForAddresses(
        _ key: ResolverKey, _ flight: inout ResolverFlight, at now: MonotonicTime
    ) -> [ResolverAction] {
        if flight.targets.isEmpty {
            flight.targets = [ResolverFlight.Target(name: key.name, search: !key.name.hasSuffix("."))]
        }
        var actions: [ResolverAction] = []
        for (index, target) in flight.targets.enumerated() {
            // A target may be an address in text, which RFC 2782 forbids and some write.
            if let address = IPAddress(target.name) {
                flight.add([DNSRecord(value: .address(address), timeToLive: target.timeToLive)], of: target)
                continue
            }
            for type in [DNSRecordType.aaaa, .a] {
                actions.append(ask(key, &flight, target.name, type, target: index, search: target.search))
            }
        }
        if flight.pending.isEmpty { return land(key, flight, at: now) }
        if !flight.found.isEmpty { flight.partialAt = now + limits.partialWait }
        entries[key]?.flight = flight
        return actions
    }

    private mutating func ask(
        _ key: ResolverKey, _ flight: inout ResolverFlight, _ name: String, _ type: DNSRecordType, target: Int?,
        search: Bool
    ) -> ResolverAction {
        let id = newID()
        flight.pending.updateValue(target, forKey: id)
        questionKeys[id] = key
        counters.questions += 1
        return .ask(question: id, name: name, type: type, search: search)
    }

    /// Ends a flight with what it has found.
    private mutating func land(_ key: ResolverKey, _ flight: ResolverFlight, at now: MonotonicTime) -> [ResolverAction]
    {
        if !flight.found.isEmpty {
            // Where something is missing, it is asked for again soon.
            let shortest = flight.found.map(\.timeToLive).min() ?? .zero
            let isWhole = flight.pending.isEmpty && !flight.failures.contains { !$0.isNegative }
            let time = isWhole ? shortest : .zero
            return succeed(key, flight, flight.found, .dns, timeToLive: time, at: now)
        }
        let failures = flight.pending.isEmpty ? flight.failures : flight.failures + [.timedOut]
        let failure = DNSFailure.together(failures)
        let error = failure.error(for: key.name, after: now - flight.started)
        var wait = limits.failureWait
        if failure.isNegative {
            let said = Duration.seconds(Int64(flight.negativeTimeToLive ?? 0))
            wait = min(max(said, limits.minimumTimeToLive), limits.maximumNegativeTimeToLive)
        }
        entries[key]?.failure = (failure, error, now + wait)
        let answer = failure.isNegative ? nil : entries[key]?.answer.flatMap { isUsable($0, at: now) ? $0 : nil }
        return end(key, flight).map { give($0, answer, error, at: now) }
    }

    private mutating func succeed(
        _ key: ResolverKey, _ flight: ResolverFlight, _ found: [ResolverAnswer.Entry], _ source: ResolutionSource,
        timeToLive: Duration, at now: MonotonicTime
    ) -> [ResolverAction] {
        let time = min(max(timeToLive, limits.minimumTimeToLive), limits.maximumTimeToLive)
        let answer = ResolverAnswer(entries: found, source: source, received: now, expires: now + time)
        entries[key]?.answer = answer
        entries[key]?.failure = nil
        return end(key, flight).map { .finish(waiter: $0, .success(answer)) }
    }

    /// Forgets a flight; returns who waited for it.
    private mutating func end(_ key: ResolverKey, _ flight: ResolverFlight) -> [UInt64] {
        entries[key]?.flight = nil
        flightKeys[flight.id] = nil
        let waiters = flight.waiters.map(\.id)
        for waiter in waiters { waiterKeys[waiter] = nil }
        return waiters
    }
}
