import DeviceCore
import DeviceProtocols
import NIOCore
import Testing

@Suite struct BrokerLimitsTests {
    private func bench(
        permit: (@Sendable (SMQTopicRequest) -> Bool)? = nil, _ set: (inout SMQBrokerLimits) -> Void
    ) -> BrokerBench {
        var limits = SMQBrokerLimits()
        set(&limits)
        return BrokerBench(limits, permit: permit)
    }

    @Test func clients() throws {
        let bench = bench { $0.clients = 2 }
        let first = try bench.open("client-1")
        _ = try bench.open("client-2")
        let third = try bench.attach()
        _ = try bench.frames(third)
        bench.connect(third, uid: "client-3")
        guard case .connack(.unavailable, 0, _)? = try bench.frames(third).first else { throw Unexpected() }
        #expect(bench.closed == [third: .refused])
        #expect(bench.machine.statistics.refusedAtLimit == 1)
        bench.detach(first.peer)
        _ = try bench.open("client-3")
    }

    /// Issue 2: a device that comes back after a half-open connection must get in.
    @Test(arguments: [false, true]) func aFullBrokerTakesItsOwnDevicesBack(_ authenticates: Bool) throws {
        var limits = SMQBrokerLimits()
        limits.clients = 2
        let bench = BrokerBench(limits, authenticates: authenticates)
        func open(_ uid: String) throws -> BrokerBench.PeerID {
            let peer = try bench.attach()
            _ = try bench.frames(peer)
            bench.connect(peer, uid: uid)
            if authenticates { bench.complete(peer, .accept) }
            return peer
        }
        let first = try open("device-1")
        _ = try open("device-2")
        let again = try open("device-1")
        guard case .connack(.accepted, _, _)? = try bench.frames(again).first else { throw Unexpected() }
        #expect(bench.closed == [first: .takenOver])
        let stranger = try open("device-3")
        guard case .connack(.unavailable, _, _)? = try bench.frames(stranger).first else { throw Unexpected() }
        // Each session is counted once, however it ends.
        bench.detach(again)
        _ = try open("device-3")
        let full = try open("device-4")
        guard case .connack(.unavailable, _, _)? = try bench.frames(full).first else { throw Unexpected() }
    }

    @Test func connectionsWithoutASession() throws {
        let bench = bench {
            $0.clients = 1
            $0.handshakes = 2
        }
        _ = try bench.open("client")
        let silent = try bench.attach()
        _ = try bench.attach()
        #expect(bench.machine.attach(framing: .raw, address: "", now: bench.now) == nil)
        #expect(bench.machine.statistics.refusedAtLimit == 1)
        bench.detach(silent)
        _ = try bench.attach()
    }

