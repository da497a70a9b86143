import DeviceCore
import DeviceProtocols
import NIOCore

// Names, subscriptions and publishing: what needs ids that only the open session has.
extension SMQSessionState {
    /// The session is open: asks for everything that is wished, in one go.
    mutating func open(etid: UInt32) {
        session += 1
        for subscription in subscriptions.values.sorted(by: { $0.key < $1.key }) { subscribe(subscription, etid: etid) }
        for observation in observations.values.sorted(by: { $0.key < $1.key }) { observe(observation) }
    }

    mutating func subscribe(_ subscription: SubscriptionWish, etid: UInt32) {
        if let subtopic = subscription.subtopic { request(.createsub, subtopic) }
        guard let topic = subscription.topic else {
            receivers[etid, default: []].append(subscription)
            return
        }
        if let id = subscribedIDs[topic] {
            receivers[id, default: []].append(subscription)
        } else if subscribed.insert(topic).inserted {
            subscribesUnderWay[topic, default: 0] += 1
            machine?.output.writeSMQ(.subscribe, text: topic)
        }
    }

    mutating func cancel(_ subscription: SubscriptionWish) {
        guard subscriptions.removeValue(forKey: subscription.key) != nil else { return }
        for id in receivers.keys {
            receivers[id]?.removeAll { $0 === subscription }
            if receivers[id]?.isEmpty == true { receivers[id] = nil }
        }
        guard let topic = subscription.topic, !subscriptions.values.contains(where: { $0.topic == topic }),
            subscribed.remove(topic) != nil, let id = subscribedIDs.removeValue(forKey: topic)
        else { return }
        machine?.output.writeSMQ(.unsubscribe, id: id)
    }

    /// - Returns: false for a peer that is gone as far as this session can tell, because it was another session's.
    @discardableResult
    mutating func observe(_ observation: ObservationWish) -> Bool {
        switch observation.target {
        case .peer(let peer):
            guard isOpen, peer.session == session else { return false }
            observe(peer.id, for: [observation])
        case .topic(let name):
            guard isOpen else { return true }
            if case .known(let id)? = topics[name] {
                observe(id, for: [observation])
            } else {
                request(.create, name)
            }
        }
        return true
    }

    private mutating func observe(_ id: UInt32, for new: [ObservationWish]) {
        observedIDs[id, default: []] += new
        machine?.output.writeSMQ(.observe, id: id)
    }

    mutating func cancel(_ observation: ObservationWish) {
        guard observations.removeValue(forKey: observation.key) != nil else { return }
        for id in observedIDs.keys {
            observedIDs[id]?.removeAll { $0 === observation }
            if observedIDs[id]?.isEmpty == true { observedIDs[id] = nil }
        }
    }

    /// Writes a message, or keeps it until its names have ids. Order is kept.
    mutating func publish(_ message: Pending) throws(DeviceError) {
        try check(message)
        if pending.isEmpty, try write(message) { return }
        guard pending.count < configuration.pendingMessages else {
            throw DeviceError(
                .limitExceeded, "\(pending.count) messages already wait for the broker to name their topics",
                hint: "Publish more slowly, or raise pendingMessages")
        }
        wait(message)
    }

    /// Keeps a message until its names have ids.
    mutating func wait(_ message: Pending) {
        if message.barrier == nil {
            if case .topic(let name) = message.destination { request(.create, name) }
            if let subtopic = message.subtopic { request(.createsub, subtopic) }
        }
        pending.append(message)
        pendingBytes += message.payload.readableBytes
    }

    /// What can be known before the message's turn, so that the publisher hears of it.
    func check(_ message: Pending) throws(DeviceError) {
        guard message.payload.readableBytes <= SMQSize.maximumPayload else {
            throw DeviceError(
                .limitExceeded,
                "a payload of \(message.payload.readableBytes) bytes does not fit one message of at most \(SMQSize.maximumPayload)",
                hint: "Send it in parts")
        }
        if case .peer(let peer) = message.destination, peer.session != session {
            throw DeviceError(
                .closed, "the receiver's id belongs to an earlier session", hint: "Wait for its next message")
        }
        if case .topic(let name) = message.destination, case .denied? = topics[name] {
            throw DeviceError(.refused, "the broker does not permit the topic \(name)")
        }
        if let name = message.subtopic, case .denied? = subtopics[name] {
            throw DeviceError(.refused, "the broker does not permit the sub-topic \(name)")
        }
    }

