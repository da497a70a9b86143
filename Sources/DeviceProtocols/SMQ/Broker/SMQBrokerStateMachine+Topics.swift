import DeviceCore
import NIOCore

extension SMQBrokerStateMachine {
    mutating func create(_ slot: Int, _ name: ByteBuffer) {
        let topic = resolve(slot, name, .create)
        acknowledge(slot, .createack, topic.map { topics[$0].id }, name)
    }

    mutating func subscribe(_ slot: Int, _ name: ByteBuffer) {
        let topic = resolve(slot, name, .subscribe)
        guard let topic, peers[slot].subscriptions.insert(topic).inserted else {
            let request = topic.map { topics[$0].confirmation } ?? 0
            return acknowledge(slot, .suback, topic.map { topics[$0].id }, name, after: request)
        }
        topics[topic].subscribers.append(slot)
        if topics[topic].subscribers.count == 1 { announce(topic, now: peers[slot].lastReceived) }
        acknowledge(slot, .suback, topics[topic].id, name, after: topics[topic].confirmation)
        tellObservers(of: topic)
    }

    mutating func createSubtopic(_ slot: Int, _ name: ByteBuffer) {
        guard isPermitted(slot, name, .createSubtopic) else { return acknowledge(slot, .createsuback, nil, name) }
        let known = subtopicsByName[name]
        if let known, peers[slot].subtopics.contains(known) {
            return acknowledge(slot, .createsuback, subtopics[known].id, name)
        }
        guard peers[slot].subtopics.count < limits.topicsPerClient, let index = known ?? newSubtopic(name) else {
            statistics.denied += 1
            return acknowledge(slot, .createsuback, nil, name)
        }
        peers[slot].subtopics.insert(index)
        subtopics[index].references += 1
        acknowledge(slot, .createsuback, subtopics[index].id, name)
    }

    mutating func newSubtopic(_ name: ByteBuffer) -> Int? {
        var id = randomID()
        while id == 0 || subtopicIDs[id] != nil { id = id &+ 0x9E37_79B9 }
        let subtopic = Subtopic(name: ByteBuffer(bytes: name.readableBytesView), id: id)
        let index: Int
        if subtopics.count < limits.topics {
            index = subtopics.count
            subtopics.append(subtopic)
        } else if let unused = takeUnusedSubtopic() {
            subtopicsByName[subtopics[unused].name] = nil
            subtopicIDs[subtopics[unused].id] = nil
            subtopics[unused] = subtopic
            index = unused
        } else {
            return nil
        }
        subtopicIDs[id] = index
        subtopicsByName[subtopic.name] = index
        return index
    }

    mutating func unsubscribe(_ slot: Int, _ id: UInt32) {
        guard case .topic(let topic)? = destinations[id], peers[slot].subscriptions.remove(topic) != nil else { return }
        removeSubscriber(slot, from: topic)
    }

    mutating func observe(_ slot: Int, _ id: UInt32) {
        let framing = peers[slot].framing
        switch destinations[id] {
        case .topic(let topic)?:
            guard mayObserve(slot, topic), reference(topic, by: slot) else { return }
            if peers[slot].observedTopics.insert(topic).inserted { topics[topic].observers.append(slot) }
            let count = UInt32(clamping: topics[topic].subscribers.count)
            queue(to: slot) { $0.writeSMQChange(id: id, subscribers: count, framing: framing) }
        case .peer(let observed)?:
            guard peers[slot].observedPeers.count + peers[slot].observedPhantoms.count < limits.topicsPerClient else {
                statistics.denied += 1
                return
            }
            // No change now: only the end of the connection is told.
            if !peers[observed].observers.contains(slot) {
                peers[observed].observers.append(slot)
                peers[slot].observedPeers.append(self.id(observed))
            }
        case .phantom(let phantom)?: observePhantom(slot, phantom)
        case nil:
            queue(to: slot) { $0.writeSMQChange(id: id, subscribers: 0, framing: framing) }
        }
    }

    mutating func unobserve(_ slot: Int, _ id: UInt32) {
        switch destinations[id] {
        case .topic(let topic)?:
            if peers[slot].observedTopics.remove(topic) != nil { topics[topic].observers.removeAll { $0 == slot } }
        case .peer(let observed)?:
            peers[observed].observers.removeAll { $0 == slot }
            peers[slot].observedPeers.removeAll { $0.slot == observed }
        case .phantom?:
            forgetObserver(slot, ofPhantom: id)
            peers[slot].observedPhantoms.removeAll { $0 == id }
        case nil: break
        }
    }

    /// Ends what a leaving client has to do with a topic.
    mutating func release(_ topic: Int, by slot: Int) {
        topics[topic].references -= 1
        if topics[topic].references == 0, !topics[topic].isListedUnused {
            topics[topic].isListedUnused = true
            unusedTopics.append(topic)
        }
        if peers[slot].observedTopics.remove(topic) != nil { topics[topic].observers.removeAll { $0 == slot } }
        if peers[slot].subscriptions.remove(topic) != nil { removeSubscriber(slot, from: topic) }
        let link = peers[slot].link
        if link >= 0 { topics[topic].remoteSubscribers.removeAll { $0.link == link } }
    }

    private mutating func removeSubscriber(_ slot: Int, from topic: Int) {
        guard let index = topics[topic].subscribers.firstIndex(of: slot) else { return }
        topics[topic].subscribers.remove(at: index)
        if topics[topic].subscribers.isEmpty { withdraw(topic) }
        tellObservers(of: topic)
    }

