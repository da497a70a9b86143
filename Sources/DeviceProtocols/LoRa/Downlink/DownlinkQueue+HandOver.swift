// From the queue to the air.
extension DownlinkQueue {
    /// The radio's clock when ``poll(now:status:)`` has to be called next; nil while nothing waits.
    ///
    /// Always later than `now`, since what is due now was done by the poll before: a sender that is busy when it should
    /// not be is asked again each millisecond.
    public func deadline(now: UInt64) -> UInt64? {
        var earliest: UInt64?
        for chain in chains {
            guard let first = chain.first else { continue }
            let time =
                switch first.state {
                case .waiting: first.start.subtractingClamped(settings.lead)
                case .handedOver: first.start.addingClamped(settings.checkDelay)
                case .onAir: first.end
                }
            earliest = min(earliest ?? .max, time > now ? time : now.addingClamped(1000))
        }
        return earliest
    }

    /// Hands over what is due, looks whether it went on the air, and forgets what has left it.
    ///
    /// - Parameters:
    ///   - now: The radio's clock.
    ///   - status: What an RF chain's sender does now.
    public mutating func poll(now: UInt64, status: (UInt8) -> RadioTransmitStatus) -> [DownlinkAction] {
        var actions: [DownlinkAction] = []
        for chain in chains.indices {
            while let action = step(chain, now: now, status: status) {
                if case .some(let action) = action { actions.append(action) }
            }
        }
        return actions
    }

    /// One step of a chain's first frame; nil when there is nothing to do yet, nil inside for a step without action.
    private mutating func step(
        _ chain: Int, now: UInt64, status: (UInt8) -> RadioTransmitStatus
    ) -> DownlinkAction?? {
        guard let first = chains[chain].first else { return nil }
        let rfChain = first.frame.rfChain
        switch first.state {
        case .waiting:
            guard now >= first.start.subtractingClamped(settings.lead) else { return nil }
            guard first.start.subtractingClamped(now) >= settings.handOver.lowerBound else {
                return .some(fail(chains[chain].removeFirst(), .missed))
            }
            guard [.free, .channelBusy, .refused].contains(status(rfChain)) else { return nil }
            chains[chain][0].state = .handedOver
            counters.handedOver += 1
            return .some(.transmit(id: first.id, first.frame))
        case .handedOver:
            guard now >= first.start.addingClamped(settings.checkDelay) else { return nil }
            switch (status(rfChain), now >= first.end) {
            case (.emitting, _): break
            // A short frame has left the air already; nothing but a free sender is left to see.
            case (.free, true): break
            case (.scheduled, false): return nil
            case (.channelBusy, _): return .some(fail(chains[chain].removeFirst(), .channelBusy))
            case (.refused, _): return .some(fail(chains[chain].removeFirst(), .refusedByRadio))
            default: return .some(fail(chains[chain].removeFirst(), .notEmitted))
            }
            chains[chain][0].state = .onAir
            counters.emitted += 1
            counters.airtime = counters.airtime.addingClamped(first.airtime)
            return .some(.emitted(id: first.id, count: first.start, airtime: first.airtime))
        case .onAir:
            guard now >= first.end else { return nil }
            chains[chain].removeFirst()
            return .some(nil)
        }
    }
}
