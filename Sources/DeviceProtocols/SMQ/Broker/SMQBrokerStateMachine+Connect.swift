public import DeviceCore
import NIOCore

extension SMQBrokerStateMachine {
    /// The authenticate hook's answer.
    public mutating func complete(_ id: PeerID, _ decision: SMQConnectDecision, now: MonotonicTime) {
        guard let slot = slot(of: id), peers[slot].phase == .authenticating, let uid = peers[slot].uid else { return }
        defer { settle() }
        switch decision {
        case .accept where peers[slot].hasChanged, .acceptOwn where peers[slot].hasChanged:
            refuse(slot, .unavailable, Self.changed, .refused)
        case .accept, .acceptOwn:
            peers[slot].isOwn = decision == .acceptOwn
            accept(slot, uid: uid, information: peers[slot].information)
            peers[slot].information = ""
            settle()
            var early = ByteBuffer()
            swap(&early, &peers[slot].early)
            if early.readableBytes > 0 { receive(id, early, now: now) }
        case .refuse(let code, let reason):
            refuse(slot, code == .accepted ? .denied : code, reason, .refused)
        }
    }

    mutating func connect(
        _ slot: Int, version: UInt8, maximumFrame: UInt16, uid: ByteBuffer, credentials: ByteBuffer,
        information: String
    ) {
        guard version == 1 || version == 2 else {
            return refuse(slot, .badVersion, "version \(version) is unknown, use 1 or 2", .refused)
        }
        guard uid.readableBytes >= SMQSize.minimumUID else {
            return refuse(slot, .badVersion, "the unique id needs at least 6 bytes", .refused)
        }
        peers[slot].maximumFrame = Int(maximumFrame)
        // Own copies: a slice would keep the whole buffer of the read alive for the session's life.
        let ownUID = ByteBuffer(bytes: uid.readableBytesView)
        peers[slot].uid = ownUID
        guard authenticates else { return accept(slot, uid: ownUID, information: information) }
        peers[slot].phase = .authenticating
        if followsSessions { peers[slot].information = information }
        actions.append(
            .authenticate(
                id(slot),
                SMQConnectRequest(
                    uid: ownUID, credentials: ByteBuffer(bytes: credentials.readableBytesView),
                    information: information, seed: peers[slot].seed, address: peers[slot].address,
                    url: peers[slot].url, takesOver: peersByUID[ownUID] != nil)))
    }

    private mutating func accept(_ slot: Int, uid: ByteBuffer, information: String) {
        let old = peersByUID[uid]
        // A device that comes back has a place, although the broker may not have noticed yet that it was gone.
        guard old != nil || sessions < limits.clients else {
            statistics.refusedAtLimit += 1
            return refuse(slot, .unavailable, "the broker has as many clients as it allows", .refused)
        }
        let etid = old.map { peers[$0].etid } ?? freshID()
        peers[slot].etid = etid
        destinations[etid] = .peer(slot)
        peersByUID[uid] = slot
        peers[slot].phase = .open
        sessions += 1
        statistics.accepted += 1
        if let old {
            // As the vendor's broker does it: the new connection has the old one's ETID, nobody who observes it is
            // told of a change, and the old connection's subscriptions end.
            peers[slot].observers = peers[old].observers
            for observer in peers[slot].observers {
                for index in peers[observer].observedPeers.indices
                where peers[observer].observedPeers[index].slot == old {
                    peers[observer].observedPeers[index] = id(slot)
                }
            }
            peers[old].observers = []
            peers[slot].knownToLinks = peers[old].knownToLinks
            peers[old].knownToLinks = 0
            end(old, .takenOver, text: SMQGoodbye.reconnect)
        }
        if followsSessions { sessionChanges.append(change(slot, information: information)) }
        queue(to: slot) { [framing = peers[slot].framing] in
            $0.writeSMQConnack(.accepted, etid: etid, framing: framing)
        }
    }

    mutating func refuse(_ slot: Int, _ code: SMQConnackCode, _ text: String, _ reason: SMQCloseReason) {
        queue(to: slot) { [framing = peers[slot].framing] in
            $0.writeSMQConnack(code, etid: 0, reason: text, framing: framing)
        }
        peers[slot].uid = nil
        close(slot, reason)
    }
}
