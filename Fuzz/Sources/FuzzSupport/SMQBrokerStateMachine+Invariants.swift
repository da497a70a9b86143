@testable import DeviceProtocols
import NIOCore

extension SMQBrokerStateMachine {
    /// Compares the broker's tables with each other.
    public func checkInvariants() {
        // What an ending session still has to be sent is no longer counted: it is given back just now.
        let waiting = peers.reduce(0) { $0 + ($1.phase.isAlive ? $1.output.readableBytes : 0) }
        expect(queuedBytes == waiting, "queuedBytes is \(queuedBytes), but \(waiting) bytes wait")
        expect(queuedBytes <= limits.queuedBytes, "\(queuedBytes) bytes wait, the limit is \(limits.queuedBytes)")
        expect(clientCount >= 0 && clientCount <= limits.clients, "\(clientCount) clients")
        expect(Set(freeSlots).count == freeSlots.count, "a slot is free twice")
        for slot in peers.indices { checkPeer(slot) }
        for topic in topics.indices { checkTopic(topic) }
        for (id, destination) in destinations {
            switch destination {
            case .topic(let topic): expect(topics[topic].id == id, "topic \(topic) is not at \(id)")
            case .peer(let slot):
                expect(peers[slot].etid == id && peers[slot].phase == .open, "peer \(slot) is not at \(id)")
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
        expect(peer.output.readableBytes <= limits.queuedBytesPerClient, "peer \(slot) has too long a queue")
        expect(peer.partial.readableBytes < limits.frameLength, "a partial frame of \(peer.partial.readableBytes)")
        expect(peer.early.readableBytes <= limits.frameLength, "\(peer.early.readableBytes) early bytes")
        expect(peer.fragments.readableBytes <= SMQSize.maximumFragmentedPayload, "fragments grow")
        if peer.isDirty { expect(dirty.contains(id(slot)), "peer \(slot) is dirty and not listed") }
        expect(peer.topics.count <= limits.topicsPerClient, "peer \(slot) has \(peer.topics.count) topics")
        expect(peer.subscriptions.isSubset(of: peer.topics), "a subscription to a topic that is not referenced")
        expect(peer.observedTopics.isSubset(of: peer.topics), "an observed topic that is not referenced")
        switch peer.phase {
        case .open:
            guard case .peer(slot)? = destinations[peer.etid] else {
                fatalError("invariant broken: nothing leads to the open peer \(slot)")
            }
            expect(peer.uid.flatMap { peersByUID[$0] } == slot, "the open peer \(slot) does not hold its unique id")
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

    private func checkTopic(_ topic: Int) {
        let users = peers.indices.filter { peers[$0].topics.contains(topic) }
        expect(topics[topic].references == users.count, "topic \(topic): \(topics[topic].references) references")
        let subscribers = peers.indices.filter { peers[$0].subscriptions.contains(topic) }
        expect(topics[topic].subscribers.sorted() == subscribers, "topic \(topic): subscribers differ")
        let observers = peers.indices.filter { peers[$0].observedTopics.contains(topic) }
        expect(topics[topic].observers.sorted() == observers, "topic \(topic): observers differ")
    }
}
