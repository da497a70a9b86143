public import DeviceCore
import NIOCore

// Links to other nodes: each has a place among the connections, so that queue, stalls and memory limits are those of
// clients.
extension SMQBrokerStateMachine {
    /// Whether a connection is a link that carries messages.
    public func isUp(_ id: PeerID) -> Bool {
        guard let slot = slot(of: id), peers[slot].link >= 0 else { return false }
        return links[peers[slot].link].isActive
    }

    /// The links at this moment; those that have not proved to be nodes are not among them.
    public var linkStates: [SMQLinkState] {
        links.filter { $0.isInUse && $0.machine.phase == .open }.map { link in
            SMQLinkState(
                name: link.name.isEmpty ? link.address : link.name, address: link.address, nodeID: link.nodeID,
                isUp: link.isActive, confirms: link.isOurs, since: link.since,
                queuedBytes: peers[link.slot].output.readableBytes, sent: link.sent, received: link.received,
                status: link.status)
        }
    }

    /// Clients of other nodes that can be answered now.
    public var phantomCount: Int { phantoms.count - freePhantoms.count }

    /// Takes a connection to or from another node, and queues the handshake's first frame.
    ///
    /// Who has proved nothing has few places: those who come and those who were dialled do not take each other's, and
    /// nobody keeps others out by doing nothing.
    ///
    /// - Parameter isDialed: whether this node has made the connection.
    /// - Returns: nil for a broker that stands alone, and when there are as many as allowed; then close it.
    public mutating func attachLink(address: String, isDialed: Bool = false, now: MonotonicTime) -> PeerID? {
        guard let cluster else { return nil }
        if !isDialed { crowdOut(for: address) }
        let used = links.filter { $0.isInUse }
        let isUnproven = { (link: SMQBrokerLink) in link.machine.phase != .open && link.isDialed == isDialed }
        guard used.count(where: isUnproven) < (isDialed ? limits.unprovenDials : limits.unprovenLinks),
            used.count(where: { $0.machine.phase == .open }) < limits.links, used.count < UInt64.bitWidth
        else {
            linkStatistics.refusedAtLimit += 1
            return nil
        }
        let slot = takeSlot()
        peers[slot].phase = .link
        peers[slot].isLink = true
        peers[slot].address = address
        peers[slot].lastReceived = now
        linkSlots += 1
        // A weight that no other link of this node has: a foreign one that equals it then is no chance.
        var random = randomID()
        while used.contains(where: { $0.machine.weight == SMQLinkStateMachine.weight(from: random) }) { random &+= 1 }
        let machine = SMQLinkStateMachine(
            cluster.link, random: random,
            channels: (UInt16(truncatingIfNeeded: randomID()), UInt16(truncatingIfNeeded: randomID())), now: now)
        let link = SMQBrokerLink(slot: slot, machine: machine, address: address, isDialed: isDialed, since: now)
        if let free = links.firstIndex(where: { !$0.isInUse }) {
            links[free] = link
            peers[slot].link = free
        } else {
            peers[slot].link = links.count
            links.append(link)
        }
        queue(to: slot) { machine.greet(into: &$0) }
        settle()
        return id(slot)
    }

    /// Makes room for a connection that comes in: the oldest that has proved nothing goes, of its own address if there are
    /// as many from there as allowed, else of all.
    private mutating func crowdOut(for address: String) {
        let unproven = links.indices.filter {
            links[$0].isInUse && !links[$0].isDialed && links[$0].machine.phase != .open
        }
        let own = unproven.filter { links[$0].address == address }
        var crowd: [Int] = []
        if unproven.count >= limits.unprovenLinks { crowd = unproven }
        if own.count >= limits.unprovenLinksPerAddress { crowd = own }
        guard let oldest = crowd.min(by: { links[$0].since < links[$1].since }) else { return }
        linkStatistics.refusedAtLimit += 1
        closeLink(links[oldest].slot, .crowdedOut)
        settle()
    }

    /// Does what is due on links: deadlines, pings, the node's state. Call it a few times within
    /// ``SMQLinkStateMachine/Settings/pingAfter``.
    public mutating func tickLinks(status: NodeStatus, now: MonotonicTime) {
        guard let cluster else { return }
        for index in links.indices where links[index].isInUse {
            let slot = links[index].slot
            links[index].machine.lastReceived = max(links[index].machine.lastReceived, peers[slot].lastReceived)
            var output = ByteBuffer()
            let verdict = links[index].machine.tick(now: now, into: &output)
            if output.readableBytes > 0 { queue(to: slot) { $0.writeImmutableBuffer(output) } }
            switch verdict {
            case .fine: break
            case .tooSlow: closeLink(slot, .handshakeTimeout)
            case .dead: closeLink(slot, .dead)
            }
        }
        settle()
        retryDenied()
        expireConfirmations(now: now)
        if lastStatus + cluster.statusInterval <= now {
            lastStatus = now
            let status = SMQNodeMessage.status(status)
            for index in links.indices where links[index].isActive && links[index].isOurs {
                let channel = links[index].machine.node.peer
                queue(to: links[index].slot) { $0.writeSMQNode(status, channel: channel) }
            }
        }
        settle()
    }

    /// Ends a link. What waits for it is given back.
    mutating func closeLink(_ slot: Int, _ reason: SMQLinkCloseReason) {
        guard peers[slot].phase == .link else { return }
        linkStatistics.closed[reason, default: 0] += 1
        beginEnding(slot)
        if !reason.leavesTimeToRead { peers[slot].output = ByteBuffer() }
        leave(slot)
        actions.append(.closeLink(id(slot), reason))
    }

