/// Frames that wait for their time on the air, for every RF chain.
///
/// No I/O and no clock: time is the radio's 64-bit microseconds, handed in. A request is judged at once and answered
/// once. The owner calls ``poll(now:status:)`` at ``deadline`` and after each request, and does what it says.
///
/// Against the queue of Semtech's forwarder: times are compared with 64 bits, so a time already past is too late and
/// not too early; the frame on the air counts as busy; chains and lengths from outside are checked; every request is
/// answered; duty cycle, dwell time and power are kept unless the server is trusted.
public struct DownlinkQueue: Sendable {
    struct Entry {
        enum State {
            case waiting
            case handedOver
            case onAir
        }

        var id: UInt64
        var frame: RadioDownlink
        var start: UInt64
        var airtime: UInt64
        var band: Int?
        var isBeacon: Bool
        var state = State.waiting

        var end: UInt64 { start.addingClamped(airtime) }
    }

    /// How it judges.
    public private(set) var settings: DownlinkSettings
    /// What it has done.
    public internal(set) var counters = DownlinkCounters()
    /// Time on air by band.
    public internal(set) var dutyCycle: DutyCycle
    /// Added to the radio's clock for ``dutyCycle``, so that a restarted radio does not begin a new hour. It wraps where
    /// the new clock is ahead of the old one. At first two hours, so that there is room for what was sent before.
    private var dutyOffset: UInt64 = 7_200_000_000
    /// For each RF chain, by start. Never overlapping; the first may be on the air.
    var chains: [[Entry]]

    /// An empty queue.
    public init(_ settings: DownlinkSettings) {
        self.settings = settings
        dutyCycle = DutyCycle(settings.region)
        chains = settings.plan.rfChains.map { _ in [] }
    }

    /// Frames that wait or are on the air.
    public var count: Int { chains.reduce(0) { $0 + $1.count } }

    /// What was sent and is planned in a band of the region within the last hour, as a share of what may be, in
    /// thousandths; nil for a band without limit.
    public func dutyCycleUse(band: Int, now: UInt64) -> UInt64? {
        guard let budget = dutyCycle.budget(band: band), budget > 0 else { return nil }
        return dutyCycle.used(band: band, at: dutyTime(now)) * 1000 / budget
    }

    /// Judges a request. What is accepted waits; the outcome says when it will be sent.
    ///
    /// - Parameters:
    ///   - now: The radio's clock.
    ///   - reference: Its tie to GPS time, if there is a valid one.
    public mutating func enqueue(
        _ request: DownlinkRequest, now: UInt64, reference: RadioTimeReference? = nil
    ) -> DownlinkOutcome {
        counters.requested += 1
        do throws(DownlinkRefusal) {
            let (entry, acceptance) = try judge(request, now: now, reference: reference)
            insert(entry)
            counters.accepted += 1
            if acceptance.isPowerChanged { counters.powerChanged += 1 }
            return .accepted(acceptance)
        } catch {
            counters.refused[error, default: 0] += 1
            return .refused(error)
        }
    }

    /// Drops all that waits or is on the air, because the radio's clock started anew.
    ///
    /// - Parameters:
    ///   - last: What the old clock would show now.
    ///   - now: The new clock.
    public mutating func restart(last: UInt64, now: UInt64) -> [DownlinkAction] {
        var actions: [DownlinkAction] = []
        for chain in chains.indices {
            for entry in chains[chain] {
                if entry.state == .onAir { continue }
                actions.append(fail(entry, .restarted))
            }
            chains[chain] = []
        }
        dutyOffset = dutyTime(last) &- now
        return actions
    }

    /// Judges by other settings from now on. What waits is dropped when the radio's plan is another one, since the radio
    /// is started anew with it, or when the region is: other rules hold there. What was sent in the last hour stays
    /// counted while the region is the same.
    public mutating func use(_ settings: DownlinkSettings, now: UInt64) -> [DownlinkAction] {
        defer { self.settings = settings }
        guard settings.plan != self.settings.plan || settings.region != self.settings.region else { return [] }
        let actions = restart(last: now, now: now)
        if settings.region != self.settings.region { dutyCycle = DutyCycle(settings.region) }
        chains = settings.plan.rfChains.map { _ in [] }
        return actions
    }

    /// What was sent in the last hour and what is planned, for who keeps it beyond the program's end.
    public func dutyRecords(now: UInt64) -> [DutyCycle.Record] { dutyCycle.records(at: dutyTime(now)) }

    /// Counts what an earlier run of the program has sent.
    public mutating func restoreDuty(_ records: [DutyCycle.Record], now: UInt64) {
        dutyCycle.restore(records, at: dutyTime(now))
    }

    /// The radio refused what ``poll(now:status:)`` said to hand over.
    public mutating func radioRefused(id: UInt64, rfChain: UInt8) -> [DownlinkAction] {
        let chain = Int(rfChain)
        guard chains.indices.contains(chain),
            let place = chains[chain].firstIndex(where: { $0.id == id && $0.state == .handedOver })
        else { return [] }
        return [fail(chains[chain].remove(at: place), .refusedByRadio)]
    }

    private mutating func insert(_ entry: Entry) {
        let chain = Int(entry.frame.rfChain)
        let place = chains[chain].firstIndex { $0.start > entry.start } ?? chains[chain].endIndex
        chains[chain].insert(entry, at: place)
        if let band = entry.band {
            dutyCycle.add(entry.airtime, band: band, at: dutyTime(entry.start))
        }
    }

    /// The radio's clock as ``dutyCycle`` knows it.
    func dutyTime(_ count: UInt64) -> UInt64 { count &+ dutyOffset }

    /// Counts an accepted frame as failed; its time on air is given back.
    mutating func fail(_ entry: Entry, _ failure: DownlinkFailure) -> DownlinkAction {
        counters.failed[failure, default: 0] += 1
        if let band = entry.band {
            dutyCycle.remove(entry.airtime, band: band, at: dutyTime(entry.start))
        }
        return .failed(id: entry.id, failure)
    }
}
