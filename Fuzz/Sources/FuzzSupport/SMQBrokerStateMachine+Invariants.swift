@testable import DeviceProtocols
import NIOCore

extension SMQBrokerStateMachine {
    /// Compares the broker's tables with each other.
    public func checkInvariants() {
        // What an ending session still has to be sent is no longer counted: it is given back just now.
        let waiting = peers.reduce(0) { $0 + ($1.phase.isAlive ? $1.waitingBytes : 0) }
        expect(queuedBytes == waiting, "queuedBytes is \(queuedBytes), but \(waiting) bytes wait")
        expect(queuedBytes <= limits.queuedBytes, "\(queuedBytes) bytes wait, the limit is \(limits.queuedBytes)")
        expect(clientCount >= 0 && clientCount <= limits.clients + limits.handshakes, "\(clientCount) clients")
        let open = peers.count { $0.phase == .open }
        expect(sessions == open && open <= limits.clients, "\(sessions) sessions are counted, \(open) are open")
        expect(Set(freeSlots).count == freeSlots.count, "a slot is free twice")
        for slot in peers.indices { checkPeer(slot) }
        for topic in topics.indices { checkTopic(topic) }
        checkLinks()
        for (id, destination) in destinations {
            switch destination {
            case .topic(let topic): expect(topics[topic].id == id, "topic \(topic) is not at \(id)")
            case .peer(let slot):
                expect(peers[slot].etid == id && peers[slot].phase == .open, "peer \(slot) is not at \(id)")
            case .phantom(let place):
                expect(phantoms[place].id == id && phantoms[place].isInUse, "phantom \(place) is not at \(id)")
            }
        }
        for (name, topic) in topicsByName { expect(topics[topic].name == name, "topic \(topic) has another name") }
        expect(topicsByName.count == topics.count, "\(topics.count) topics with \(topicsByName.count) names")
        expect(subtopicsByName.count == subtopicIDs.count, "sub-topic ids and names differ")
        for (index, subtopic) in subtopics.enumerated() {
            let users = peers.filter { $0.subtopics.contains(index) }.count
            expect(subtopic.references == users, "sub-topic \(index): \(subtopic.references) references")
        }
        expect(dropped.isEmpty, "a dropped client is still in the tables")
        for (uid, slot) in peersByUID {
            expect(peers[slot].uid == uid && peers[slot].phase == .open, "the holder of a unique id is not open")
        }
    }

    private func checkPeer(_ slot: Int) {
        let peer = peers[slot]
        let limit = peer.isLink ? limits.queuedBytesPerLink : limits.queuedBytesPerClient
        expect(!peer.phase.isAlive || peer.output.readableBytes <= limit, "peer \(slot) has too long a queue")
        let frame = peer.isLink ? SMQLinkFormat.maximumFrame : limits.frameLength
        expect(peer.partial.readableBytes < frame, "a partial frame of \(peer.partial.readableBytes)")
        expect(peer.early.readableBytes <= limits.frameLength, "\(peer.early.readableBytes) early bytes")
        expect(peer.heldInput == nil || peer.question != nil, "peer \(slot) is held without a question")
        expect(
            peer.heldInputBytes == (peer.heldInput?.reduce(0) { $0 + $1.readableBytes } ?? 0),
            "held bytes are counted wrong")
        expect(peer.question == nil || peer.phase == .open, "a question about a client without a session")
        expect(Set(peer.answers.keys).isSubset(of: peer.topics), "an answer on a topic that is not referenced")
        expect(peer.fragments.readableBytes <= SMQSize.maximumFragmentedPayload, "fragments grow")
        if peer.isDirty { expect(dirty.contains(id(slot)), "peer \(slot) is dirty and not listed") }
        expect(
            peer.isLink || peer.topics.count <= limits.topicsPerClient, "peer \(slot) has \(peer.topics.count) topics")
        expect(peer.subscriptions.isSubset(of: peer.topics), "a subscription to a topic that is not referenced")
        expect(peer.observedTopics.isSubset(of: peer.topics), "an observed topic that is not referenced")
        switch peer.phase {
        case .open:
            guard case .peer(slot)? = destinations[peer.etid] else {
                fatalError("invariant broken: nothing leads to the open peer \(slot)")
            }
            expect(peer.uid.flatMap { peersByUID[$0] } == slot, "the open peer \(slot) does not hold its unique id")
        case .link:
            expect(
                peer.isLink && links[peer.link].slot == slot && peer.etid == 0, "the link \(slot) is not in its table")
        default:
            expect(peer.etid == 0 && peer.topics.isEmpty, "the \(peer.phase) peer \(slot) still takes part")
            expect(peer.observers.isEmpty && peer.observedPeers.isEmpty, "the \(peer.phase) peer \(slot) is observed")
        }
        for observer in peer.observers {
            expect(peers[observer].observedPeers.contains(id(slot)), "peer \(observer) does not know what it observes")
        }
        expect(Set(peer.observers).count == peer.observers.count, "an observer is listed twice")
        for observed in peer.observedPeers {
            expect(
                self.slot(of: observed) != nil && peers[observed.slot].observers.contains(slot), "a lost observation")
        }
    }