    /// What a link did not say any more: its node's subscriptions and clients go at once.
    mutating func leaveLink(_ slot: Int) {
        let index = peers[slot].link
        peers[slot].link = -1
        let wasActive = links[index].isActive
        links[index].isActive = false
        let bit: UInt64 = 1 << UInt64(index)
        activeLinks &= ~bit
        for topic in peers[slot].topics { topics[topic].remoteSubscribers.removeAll { $0.link == index } }
        if wasActive {
            for topic in topics.indices { topics[topic].announced &= ~bit }
            for peer in peers.indices { peers[peer].knownToLinks &= ~bit }
            for request in Array(confirmations.keys) { confirm(request, links: bit, isLate: false) }
            actions.append(.linkDown(id(slot)))
        }
        for remote in links[index].remote.values {
            if case .phantom(let phantom) = remote { removePhantom(phantom) }
        }
        links[index].remote = [:]
        links[index].denied = [:]
        links[index].remoteSubtopics = [:]
        links[index].isInUse = false
    }

    // MARK: Who is there

    /// The other end's weight has come: goes on unless it is one of this node's own, which means that the connection
    /// leads to itself, or that somebody plays this node's own proofs back to it.
    mutating func proveOver(_ index: Int) throws(SMQLinkError) {
        let weight = links[index].machine.peerWeight
        guard !links.contains(where: { $0.isInUse && $0.machine.weight == weight }) else {
            if let cluster { actions.append(.identified(id(links[index].slot), .node(cluster.nodeID))) }
            return closeLink(links[index].slot, .ownAddress)
        }
        var output = ByteBuffer()
        try links[index].machine.prove(into: &output)
        queue(to: links[index].slot) { $0.writeImmutableBuffer(output) }
    }

    /// The other end knows the password. Nodes of this package open the second channel first, so that both know with
    /// whom they talk before they open the first.
    mutating func openNodeChannel(_ index: Int) {
        let machine = links[index].machine
        queue(to: links[index].slot) { machine.open(.node, into: &$0) }
    }

    mutating func opened(_ channel: SMQLinkChannel, _ index: Int, now: MonotonicTime) {
        guard let cluster else { return }
        let slot = links[index].slot
        let machine = links[index].machine
        switch channel {
        case .node:
            queue(to: slot) {
                $0.writeSMQNode(
                    .hello(version: SMQNodeMessage.version, id: cluster.nodeID, name: cluster.name),
                    channel: machine.node.peer)
            }
        case .smq:
            guard !links[index].isActive else { return }
            if machine.node.peer == 0 {
                // The vendor's node has chosen this one of several links; it has closed the others.
                let address = links[index].address
                replace(index) { !$0.isOurs && $0.address == address }
                actions.append(.identified(id(slot), .vendor(address)))
            } else {
                guard let node = links[index].nodeID else { return closeLink(slot, .protocolViolation) }
                replace(index) { $0.nodeID == node }
            }
            activate(index, now: now)
        }
    }

    /// Ends what was the link to the same node so far.
    private mutating func replace(_ index: Int, _ isSame: (SMQBrokerLink) -> Bool) {
        for old in links.indices where old != index && links[old].isActive && isSame(links[old]) {
            closeLink(links[old].slot, .replaced)
        }
    }

    private mutating func activate(_ index: Int, now: MonotonicTime) {
        let slot = links[index].slot
        let machine = links[index].machine
        if !links[index].hasOpened {
            links[index].hasOpened = true
            queue(to: slot) { machine.open(.smq, into: &$0) }
        }
        guard peers[slot].phase == .link else { return }
        links[index].isActive = true
        links[index].since = now
        activeLinks |= 1 << UInt64(index)
        linkStatistics.established += 1
        actions.append(.linkUp(id(slot)))
        announceAll(to: index, now: now)
    }

    mutating func receiveNodeMessage(_ index: Int, _ message: SMQNodeMessage) {
        guard let cluster else { return }
        let slot = links[index].slot
        switch message {
        case .hello(_, let node, let name):
            guard links[index].nodeID == nil else { return }
            links[index].nodeID = node
            links[index].name = name.printable
            actions.append(.identified(id(slot), .node(node)))
            guard node != cluster.nodeID else { return closeLink(slot, .ownAddress) }
            // Both ends may have dialled at the same moment. The one with the larger id chooses: the first link.
            guard cluster.nodeID > node else { return }
            let isLinked = links.indices.contains {
                $0 != index && links[$0].isInUse && links[$0].nodeID == node && links[$0].hasOpened
            }
            guard !isLinked else { return closeLink(slot, .duplicate) }
            links[index].hasOpened = true
            let machine = links[index].machine
            queue(to: slot) { machine.open(.smq, into: &$0) }
        case .status(let status): links[index].status = status
        case .confirm(let request):
            // What found no place here is not known here; the other node then waits as for one that hangs.
            guard !links[index].hasDenied else {
                links[index].hasDenied = false
                return
            }
            let channel = links[index].machine.node.peer
            queue(to: slot) { $0.writeSMQNode(.confirmed(request), channel: channel) }
        case .confirmed(let request): confirm(request, links: 1 << UInt64(index), isLate: false)
        case .unknown: break
        }
    }
}