    /// - Returns: false while an id is not known yet.
    mutating func write(_ message: Pending) throws(DeviceError) -> Bool {
        if let barrier = message.barrier {
            writeBarrier(barrier)
            return true
        }
        try check(message)
        var destination: UInt32 = 0
        switch message.destination {
        case .peer(let peer): destination = peer.id
        case .topic(let name):
            guard case .known(let id)? = topics[name] else { return false }
            destination = id
        }
        var subtopic: UInt32 = 0
        if let name = message.subtopic {
            guard case .known(let id)? = subtopics[name] else { return false }
            subtopic = id
        }
        published += 1
        let ownETID = machine?.ownETID ?? 0
        machine?.output.writeSMQPublish(
            to: destination, from: ownETID, subtopic: subtopic, payload: message.payload)
        return true
    }

    private mutating func request(_ type: SMQMessageType, _ name: String) {
        if type == .createsub {
            guard subtopics[name] == nil else { return }
            subtopics[name] = .requested
        } else {
            guard topics[name] == nil else { return }
            topics[name] = .requested
        }
        machine?.output.writeSMQ(type, text: name)
    }

    /// Whether every topic that was asked for has its id. A denied one stays without and does not count.
    var isSettled: Bool { subscribed.allSatisfy { subscribedIDs[$0] != nil || deniedSubscriptions.contains($0) } }

    mutating func acknowledge(_ type: SMQMessageType, _ name: String, _ id: UInt32?, _ effects: inout Effects) {
        // A broker that answers what nobody asked would fill the tables.
        guard isAwaited(type, name) else { return }
        let state = id.map(Name.known) ?? .denied
        if id == nil { effects.denied.append(name) }
        switch type {
        case .createsuback:
            subtopics[name] = state
            if let id { subtopicNames[id] = name }
        case .createack:
            topics[name] = state
            if let id { topicNames[id] = name }
        default:
            // A subscription that is denied says nothing about publishing, and the other way round.
            guard let id else {
                deniedSubscriptions.insert(name)
                break
            }
            topicNames[id] = name
            subscribedIDs[name] = id
            if topics[name] == nil { topics[name] = state }
        }
        if let id, type == .suback {
            receivers[id] = subscriptions.values.filter { $0.topic == name }.sorted { $0.key < $1.key }
            // All who wanted it have gone since.
            if receivers[id]?.isEmpty == true {
                receivers[id] = nil
                subscribed.remove(name)
                subscribedIDs[name] = nil
                machine?.output.writeSMQ(.unsubscribe, id: id)
            }
        }
        if let id, type != .createsuback, observedIDs[id] == nil {
            let wishes = observations.values.filter { $0.target == .topic(name) }
            if !wishes.isEmpty { observe(id, for: wishes.sorted { $0.key < $1.key }) }
        }
        if leaving != nil, type == .suback, isSettled { effects.isSettled = true }
        drain()
    }

    /// Whether this session asked for the name and has no answer yet. From now on it has.
    private mutating func isAwaited(_ type: SMQMessageType, _ name: String) -> Bool {
        switch type {
        case .createsuback: if case .requested? = subtopics[name] { return true }
        case .createack: if case .requested? = topics[name] { return true }
        default:
            // Not by `subscribed`: a subscription may be cancelled, and made again, before the answer comes.
            guard let count = subscribesUnderWay[name] else { return false }
            subscribesUnderWay[name] = count > 1 ? count - 1 : nil
            return true
        }
        return false
    }

    private mutating func drain() {
        var done = 0
        for message in pending {
            do {
                if !(try write(message)) { break }
            } catch {
                // A message to a topic that was denied is dropped; the denial is an event.
                if let ticket = message.ticket { denied.append(ticket) }
            }
            pendingBytes -= message.payload.readableBytes
            done += 1
        }
        pending.removeFirst(done)
    }
}
