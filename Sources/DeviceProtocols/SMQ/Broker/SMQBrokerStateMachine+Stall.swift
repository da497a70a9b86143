import DeviceCore
import NIOCore

// Publishers that are held back for a receiver whose queue grows.
//
// A client waits for a client as long as that one reads. Where a link is in between, the wait is not only the
// publisher's: what comes over a link is everybody's. So a link spends few waits in vain on clients, all of them
// together, and a publisher few on links. Who is known to read is waited for all the same.
extension SMQBrokerStateMachine {
    /// The receiver for which a client is held back.
    public func receiver(holding publisher: PeerID) -> PeerID? { slot(of: publisher).flatMap { peers[$0].waitsFor } }

    /// A publisher's wait is over; says whether to wait as long again.
    ///
    /// A receiver that took a quarter of ``SMQBrokerLimits/stallThreshold`` meanwhile is fast enough: the publisher goes
    /// at its pace. One that took less may only have had no processor for a moment; it is waited for a few times.
    ///
    /// - Parameter written: what the receiver's socket took during the wait, in bytes.
    public mutating func continuesStall(_ publisher: PeerID, written: Int) -> Bool {
        guard let waiting = slot(of: publisher) else { return false }
        guard let receiver = peers[waiting].waitsFor.flatMap({ slot(of: $0) }), peers[receiver].phase.isAlive,
            peers[receiver].output.readableBytes > limits.stallThreshold / 2
        else {
            peers[waiting].waitsFor = nil
            return false
        }
        peers[waiting].waits += 1
        let isFast = written >= limits.stallThreshold / 4
        let goesOn =
            if peers[waiting].phase == .link {
                linkGoesOnWaiting(waiting, for: receiver, isFast: isFast)
            } else {
                clientGoesOnWaiting(waiting, for: receiver, isFast: isFast, written: written)
            }
        if !goesOn { peers[waiting].waitsFor = nil }
        return goesOn
    }

    /// Holds a publisher back for a receiver whose queue grows, unless waiting for that one has shown to be useless: then
    /// it fills its queue and is dropped.
    mutating func stall(_ publisher: Int, for receiver: Int) {
        guard publisher != receiver, peers[publisher].phase == .open || peers[publisher].phase == .link,
            peers[receiver].phase.isAlive, peers[publisher].waitsFor == nil, mayWait(publisher, for: receiver)
        else { return }
        peers[receiver].waitingPublishers.append(id(publisher))
        peers[publisher].waitsFor = id(receiver)
        peers[publisher].waits = 0
        statistics.stalls += 1
        actions.append(.pause(id(publisher), limits.stall))
    }

    /// A client takes its queue while publishers wait for it.
    mutating func noteReading(_ receiver: Int) {
        for publisher in peers[receiver].waitingPublishers {
            // After a whole wait that was in vain it is not fast.
            guard let link = slot(of: publisher), peers[link].phase == .link, peers[link].waits == 0,
                peers[link].waitsFor == id(receiver)
            else { continue }
            forgive(link, receiver)
        }
    }

    private mutating func mayWait(_ publisher: Int, for receiver: Int) -> Bool {
        if peers[publisher].phase == .link { return mayLinkWait(publisher, for: receiver) }
        let isForLink = peers[receiver].phase == .link
        guard peers[receiver].idleWaits < (isForLink ? limits.idleStallsPerLink : limits.idleStalls) else {
            return false
        }
        guard isForLink else { return true }
        return hasPatience(publisher) || peers[receiver].isReading
    }

    private mutating func hasPatience(_ publisher: Int) -> Bool {
        peers[publisher].patience.recover(now: peers[publisher].lastReceived, every: limits.stallRecovery)
        return peers[publisher].patience.spent < limits.idleStallsPerLink
    }

    // MARK: Links that wait for clients

    private mutating func mayLinkWait(_ link: Int, for receiver: Int) -> Bool {
        let now = peers[link].lastReceived
        // Taking the whole queue now and then is reading slowly.
        if peers[receiver].hasTakenSince, peers[receiver].lastLinkWait + .seconds(1) <= now {
            peers[receiver].linkWaits = 0
        }
        if peers[receiver].linkWaits < limits.idleStallsPerLink, hasPatience(link) || peers[receiver].isReading {
            return true
        }
        // Who had no processor for a while shows now that it reads fast; one wait in a while is enough for that.
        guard peers[receiver].hasTakenSince, peers[link].lastProbe + Self.probeInterval <= now else { return false }
        peers[link].lastProbe = now
        return true
    }

    private static let probeInterval = Duration.milliseconds(50)

    private mutating func linkGoesOnWaiting(_ link: Int, for receiver: Int, isFast: Bool) -> Bool {
        guard !isFast else {
            forgive(link, receiver)
            return true
        }
        peers[receiver].isReading = false
        peers[receiver].linkWaits = min(peers[receiver].linkWaits + 1, limits.idleStallsPerLink)
        peers[receiver].lastLinkWait = peers[link].lastReceived
        peers[receiver].hasTakenSince = false
        peers[link].patience.spend(of: limits.idleStallsPerLink)
        return peers[receiver].linkWaits < limits.idleStallsPerLink
            && peers[link].patience.spent < limits.idleStallsPerLink
    }

    /// A client reads fast: the waits for it were not in vain.
    private mutating func forgive(_ link: Int, _ receiver: Int) {
        peers[link].patience.giveBack(peers[receiver].linkWaits)
        peers[receiver].linkWaits = 0
        peers[receiver].isReading = true
    }

    // MARK: Clients that wait

    private mutating func clientGoesOnWaiting(
        _ publisher: Int, for receiver: Int, isFast: Bool, written: Int
    ) -> Bool {
        peers[receiver].idleWaits = isFast ? 0 : peers[receiver].idleWaits + 1
        guard peers[receiver].phase == .link else { return peers[receiver].idleWaits < limits.idleStalls }
        // A network may be slow; a node hangs when nothing is taken at all.
        if written > 0 {
            noteProgress(ofLink: receiver)
        } else {
            peers[receiver].isReading = false
            peers[receiver].vainWaits += 1
            peers[publisher].patience.spend(of: limits.idleStallsPerLink)
            noteLinksThatHang()
        }
        return peers[receiver].idleWaits < limits.idleStallsPerLink
            && (written > 0 || peers[publisher].patience.spent < limits.idleStallsPerLink)
    }

    /// A link takes something: it had no processor for a while and did not hang, so that the waits were not in vain.
    mutating func noteProgress(ofLink link: Int) {
        peers[link].isReading = true
        guard peers[link].vainWaits > 0 else { return }
        for publisher in peers[link].waitingPublishers {
            guard let slot = slot(of: publisher) else { continue }
            peers[slot].patience.giveBack(peers[link].vainWaits)
        }
        peers[link].vainWaits = 0
    }

    /// A wait for one link was one for all: those that are full too, and took nothing since the last, hang as well.
    private mutating func noteLinksThatHang() {
        for link in links where link.isActive {
            let slot = link.slot
            if peers[slot].output.readableBytes > limits.stallThreshold, peers[slot].taken == peers[slot].takenBefore {
                peers[slot].isReading = false
            }
            peers[slot].takenBefore = peers[slot].taken
        }
    }
}
