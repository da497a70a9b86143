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

    mutating func subscribe(_ subscription: SMQSubscription, etid: UInt32) {
        if let subtopic = subscription.subtopic { request(.createsub, subtopic) }
        guard let topic = subscription.topic else {
            receivers[etid, default: []].append(subscription)
            return
        }
        if case .known(let id)? = topics[topic], subscribed.contains(topic) {
            receivers[id, default: []].append(subscription)
        } else if subscribed.insert(topic).inserted {
            machine?.output.writeSMQ(.subscribe, text: topic)
        }
    }

    mutating func cancel(_ subscription: SMQSubscription) {
        guard subscriptions.removeValue(forKey: subscription.key) != nil else { return }
        for id in receivers.keys {
            receivers[id]?.removeAll { $0 === subscription }
            if receivers[id]?.isEmpty == true { receivers[id] = nil }
        }
        guard let topic = subscription.topic, !subscriptions.values.contains(where: { $0.topic == topic }),
            subscribed.remove(topic) != nil, case .known(let id)? = topics[topic]
        else { return }
        machine?.output.writeSMQ(.unsubscribe, id: id)
    }

    mutating func observe(_ observation: SMQObservation) {
        guard isOpen else { return }
        switch observation.target {
        case .peer(let peer):
            // A peer of an earlier session is gone as far as this session can tell.
            guard peer.session == session else { return }
            observedIDs[peer.id, default: []].append(observation)
            machine?.output.writeSMQ(.observe, id: peer.id)
        case .topic(let name):
            if case .known(let id)? = topics[name] {
                observedIDs[id, default: []].append(observation)
                machine?.output.writeSMQ(.observe, id: id)
            } else {
                request(.create, name)
            }
        }
    }

    /// Writes a message, or keeps it until its names have ids. Order is kept.
    mutating func publish(_ message: Pending) throws(DeviceError) {
        if pending.isEmpty, try write(message) { return }
        guard pending.count < configuration.pendingMessages else {
            throw DeviceError(
                .limitExceeded, "\(pending.count) messages already wait for the broker to name their topics",
                hint: "Publish more slowly, or raise pendingMessages")
        }
        if case .topic(let name) = message.destination { request(.create, name) }
        if let subtopic = message.subtopic { request(.createsub, subtopic) }
        pending.append(message)
    }

    /// - Returns: false while an id is not known yet.
    private mutating func write(_ message: Pending) throws(DeviceError) -> Bool {
        guard message.payload.readableBytes <= SMQSize.maximumPayload else {
            throw DeviceError(
                .limitExceeded,
                "a payload of \(message.payload.readableBytes) bytes does not fit one message of at most \(SMQSize.maximumPayload)",
                hint: "Send it in parts")
        }
        var destination: UInt32 = 0
        switch message.destination {
        case .peer(let peer):
            guard peer.session == session else {
                throw DeviceError(.closed, "the receiver's id belongs to an earlier session", hint: "Wait for its next message")
            }
            destination = peer.id
        case .topic(let name):
            switch topics[name] {
            case .known(let id)?: destination = id
            case .denied?: throw DeviceError(.refused, "the broker does not permit the topic \(name)")
            default: return false
            }
        }
        var subtopic: UInt32 = 0
        if let name = message.subtopic {
            switch subtopics[name] {
            case .known(let id)?: subtopic = id
            case .denied?: throw DeviceError(.refused, "the broker does not permit the sub-topic \(name)")
            default: return false
            }
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

    mutating func acknowledge(_ type: SMQMessageType, _ name: String, _ id: UInt32?, _ effects: inout Effects) {
        let state = id.map(Name.known) ?? .denied
        if id == nil { effects.denied.append(name) }
        if type == .createsuback {
            subtopics[name] = state
            if let id { subtopicNames[id] = name }
        } else {
            topics[name] = state
            if let id { topicNames[id] = name }
        }
        if let id, type == .suback {
            receivers[id] = subscriptions.values.filter { $0.topic == name }.sorted { $0.key < $1.key }
            // All who wanted it have gone since.
            if receivers[id]?.isEmpty == true {
                receivers[id] = nil
                subscribed.remove(name)
                machine?.output.writeSMQ(.unsubscribe, id: id)
            }
        }
        if let id, type != .createsuback, observedIDs[id] == nil {
            let wishes = observations.values.filter { $0.target == .topic(name) }
            if !wishes.isEmpty {
                observedIDs[id] = wishes.sorted { $0.key < $1.key }
                machine?.output.writeSMQ(.observe, id: id)
            }
        }
        drain()
    }

    private mutating func drain() {
        var done = 0
        for message in pending {
            // A message to a topic that was denied is dropped; the denial is an event.
            if let written = try? write(message), !written { break }
            done += 1
        }
        pending.removeFirst(done)
    }
}
