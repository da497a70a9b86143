import DeviceCore
import DeviceProtocols
import NIOCore
import Testing

/// Receivers that do not read, pings, and the bytes that wait.
@Suite struct BrokerQueueTests {
    private func bench(_ set: (inout SMQBrokerLimits) -> Void) -> BrokerBench {
        var limits = SMQBrokerLimits()
        set(&limits)
        return BrokerBench(limits)
    }

    private func publish(_ bench: BrokerBench, _ publisher: BrokerBench.Client, to id: UInt32, _ count: Int) {
        bench.send(publisher) {
            $0.writeSMQPublish(
                to: id, from: publisher.etid, subtopic: 0, payload: ByteBuffer(repeating: 1, count: count))
        }
    }

    @Test(arguments: [SMQFraming.raw, .webSocket]) func whoDoesNotReadIsDroppedAndDelaysNobody(
        _ framing: SMQFraming
    ) throws {
        let bench = bench { $0.queuedBytesPerClient = 10_000 }
        let publisher = try bench.open("publisher")
        let slow = try bench.open("slow one", framing: framing)
        let fast = try bench.open("fast one")
        let watcher = try bench.open("watcher")
        let id = try bench.subscribe(slow, "topic")
        try bench.subscribe(fast, "topic")
        bench.send(watcher) {
            $0.writeSMQ(.observe, id: slow.etid)
            $0.writeSMQ(.observe, id: id)
        }
        _ = try bench.frames(watcher)
        bench.stuck = [slow.peer]
        for _ in 0..<12 { publish(bench, publisher, to: id, 1000) }
        #expect(bench.closed[slow.peer] == .slowConsumer)
        #expect(try bench.frames(fast).count == 12)
        #expect(
            Set(try bench.frames(watcher).map(\.description)) == [
                SMQFrame.change(id: slow.etid, subscribers: 0).description,
                SMQFrame.change(id: id, subscribers: 1).description,
            ])
        #expect(bench.machine.queuedByteCount == 0)
        #expect(bench.machine.statistics.closed == [.slowConsumer: 1])
    }

    @Test func allQueuesTogetherHaveALimit() throws {
        let bench = bench { $0.queuedBytes = 10_000 }
        let publisher = try bench.open("publisher")
        let devices = try (0..<3).map { try bench.open("device-\($0)") }
        bench.stuck = Set(devices.map(\.peer))
        publish(bench, publisher, to: devices[0].etid, 3000)
        publish(bench, publisher, to: devices[1].etid, 4000)
        #expect(bench.machine.queuedByteCount == 7030)
        publish(bench, publisher, to: devices[2].etid, 3500)
        #expect(bench.closed == [devices[1].peer: .queueMemory])
        bench.stuck = []
        for device in devices { bench.detach(device.peer) }
        bench.detach(publisher.peer)
        #expect(bench.machine.queuedByteCount == 0)
    }

    /// What a socket was given and has not taken is memory like any other.
    @Test func whatSocketsHaveNotTakenCounts() throws {
        let bench = bench { $0.queuedBytes = 10_000 }
        let publisher = try bench.open("publisher")
        let devices = try (0..<4).map { try bench.open("device-\($0)") }
        bench.stuck = Set(devices.map(\.peer))
        for device in devices[..<2] {
            publish(bench, publisher, to: device.etid, 4000 - 15)
            #expect(bench.machine.takeOutput(device.peer)?.readableBytes == 4000)
        }
        #expect(bench.machine.queuedByteCount == 8000)
        publish(bench, publisher, to: devices[1].etid, 1000 - 15)
        publish(bench, publisher, to: devices[2].etid, 2000 - 15)
        #expect(bench.closed == [devices[1].peer: .queueMemory])
        #expect(bench.machine.queuedByteCount == 6000)
        // Too late, and too much: neither is counted.
        bench.machine.written(devices[1].peer, 4000)
        bench.machine.written(devices[0].peer, 3000)
        #expect(bench.machine.queuedByteCount == 3000)
        bench.machine.written(devices[0].peer, 3000)
        #expect(bench.machine.queuedByteCount == 2000)
        for device in devices { bench.detach(device.peer) }
        #expect(bench.machine.queuedByteCount == 0)
    }

    /// Ending a client tells others; that can be a byte too much, and then the longest queue is its own.
    @Test(arguments: [true, false]) func anEndThatFillsTheQueuesIsCountedOnce(_ isPolite: Bool) throws {
        let bench = bench { $0.queuedBytes = 10_000 }
        bench.detachesOnClose = false
        let publisher = try bench.open("publisher")
        let leaving = try bench.open("leaving one")
        let watcher = try bench.open("watcher")
        try bench.subscribe(leaving, "topic")
        bench.send(watcher) { $0.writeSMQ(.observe, id: leaving.etid) }
        bench.stuck = [leaving.peer, watcher.peer]
        publish(bench, publisher, to: leaving.etid, 6000 - 15)
        publish(bench, publisher, to: watcher.etid, 3995 - 15)
        #expect(bench.machine.queuedByteCount == 9995)
        if isPolite {
            bench.send(leaving) { $0.writeSMQ(.disconnect) }
            #expect(bench.closed == [leaving.peer: .clientDisconnected])
        } else {
            bench.detach(leaving.peer)
        }
        bench.detach(leaving.peer)
        // Nobody stays marked as a user of the topic, and nobody was closed twice.
        #expect(bench.machine.topicReferences == 0)
        for client in [publisher, watcher] { bench.detach(client.peer) }
        #expect(
            bench.machine.statistics.closed
                == (isPolite ? [.clientDisconnected: 1, .connectionLost: 2] : [.connectionLost: 3]))
        #expect(bench.machine.queuedByteCount == 0 && bench.machine.clientCount == 0)
    }

    // MARK: Holding publishers back

    @Test func aReaderIsWaitedForAgainAndAgain() throws {
        let bench = bench { $0.stallThreshold = 10_000 }
        let publisher = try bench.open("publisher")
        let device = try bench.open("device")
        bench.stuck = [device.peer]
        for round in 1...3 {
            for _ in 0..<3 { publish(bench, publisher, to: device.etid, 4000) }
            #expect(bench.pauses.count == round)
            #expect(bench.pauses.last?.peer == publisher.peer)
            #expect(bench.pauses.last?.duration == SMQBrokerLimits().stall)
            bench.drain(device.peer)
            bench.settle()
            #expect(bench.resumes == Array(repeating: publisher.peer, count: round))
        }
        #expect(bench.machine.statistics.stalls == 3)
    }

    @Test func whoDoesNotReadIsWaitedForOnce() throws {
        let bench = bench { $0.stallThreshold = 10_000 }
        let publisher = try bench.open("publisher")
        let device = try bench.open("device")
        bench.stuck = [device.peer]
        for _ in 0..<50 { publish(bench, publisher, to: device.etid, 4000) }
        #expect(bench.pauses.count == 1)
        #expect(bench.resumes.isEmpty)
        // When it goes, who waits goes on.
        bench.detach(device.peer)
        #expect(bench.resumes == [publisher.peer])
    }

    @Test func whoReadsFastEnoughIsWaitedForOnAndOn() throws {
        let bench = bench {
            $0.stallThreshold = 10_000
            $0.idleStalls = 2
        }
        let publisher = try bench.open("publisher")
        let device = try bench.open("device")
        bench.stuck = [device.peer]
        for _ in 0..<3 { publish(bench, publisher, to: device.etid, 4000) }
        #expect(bench.machine.receiver(holding: publisher.peer) == device.peer)
        // A trickle is not enough, and the second time it is over.
        let written = [2500, 2499, 2500, 2499, 0, 10_000]
        let answers = written.map { bench.machine.continuesStall(publisher.peer, written: $0) }
        #expect(answers == [true, true, true, true, false, false])
        #expect(bench.machine.receiver(holding: publisher.peer) == nil)
    }

    @Test func nobodyWaitsForItself() throws {
        let bench = bench { $0.stallThreshold = 10_000 }
        let client = try bench.open("client")
        bench.stuck = [client.peer]
        for _ in 0..<10 { publish(bench, client, to: client.etid, 4000) }
        #expect(bench.pauses.isEmpty)
    }

    // MARK: Pings

    @Test(arguments: [SMQFraming.raw, .webSocket]) func aSilentClientIsPingedAndDropped(_ framing: SMQFraming) throws {
        let bench = BrokerBench()
        let client = try bench.open("client", framing: framing)
        bench.tick(after: .seconds(29))
        #expect(try bench.frames(client) == [])
        bench.tick(after: .seconds(1))
        #expect(try bench.frames(client) == [.ping])
        bench.send(client) { $0.writeSMQ(.pong) }
        bench.tick(after: .seconds(10))
        #expect(try bench.frames(client) == [])
        bench.tick(after: .seconds(20))
        #expect(try bench.frames(client) == [.ping])
        bench.tick(after: .seconds(9))
        #expect(bench.closed.isEmpty)
        bench.tick(after: .seconds(1))
        #expect(bench.closed[client.peer] == .pingTimeout)
    }

    @Test func aPingIsAnsweredInOrder() throws {
        let bench = BrokerBench()
        let client = try bench.open("client")
        bench.send(client) {
            $0.writeSMQPublish(to: client.etid, from: client.etid, subtopic: 0, payload: text("first"))
            $0.writeSMQ(.ping)
        }
        #expect(try bench.frames(client).map(\.type) == [.publish, .pong])
    }

    @Test func everybodyLeavesNothingBehind() throws {
        let bench = BrokerBench()
        let clients = try (0..<20).map { try bench.open("client-\($0)", framing: $0 % 3 == 0 ? .webSocket : .raw) }
        bench.stuck = Set(clients.prefix(10).map(\.peer))
        for client in clients {
            bench.send(client) {
                $0.writeSMQ(.subscribe, text: "topic")
                $0.writeSMQ(.observe, id: clients[0].etid)
            }
        }
        let id = try bench.create(clients[19], "topic")
        for client in clients { publish(bench, client, to: id, 100) }
        #expect(bench.machine.queuedByteCount > 0)
        for client in clients { bench.detach(client.peer) }
        #expect(bench.machine.queuedByteCount == 0)
        #expect(bench.machine.clientCount == 0)
        #expect(bench.machine.statistics.closed == [.connectionLost: 20])
    }
}

extension SMQFrame {
    var description: String { "\(self)" }
}
