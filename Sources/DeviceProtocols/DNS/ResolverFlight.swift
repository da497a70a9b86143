import DeviceCore

/// One lookup under way: the questions for one key, and who waits.
struct ResolverFlight: Sendable {
    struct Waiter: Sendable {
        let id: UInt64
        /// When it is given the older answer.
        let staleAt: MonotonicTime
    }

    /// A name whose addresses are asked for.
    struct Target: Sendable {
        var name: String
        var port: Int?
        var priority = 0
        var weight = 0
        /// Of the SRV record, which its addresses do not outlive.
        var timeToLive = UInt32.max
        var search: Bool
    }

    let id: UInt64
    let started: MonotonicTime
    let deadline: MonotonicTime
    var waiters: [Waiter] = []
    var targets: [Target] = []
    /// Questions without an answer, with the target's index; nil for the SRV question.
    var pending: [UInt64: Int?] = [:]
    var found: [ResolverAnswer.Entry] = []
    var failures: [DNSFailure] = []
    /// The shortest of what the servers said about how long "there is none" holds.
    var negativeTimeToLive: UInt32?
    /// When what is known is enough.
    var partialAt = MonotonicTime.distantFuture

    var nextDeadline: MonotonicTime {
        waiters.reduce(min(deadline, partialAt)) { min($0, $1.staleAt) }
    }

    /// Notes the addresses that one question brought.
    mutating func add(_ records: [DNSRecord], of target: Target) {
        for record in records {
            guard case .address(let address) = record.value else { continue }
            let entry = ResolverAnswer.Entry(
                address: address, port: target.port, priority: target.priority, weight: target.weight,
                timeToLive: .seconds(Int64(min(record.timeToLive, target.timeToLive))), target: target.name)
            // Two targets may share a machine: it counts once for each port.
            if !found.contains(where: { $0.address == address && $0.port == entry.port }) { found.append(entry) }
        }
    }

    mutating func add(_ failure: DNSFailure, negativeTimeToLive time: UInt32?) {
        failures.append(failure)
        if let time { negativeTimeToLive = min(negativeTimeToLive ?? time, time) }
    }
}