    private func checkLinks() {
        for phantom in phantoms.indices where phantoms[phantom].isInUse {
            let value = phantoms[phantom]
            guard case .phantom(phantom)? = destinations[value.id],
                case .phantom(phantom)? = links[value.link].remote[value.remote]
            else { fatalError("invariant broken: nothing leads to phantom \(phantom)") }
            expect(links[value.link].isInUse, "the link of phantom \(phantom) has ended")
            expect(!freePhantoms.contains(phantom), "phantom \(phantom) is free and in use")
            for observer in value.observers {
                expect(peers[observer].observedPhantoms.contains(value.id), "peer \(observer) does not observe it")
            }
        }
        expect(phantomCount <= limits.phantoms, "\(phantomCount) phantoms")
        expect(Set(freePhantoms).count == freePhantoms.count, "a phantom is free twice")
        expect(linkSlots == peers.count { $0.isLink }, "\(linkSlots) links")
        for index in links.indices {
            let bit: UInt64 = 1 << UInt64(index)
            let isActive = links[index].isInUse && links[index].isActive
            expect((activeLinks & bit != 0) == isActive, "link \(index) is active or not")
        }
        for (index, topic) in topics.enumerated() {
            expect(topic.announced & ~activeLinks == 0, "a topic is announced to a link that has ended")
            if !topic.subscribers.isEmpty, !topic.isLocal {
                expect(topic.announced == activeLinks, "a topic with subscribers is not announced")
            } else {
                expect(topic.announced == 0, "a topic without subscribers is announced")
            }
            expect(
                topic.confirmation == 0 || confirmations[topic.confirmation]?.topics.contains(index) == true,
                "a lost confirmation")
            for remote in topic.remoteSubscribers {
                expect(links[remote.link].isInUse, "a remote subscriber on a link that has ended")
            }
        }
        for (request, confirmation) in confirmations {
            // One that topics share goes on when one of them has lost its subscribers, and perhaps got new ones.
            expect(
                confirmation.isShared || confirmation.topics.allSatisfy { topics[$0].confirmation == request },
                "a confirmation of another topic")
            expect(confirmation.links != 0 && confirmation.links & ~activeLinks == 0, "nobody can confirm \(request)")
        }
        for peer in peers {
            guard let first = peer.held.first else { continue }
            expect(confirmations[first.request] != nil, "an answer waits for nothing")
            expect(peer.heldBytes == peer.held.reduce(0) { $0 + $1.bytes.readableBytes }, "held bytes")
        }
    }

    private func checkTopic(_ topic: Int) {
        let users = peers.indices.filter { peers[$0].topics.contains(topic) }
        expect(topics[topic].references == users.count, "topic \(topic): \(topics[topic].references) references")
        let subscribers = peers.indices.filter { peers[$0].subscriptions.contains(topic) }
        expect(topics[topic].subscribers.sorted() == subscribers, "topic \(topic): subscribers differ")
        let observers = peers.indices.filter { peers[$0].observedTopics.contains(topic) }
        expect(topics[topic].observers.sorted() == observers, "topic \(topic): observers differ")
    }
}
