public import DeviceCore
import NIOCore

// Subscriptions of this node's clients on their way to the others: a suback waits until all have confirmed that they
// know of the topic's first subscriber, so that what is published anywhere after a suback arrives.
extension SMQBrokerStateMachine {
    /// When subscriptions that were not confirmed count as late; nil while none waits.
    public var confirmationDeadline: MonotonicTime? { confirmations.values.map(\.deadline).min() }

    /// Tells all nodes that a topic has its first subscriber.
    mutating func announce(_ topic: Int, now: MonotonicTime) {
        guard activeLinks != 0, !topics[topic].isLocal else { return }
        var asked: UInt64 = 0
        let request = freshRequest()
        for index in links.indices where links[index].isActive {
            announce(topic, to: index)
            guard links[index].isOurs else { continue }
            let channel = links[index].machine.node.peer
            queue(to: links[index].slot) { $0.writeSMQNode(.confirm(request), channel: channel) }
            if peers[links[index].slot].phase == .link { asked |= 1 << UInt64(index) }
        }
        guard asked != 0 else { return }
        topics[topic].confirmation = request
        confirmations[request] = Confirmation(topics: [topic], links: asked, deadline: now + limits.confirmation)
    }

    /// Tells a node that was linked just now of all topics with subscribers, and asks it to confirm. Until it has, those
    /// who subscribe to one of them wait for it too.
    mutating func announceAll(to index: Int, now: MonotonicTime) {
        let slot = links[index].slot
        let isAsked = links[index].isOurs
        var requests: Set<UInt32> = []
        var new: [Int] = []
        for topic in topics.indices where !topics[topic].subscribers.isEmpty && !topics[topic].isLocal {
            announce(topic, to: index)
            guard isAsked else { continue }
            let request = topics[topic].confirmation
            if request == 0 { new.append(topic) } else { requests.insert(request) }
        }
        guard peers[slot].phase == .link else { return }
        if !new.isEmpty {
            let request = freshRequest()
            for topic in new { topics[topic].confirmation = request }
            confirmations[request] = Confirmation(
                topics: new, isShared: true, links: 0, deadline: now + limits.confirmation)
            requests.insert(request)
        }
        let channel = links[index].machine.node.peer
        for request in requests {
            // Others may wait for it already; it waits no longer than they do.
            confirmations[request]?.links |= 1 << UInt64(index)
            queue(to: slot) { $0.writeSMQNode(.confirm(request), channel: channel) }
        }
    }

    private mutating func freshRequest() -> UInt32 {
        repeat { lastRequest &+= 1 } while lastRequest == 0 || confirmations[lastRequest] != nil
        return lastRequest
    }

    /// Tells one node that a topic has subscribers. Once: the vendor's node ends a link that says it twice.
    mutating func announce(_ topic: Int, to index: Int) {
        let bit: UInt64 = 1 << UInt64(index)
        guard topics[topic].announced & bit == 0 else { return }
        topics[topic].announced |= bit
        let name = topics[topic].name
        let id = topics[topic].id
        let channel = links[index].machine.smq.peer
        queue(to: links[index].slot) { $0.writeSMQLink(.subscribe, channel: channel, id: id, name: name) }
    }

    /// Tells the nodes that a topic has no subscribers any more.
    mutating func withdraw(_ topic: Int) {
        let mask = topics[topic].announced & activeLinks
        topics[topic].announced = 0
        let id = topics[topic].id
        for index in links.indices where mask & (1 << UInt64(index)) != 0 {
            let channel = links[index].machine.smq.peer
            queue(to: links[index].slot) { $0.writeSMQLink(.unsubscribe, channel: channel, id: id) }
        }
        let request = topics[topic].confirmation
        topics[topic].confirmation = 0
        // One that other topics share goes on.
        if request != 0, confirmations[request]?.isShared != true { confirm(request, links: .max, isLate: nil) }
    }

    // MARK: Confirmations

    /// Some nodes have confirmed, or need not any more.
    ///
    /// - Parameter isLate: nil for a subscription that has ended meanwhile.
    mutating func confirm(_ request: UInt32, links: UInt64, isLate: Bool?) {
        guard let index = confirmations.index(forKey: request) else { return }
        var confirmation = confirmations[index].value
        confirmation.links &= ~links
        guard confirmation.links == 0 else {
            confirmations.values[index] = confirmation
            return
        }
        confirmations.remove(at: index)
        for topic in confirmation.topics where topics[topic].confirmation == request { topics[topic].confirmation = 0 }
        // Of the topics of a new link only those count for which somebody waited.
        let count = UInt64(confirmation.isShared ? confirmation.waiting.count : 1)
        switch isLate {
        case true?: linkStatistics.lateConfirmations += count
        case false?: linkStatistics.confirmed += count
        case nil: break
        }
        for peer in confirmation.waiting { if let slot = slot(of: peer) { sendHeld(slot) } }
    }

    /// Gives up waiting for nodes that do not confirm in time. Call it at ``confirmationDeadline``.
    public mutating func expireConfirmations(now: MonotonicTime) {
        for (request, confirmation) in confirmations where confirmation.deadline <= now {
            confirm(request, links: .max, isLate: true)
        }
        settle()
    }

    /// Answers a client: at once, or when the nodes have confirmed. Answers keep their order, publishes may overtake.
    mutating func reply(_ slot: Int, after request: UInt32 = 0, _ write: (inout ByteBuffer) -> Void) {
        let waits = confirmations[request] != nil
        guard waits || !peers[slot].held.isEmpty else { return queue(to: slot, write) }
        guard peers[slot].phase.isAlive else { return }
        var bytes = ByteBuffer()
        write(&bytes)
        peers[slot].heldBytes += bytes.readableBytes
        peers[slot].held.append(HeldReply(request: waits ? request : 0, bytes: bytes))
        let waiting = id(slot)
        if waits { confirmations[request]?.waiting.append(waiting) }
        if peers[slot].heldBytes > limits.heldBytes { sendHeld(slot, all: true) }
    }

    /// Sends the answers that need not wait any more.
    private mutating func sendHeld(_ slot: Int, all: Bool = false) {
        let waiting = confirmations
        let end = all ? nil : peers[slot].held.firstIndex { waiting[$0.request] != nil }
        let ready = peers[slot].held[..<(end ?? peers[slot].held.endIndex)]
        peers[slot].held.removeFirst(ready.count)
        peers[slot].heldBytes -= ready.reduce(0) { $0 + $1.bytes.readableBytes }
        for reply in ready { queue(to: slot) { $0.writeImmutableBuffer(reply.bytes) } }
    }
}