    @Test func topicsThatNobodyUsesMakeRoom() throws {
        let bench = bench { $0.topics = 2 }
        let keeper = try bench.open("keeper")
        let kept = try bench.subscribe(keeper, "kept")
        let guest = try bench.open("guest-1")
        let old = try bench.create(guest, "old")
        bench.send(guest) { $0.writeSMQ(.create, text: "one too many") }
        #expect(
            try bench.frames(guest) == [.ack(.createack, accepted: false, id: 0, name: text("one too many"))])
        bench.detach(guest.peer)
        let other = try bench.open("guest-2")
        let new = try bench.subscribe(other, "new")
        #expect(new != old && new != kept)
        // The old id leads nowhere, the kept one still does.
        bench.publish(keeper, to: old)
        #expect(try bench.frames(other) == [])
        bench.publish(other, to: kept)
        #expect(try bench.frames(keeper).count == 1)
        #expect(bench.machine.topicCount == 2)
    }

    @Test func subtopicsThatNobodyUsesMakeRoom() throws {
        let bench = bench { $0.topics = 2 }
        func createsub(_ client: BrokerBench.Client, _ name: String) throws -> Bool {
            bench.send(client) { $0.writeSMQ(.createsub, text: name) }
            guard case .ack(.createsuback, let accepted, _, _)? = try bench.frames(client).first else { return false }
            return accepted
        }
        let keeper = try bench.open("keeper")
        #expect(try createsub(keeper, "kept"))
        let guest = try bench.open("guest-1")
        #expect(try createsub(guest, "old"))
        #expect(try !createsub(guest, "one too many"))
        bench.detach(guest.peer)
        let other = try bench.open("guest-2")
        #expect(try createsub(other, "new"))
        #expect(try createsub(keeper, "kept"))
    }

    /// A name that is used again is not given away, although it was unused for a while.
    @Test func theNameUnusedLongestMakesRoom() throws {
        let bench = bench { $0.topics = 3 }
        let keeper = try bench.open("keeper")
        func use(_ names: String...) throws {
            let guest = try bench.open("guest-")
            for name in names { try bench.create(guest, name) }
            bench.detach(guest.peer)
        }
        try use("a")
        try use("b")
        try use("c")
        // In use, out of use, and in use again.
        try use("a")
        let a = try bench.subscribe(keeper, "a")
        try use("d")
        try use("e")
        #expect(bench.machine.topicCount == 3)
        #expect(try bench.subscribe(keeper, "a") == a)
        // c gave its place to e, b to d; what is left is unused again and goes in the same order.
        let other = try bench.open("other one")
        try bench.subscribe(other, "f")
        try bench.subscribe(other, "g")
        bench.send(other) { $0.writeSMQ(.create, text: "h") }
        #expect(try bench.frames(other) == [.ack(.createack, accepted: false, id: 0, name: text("h"))])
    }

    @Test func topicsOfOneClient() throws {
        let bench = bench { $0.topicsPerClient = 2 }
        let client = try bench.open("client")
        let other = try bench.open("other one")
        let foreign = try bench.create(other, "c")
        try bench.subscribe(client, "a")
        try bench.create(client, "b")
        bench.send(client) {
            $0.writeSMQ(.subscribe, text: "c")
            $0.writeSMQ(.create, text: "d")
            $0.writeSMQ(.observe, id: foreign)
            $0.writeSMQ(.subscribe, text: "b")
        }
        let accepted = try bench.frames(client).map { frame in
            guard case .ack(_, let accepted, _, _) = frame else { throw Unexpected(frame: frame) }
            return accepted
        }
        #expect(accepted == [false, false, true])
        #expect(bench.machine.statistics.denied == 3)
    }

    @Test func subtopicsOfOneClient() throws {
        let bench = bench { $0.topicsPerClient = 2 }
        let client = try bench.open("client")
        bench.send(client) { for name in ["a", "b", "c", "a"] { $0.writeSMQ(.createsub, text: name) } }
        let accepted = try bench.frames(client).map { frame in
            guard case .ack(_, let accepted, _, _) = frame else { throw Unexpected(frame: frame) }
            return accepted
        }
        #expect(accepted == [true, true, false, true])
    }

    @Test func observedPeersOfOneClient() throws {
        let bench = bench { $0.topicsPerClient = 1 }
        let watcher = try bench.open("watcher")
        let peers = try (0..<2).map { try bench.open("client-\($0)") }
        bench.send(watcher) { for peer in peers { $0.writeSMQ(.observe, id: peer.etid) } }
        for peer in peers { bench.detach(peer.peer) }
        #expect(try bench.frames(watcher) == [.change(id: peers[0].etid, subscribers: 0)])
        #expect(bench.machine.statistics.denied == 1)
    }

    @Test func lengthOfNames() throws {
        let bench = bench { $0.topicNameLength = 4 }
        let client = try bench.open("client")
        bench.send(client) {
            $0.writeSMQ(.create, text: "1234")
            $0.writeSMQ(.create, text: "12345")
            $0.writeSMQ(.createsub, text: "12345")
        }
        let accepted = try bench.frames(client).map { frame in
            guard case .ack(_, let accepted, _, _) = frame else { throw Unexpected(frame: frame) }
            return accepted
        }
        #expect(accepted == [true, false, false])
    }

    // MARK: Rates

    @Test func messagesASecond() throws {
        let bench = bench { $0.messagesPerSecond = 10 }
        let client = try bench.open("client")
        func burst(_ count: Int) {
            bench.send(client) {
                for _ in 0..<count {
                    $0.writeSMQPublish(to: 0x7777, from: client.etid, subtopic: 0, payload: ByteBuffer())
                }
            }
        }
        burst(10)
        #expect(bench.pauses.isEmpty)
        burst(5)
        let pause = try #require(bench.pauses.first)
        #expect(pause.peer == client.peer)
        #expect(pause.duration > .milliseconds(499) && pause.duration < .milliseconds(501))
        #expect(bench.machine.statistics.throttled == 1)
        // What was used too early has to be waited for; then the credit is a second's at most.
        bench.forgetPauses()
        bench.now = bench.now + .seconds(100)
        burst(10)
        #expect(bench.pauses.isEmpty)
        burst(1)
        #expect(bench.pauses.count == 1)
    }

    /// Whatever a client asks for costs as much as a message; what only keeps the connection alive costs nothing.
    @Test(arguments: [
        (SMQMessageType.subscribe, true), (.create, true), (.createsub, true), (.unsubscribe, true), (.observe, true),
        (.unobserve, true), (.pubfrag, true), (.publish, true), (.ping, true), (.pong, false),
    ]) func everyRequestASecond(_ type: SMQMessageType, _ costs: Bool) throws {
        let bench = bench { $0.messagesPerSecond = 10 }
        let client = try bench.open("client")
        func burst(_ count: Int) {
            bench.send(client) {
                for _ in 0..<count {
                    switch type {
                    case .subscribe, .create, .createsub: $0.writeSMQ(type, text: "name")
                    case .unsubscribe, .observe, .unobserve: $0.writeSMQ(type, id: client.etid)
                    case .publish, .pubfrag:
                        $0.writeSMQPublish(type, to: 0, from: client.etid, subtopic: 0, payload: text("x"))
                    default: $0.writeSMQ(type)
                    }
                }
            }
        }
        burst(10)
        #expect(bench.pauses.isEmpty)
        burst(1)
        #expect(bench.pauses.count == (costs ? 1 : 0))
    }

    /// A message in pieces costs one for each.
    @Test func piecesASecond() throws {
        let bench = bench { $0.messagesPerSecond = 10 }
        let client = try bench.open("client")
        bench.send(client) {
            for piece in 1...10 {
                $0.writeSMQPublish(
                    .pubfrag, to: piece % 5 == 0 ? client.etid : 0, from: client.etid, subtopic: 0, payload: text("x"))
            }
        }
        #expect(bench.pauses.isEmpty)
        bench.send(client) { $0.writeSMQ(.create, text: "name") }
        #expect(bench.pauses.count == 1)
    }

    // MARK: Pieces of messages

    /// What comes in pieces may be no longer than what comes in one.
    @Test func aFramesLimitIsThatOfItsPieces() throws {
        let bench = bench { $0.frameLength = 1024 }
        let publisher = try bench.open("publisher")
        let device = try bench.open("device")
        func send(_ count: Int, last: Bool) {
            bench.send(publisher) {
                $0.writeSMQPublish(
                    .pubfrag, to: last ? device.etid : 0, from: publisher.etid, subtopic: 0,
                    payload: ByteBuffer(repeating: 7, count: count))
            }
        }
        send(1000, last: false)
        send(1024 - SMQSize.publishHeader - 1000, last: true)
        guard case .publish(_, _, _, let payload)? = try bench.frames(device).first else { throw Unexpected() }
        #expect(payload.readableBytes == 1009)
        send(1000, last: false)
        send(10, last: true)
        #expect(bench.closed[publisher.peer] == .protocolViolation)
        #expect(try bench.frames(device).isEmpty)
    }

    /// Pieces whose end does not come take memory as queues do.
    @Test func piecesThatWaitCount() throws {
        let bench = bench { $0.queuedBytes = 10_000 }
        let clients = try (0..<3).map { try bench.open("client-\($0)") }
        func send(_ client: BrokerBench.Client, _ count: Int, to id: UInt32 = 0) {
            bench.send(client) {
                $0.writeSMQPublish(
                    .pubfrag, to: id, from: client.etid, subtopic: 0, payload: ByteBuffer(repeating: 7, count: count))
            }
        }
        send(clients[0], 3000)
        send(clients[1], 5000)
        #expect(bench.machine.queuedByteCount == 8000)
        send(clients[0], 100, to: clients[0].etid)
        #expect(bench.machine.queuedByteCount == 5000)
        send(clients[0], 2000)
        send(clients[2], 3500)
        #expect(bench.closed == [clients[1].peer: .queueMemory])
        #expect(bench.machine.queuedByteCount == 5500)
        for client in clients { bench.detach(client.peer) }
        #expect(bench.machine.queuedByteCount == 0)
    }

    @Test func bytesASecond() throws {
        let bench = bench { $0.bytesPerSecond = 1000 }
        let client = try bench.open("client")
        bench.now = bench.now + .seconds(1)
        bench.send(client) {
            $0.writeSMQPublish(
                to: 0x7777, from: client.etid, subtopic: 0, payload: ByteBuffer(repeating: 1, count: 3000 - 15))
        }
        let pause = try #require(bench.pauses.first)
        #expect(pause.duration > .milliseconds(1999) && pause.duration < .milliseconds(2001))
    }

    /// What is not read cannot be answered: a client that waits for its rate is not taken for dead.
    @Test func whoWaitsForItsRateIsNotPinged() throws {
        let bench = bench { $0.messagesPerSecond = 1 }
        let client = try bench.open("client")
        bench.send(client) {
            for _ in 0..<50 {
                $0.writeSMQPublish(to: client.etid, from: client.etid, subtopic: 0, payload: ByteBuffer())
            }
        }
        #expect(bench.pauses.last?.duration ?? .zero > .seconds(45))
        _ = try bench.frames(client)
        bench.tick(after: .seconds(31))
        bench.tick(after: .seconds(11))
        #expect(try bench.frames(client) == [])
        #expect(bench.closed.isEmpty)
        bench.tick(after: .seconds(10))
        #expect(try bench.frames(client) == [.ping])
    }

    /// A receiver that reads on must not cut short the wait of a publisher that was too fast.
    @Test func aWaitForTheRateIsNotEndedByAReceiver() throws {
        let bench = bench {
            $0.messagesPerSecond = 2
            $0.stallThreshold = 1000
        }
        let publisher = try bench.open("publisher")
        let device = try bench.open("device")
        bench.stuck = [device.peer]
        bench.send(publisher) {
            for _ in 0..<10 {
                $0.writeSMQPublish(
                    to: device.etid, from: publisher.etid, subtopic: 0, payload: ByteBuffer(repeating: 1, count: 500))
            }
        }
        #expect(bench.machine.statistics.stalls == 1)
        #expect(bench.pauses.map(\.duration).max() ?? .zero > .seconds(3))
        bench.drain(device.peer)
        bench.settle()
        #expect(bench.resumes.isEmpty)
    }
}