    private mutating func tellObservers(of topic: Int) {
        guard !topics[topic].observers.isEmpty else { return }
        let count = UInt32(clamping: topics[topic].subscribers.count)
        let id = topics[topic].id
        for observer in topics[topic].observers {
            queue(to: observer) { [framing = peers[observer].framing] in
                $0.writeSMQChange(id: id, subscribers: count, framing: framing)
            }
        }
    }

    mutating func acknowledge(
        _ slot: Int, _ type: SMQMessageType, _ id: UInt32?, _ name: ByteBuffer, after request: UInt32 = 0
    ) {
        reply(slot, after: request) { [framing = peers[slot].framing] in
            $0.writeSMQAck(type, accepted: id != nil, id: id ?? 0, name: name, framing: framing)
        }
    }

    /// Whether the permit hook lets a client publish to a topic. A client can know the id of a topic that it may
    /// only subscribe to, or guess one, so what counts is the hook's answer and not how the client came by the id.
    mutating func mayPublish(_ slot: Int, to topic: Int) -> Bool {
        if topics[topic].isReserved { return false }
        guard permit != nil else { return true }
        if let known = peers[slot].mayPublish[topic] { return known }
        // Referenced, so that the answer does not outlive the topic.
        guard reference(topic, by: slot) else { return false }
        let answer = isPermitted(slot, topics[topic].name, .create)
        peers[slot].mayPublish[topic] = answer
        return answer
    }

    /// Whether the permit hook lets a client know how many subscribers a topic has: who may subscribe or publish may.
    private mutating func mayObserve(_ slot: Int, _ topic: Int) -> Bool {
        guard let permit else { return true }
        if peers[slot].subscriptions.contains(topic) || peers[slot].mayPublish[topic] == true { return true }
        let isAllowed = [SMQTopicRequest.Operation.subscribe, .create].contains {
            permit(
                SMQTopicRequest(
                    operation: $0, name: topics[topic].name.remainingText(), uid: peers[slot].uid ?? ByteBuffer(),
                    address: peers[slot].address, etid: peers[slot].etid))
        }
        if !isAllowed { statistics.denied += 1 }
        return isAllowed
    }

    private mutating func isPermitted(
        _ slot: Int, _ name: ByteBuffer, _ operation: SMQTopicRequest.Operation
    ) -> Bool {
        guard name.readableBytes <= limits.topicNameLength else {
            statistics.denied += 1
            return false
        }
        guard let permit else { return true }
        let request = SMQTopicRequest(
            operation: operation, name: name.remainingText(), uid: peers[slot].uid ?? ByteBuffer(),
            address: peers[slot].address, etid: peers[slot].etid)
        if permit(request) { return true }
        statistics.denied += 1
        return false
    }

    /// Finds or makes the topic of a name, and notes that the client uses it.
    private mutating func resolve(
        _ slot: Int, _ name: ByteBuffer, _ operation: SMQTopicRequest.Operation
    ) -> Int? {
        guard isPermitted(slot, name, operation) else { return nil }
        if let known = topicsByName[name] { return reference(known, by: slot) ? known : nil }
        guard peers[slot].topics.count < limits.topicsPerClient else {
            statistics.denied += 1
            return nil
        }
        guard let index = newTopic(name) else { return nil }
        _ = reference(index, by: slot)
        return index
    }

    /// Makes a topic; nil when there are as many as allowed, and all are in use.
    mutating func newTopic(_ name: ByteBuffer) -> Int? {
        let topic = Topic(name: ByteBuffer(bytes: name.readableBytesView), id: freshID())
        let index: Int
        if topics.count < limits.topics {
            index = topics.count
            topics.append(topic)
        } else if let unused = takeUnusedTopic() {
            topicsByName[topics[unused].name] = nil
            destinations[topics[unused].id] = nil
            topics[unused] = topic
            index = unused
        } else {
            statistics.denied += 1
            return nil
        }
        topicsByName[topic.name] = index
        destinations[topic.id] = .topic(index)
        return index
    }

    /// The topic that has been unused longest. Those that came into use again leave the list here, each once for each
    /// time that it was put there.
    private mutating func takeUnusedTopic() -> Int? {
        while let topic = unusedTopics.popFirst() {
            topics[topic].isListedUnused = false
            if topics[topic].references == 0 { return topic }
        }
        return nil
    }

    /// Whether a new topic would find a place.
    mutating func hasRoomForTopic() -> Bool {
        if topics.count < limits.topics { return true }
        while let topic = unusedTopics.first {
            if topics[topic].references == 0 { return true }
            topics[topic].isListedUnused = false
            unusedTopics.removeFirst()
        }
        return false
    }

    private mutating func takeUnusedSubtopic() -> Int? {
        while let subtopic = unusedSubtopics.popFirst() {
            subtopics[subtopic].isListedUnused = false
            if subtopics[subtopic].references == 0 { return subtopic }
        }
        return nil
    }

    mutating func releaseSubtopic(_ subtopic: Int) {
        subtopics[subtopic].references -= 1
        guard subtopics[subtopic].references == 0, !subtopics[subtopic].isListedUnused else { return }
        subtopics[subtopic].isListedUnused = true
        unusedSubtopics.append(subtopic)
    }

    mutating func reference(_ topic: Int, by slot: Int) -> Bool {
        if peers[slot].topics.contains(topic) { return true }
        guard peers[slot].topics.count < limits.topicsPerClient else {
            statistics.denied += 1
            return false
        }
        peers[slot].topics.insert(topic)
        topics[topic].references += 1
        return true
    }
}
