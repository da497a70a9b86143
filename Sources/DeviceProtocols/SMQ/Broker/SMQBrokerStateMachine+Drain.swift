public import DeviceCore

extension SMQBrokerStateMachine {
    /// Asks every client to find another node, each at its own moment within a time, and takes no new ones. Clients are
    /// served until they go; who is still here when the owner's patience ends is said goodbye by ``shutDown(reason:)``.
    /// The connections of those that would not come back after such a request end at that moment, without a word.
    ///
    /// The broker spreads the moments, so that clients of any make come to the other nodes one by one.
    public mutating func drain(within time: Duration, now: MonotonicTime) {
        isDraining = true
        let alive = peers.indices.filter { peers[$0].phase.isAlive && !peers[$0].isLink }
        for (index, slot) in alive.enumerated() {
            peers[slot].leavesAt = now + max(.zero, time) * (Double(index) / Double(alive.count))
        }
        askToLeave(now: now)
    }

    /// Asks those whose moment has come. Call it every few milliseconds while the broker drains.
    public mutating func askToLeave(now: MonotonicTime) {
        guard isDraining else { return }
        for slot in peers.indices where peers[slot].phase == .open && peers[slot].leavesAt <= now {
            peers[slot].leavesAt = .distantFuture
            statistics.askedToLeave += 1
            guard peers[slot].knowsGoodbye else {
                close(slot, .shutdown)
                continue
            }
            queue(to: slot) { [framing = peers[slot].framing] in
                $0.writeSMQ(.disconnect, text: SMQGoodbye.drain, framing: framing)
            }
        }
        settle()
    }
}
