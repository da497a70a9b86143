import DeviceCore
import NIOCore

// What a link brings of another node: its subscriptions, its clients, its sub-topics.
extension SMQBrokerStateMachine {
    // MARK: Subscriptions

    mutating func subscribeRemote(_ index: Int, _ id: UInt32, _ name: ByteBuffer) {
        guard let topic = topicForLink(index, name) else {
            linkStatistics.denied += 1
            links[index].hasDenied = true
            // Own bytes: a slice would keep the whole read alive.
            if links[index].denied.count < Self.maximumDenied {
                links[index].denied[id] = ByteBuffer(bytes: name.readableBytesView)
            }
            return
        }
        add(topic, of: index, id)
    }

    /// Names of one link that are kept to be tried again.
    private static let maximumDenied = 1000

    /// Finds places for subscriptions that had none.
    mutating func retryDenied() {
        for index in links.indices where !links[index].denied.isEmpty && links[index].isActive {
            for (id, name) in links[index].denied where topicsByName[name] != nil || hasRoomForTopic() {
                links[index].denied[id] = nil
                if let topic = topicForLink(index, name) { add(topic, of: index, id) }
            }
        }
    }

    private mutating func add(_ topic: Int, of index: Int, _ id: UInt32) {
        if case .phantom(let phantom)? = links[index].remote[id] { removePhantom(phantom) }
        links[index].remote[id] = .topic(topic)
        topics[topic].remoteSubscribers.removeAll { $0.link == index }
        topics[topic].remoteSubscribers.append(RemoteSubscriber(link: index, id: id))
    }

    mutating func unsubscribeRemote(_ index: Int, _ id: UInt32) {
        links[index].denied[id] = nil
        guard case .topic(let topic)? = links[index].remote[id] else { return }
        links[index].remote[id] = nil
        let slot = links[index].slot
        guard peers[slot].topics.remove(topic) != nil else { return }
        release(topic, by: slot)
    }

    /// The topic of a name, which the link then uses; nil for one that stays on its node or finds no place.
    private mutating func topicForLink(_ index: Int, _ name: ByteBuffer) -> Int? {
        let isLocal = name.getInteger(at: name.readerIndex, as: UInt8.self) == UInt8(ascii: "$")
        guard !isLocal, name.readableBytes <= limits.topicNameLength,
            let topic = topicsByName[name] ?? newTopic(name)
        else { return nil }
        if peers[links[index].slot].topics.insert(topic).inserted { topics[topic].references += 1 }
        return topic
    }

    mutating func takeSubtopic(_ index: Int, _ name: ByteBuffer) {
        let slot = links[index].slot
        guard name.readableBytes <= limits.topicNameLength, let known = subtopicsByName[name] ?? newSubtopic(name)
        else {
            linkStatistics.denied += 1
            // Its id is the other node's, and could be anything's here.
            links[index].pendingSubtopic = 0
            return
        }
        if peers[slot].subtopics.insert(known).inserted { subtopics[known].references += 1 }
        let id = subtopics[known].id
        links[index].pendingSubtopic = id
        let channel = links[index].machine.smq.peer
        queue(to: slot) { $0.writeSMQLink(.subtopicAck, channel: channel, id: id, name: name) }
    }

    // MARK: Clients

    /// The id here of another node's client.
    mutating func phantom(_ index: Int, _ remote: UInt32) -> UInt32 {
        switch links[index].remote[remote] {
        case .phantom(let phantom)?:
            phantoms[phantom].isFresh = true
            return phantoms[phantom].id
        case .topic(let topic)?:
            // A topic cannot publish; only a node out of its mind says so.
            return topics[topic].id
        case nil: break
        }
        let new = Phantom(id: freshID(), link: index, remote: remote)
        let place: Int
        if let free = freePhantoms.popLast() {
            place = free
        } else if phantoms.count < limits.phantoms {
            place = phantoms.count
            phantoms.append(new)
        } else {
            place = forgetPhantom()
        }
        phantoms[place] = new
        destinations[new.id] = .phantom(place)
        links[index].remote[remote] = .phantom(place)
        return new.id
    }

    /// Forgets a client that was silent since the hand passed it last, and gives its place.
    private mutating func forgetPhantom() -> Int {
        // Ends: after one turn nobody is fresh.
        while true {
            phantomHand = (phantomHand + 1) % phantoms.count
            if !phantoms[phantomHand].isFresh { break }
            phantoms[phantomHand].isFresh = false
        }
        linkStatistics.forgottenPhantoms += 1
        let place = phantomHand
        links[phantoms[place].link].remote[phantoms[place].remote] = nil
        removePhantom(place)
        freePhantoms.removeLast()
        return place
    }

    mutating func release(_ index: Int, _ etid: UInt32) {
        guard case .phantom(let phantom)? = links[index].remote[etid] else { return }
        links[index].remote[etid] = nil
        removePhantom(phantom)
    }

    /// Takes a client of another node out of the tables and tells those who observe it.
    mutating func removePhantom(_ place: Int) {
        let phantom = phantoms[place]
        phantoms[place].isInUse = false
        phantoms[place].observers = []
        freePhantoms.append(place)
        destinations[phantom.id] = nil
        for observer in phantom.observers {
            peers[observer].observedPhantoms.removeAll { $0 == phantom.id }
            queue(to: observer) { [framing = peers[observer].framing] in
                $0.writeSMQChange(id: phantom.id, subscribers: 0, framing: framing)
            }
        }
    }

    mutating func observePhantom(_ slot: Int, _ place: Int) {
        guard peers[slot].observedPeers.count + peers[slot].observedPhantoms.count < limits.topicsPerClient else {
            statistics.denied += 1
            return
        }
        guard !phantoms[place].observers.contains(slot) else { return }
        phantoms[place].observers.append(slot)
        peers[slot].observedPhantoms.append(phantoms[place].id)
    }

    mutating func forgetObserver(_ slot: Int, ofPhantom id: UInt32) {
        guard case .phantom(let place)? = destinations[id] else { return }
        phantoms[place].observers.removeAll { $0 == slot }
    }

    /// A client has gone: nodes that know it are told.
    mutating func tellLinks(ofEnd etid: UInt32, knownTo mask: UInt64) {
        guard mask & activeLinks != 0 else { return }
        for index in links.indices where links[index].isActive && mask & (1 << UInt64(index)) != 0 {
            let channel = links[index].machine.smq.peer
            queue(to: links[index].slot) { $0.writeSMQLink(.release, channel: channel, id: etid) }
        }
    }
}
