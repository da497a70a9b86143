import DeviceCore
import DeviceProtocols
import NIOCore
import Testing

@Suite struct BrokerRoutingTests {
    @Test func everySubscriberGetsItInItsOwnFraming() throws {
        let bench = BrokerBench()
        let publisher = try bench.open("publisher")
        let subscribers = try (0..<5).map { index in
            try bench.open("subscriber-\(index)", framing: index.isMultiple(of: 2) ? .raw : .webSocket)
        }
        let id = try bench.create(publisher, "topic")
        for subscriber in subscribers { try bench.subscribe(subscriber, "topic") }
        bench.send(publisher) {
            for number in 0..<3 {
                $0.writeSMQPublish(to: id, from: publisher.etid, subtopic: 9, payload: text("\(number)"))
            }
        }
        for subscriber in subscribers {
            #expect(
                try bench.frames(subscriber)
                    == (0..<3).map {
                        .publish(destination: id, publisher: publisher.etid, subtopic: 9, payload: text("\($0)"))
                    })
        }
        #expect(try bench.frames(publisher) == [])
        #expect(bench.machine.statistics.messagesReceived == 3)
        #expect(bench.machine.statistics.messagesDelivered == 15)
    }

    @Test(arguments: [SMQFraming.raw, .webSocket]) func aPublisherThatSubscribesHearsItself(_ framing: SMQFraming)
        throws
    {
        let bench = BrokerBench()
        let client = try bench.open("client", framing: framing)
        let id = try bench.subscribe(client, "topic")
        bench.publish(client, to: id)
        bench.publish(client, to: client.etid)
        #expect(try bench.frames(client).count == 2)
    }

    /// Several destinations in one read, in any order: each receiver has its messages in order.
    @Test func runsOfOneReadKeepTheirOrder() throws {
        let bench = BrokerBench()
        let publisher = try bench.open("publisher")
        let device = try bench.open("device")
        let id = try bench.subscribe(device, "topic")
        bench.send(publisher) {
            for (number, destination) in [id, id, device.etid, id, 0x7777, device.etid].enumerated() {
                $0.writeSMQPublish(to: destination, from: publisher.etid, subtopic: 0, payload: text("\(number)"))
                if number == 3 { $0.writeSMQ(.ping) }
            }
        }
        let payloads = try bench.frames(device).map { frame in
            guard case .publish(_, _, _, let payload) = frame else { throw Unexpected(frame: frame) }
            return String(buffer: payload)
        }
        #expect(payloads == ["0", "1", "2", "3", "5"])
        #expect(try bench.frames(publisher) == [.pong])
        #expect(bench.machine.statistics.unroutable == 1)
    }

    @Test(arguments: [SMQFraming.raw, .webSocket]) func aForeignPublisherIDEndsTheSession(_ framing: SMQFraming) throws
    {
        let bench = BrokerBench()
        let victim = try bench.open("victim")
        let client = try bench.open("client", framing: framing)
        let id = try bench.subscribe(victim, "topic")
        bench.send(client) { $0.writeSMQPublish(to: id, from: victim.etid, subtopic: 0, payload: text("false")) }
        guard case .disconnect(let reason)? = try bench.frames(client).first else { throw Unexpected() }
        #expect(reason.hasPrefix("corrupt frame"))
        #expect(bench.closed[client.peer] == .protocolViolation)
        #expect(try bench.frames(victim) == [])
    }

    // MARK: Fragments

    @Test(arguments: [SMQFraming.raw, .webSocket]) func fragmentsArriveAsOneMessage(_ framing: SMQFraming) throws {
        let bench = BrokerBench()
        let publisher = try bench.open("publisher")
        let device = try bench.open("device", framing: framing)
        bench.send(publisher) {
            for (payload, destination) in [("one ", UInt32(0)), ("two ", 0), ("", 0), ("three", device.etid)] {
                $0.writeSMQPublish(
                    .pubfrag, to: destination, from: publisher.etid, subtopic: destination == 0 ? 0 : 3,
                    payload: text(payload))
            }
        }
        #expect(
            try bench.frames(device) == [
                .publish(
                    destination: device.etid, publisher: publisher.etid, subtopic: 3, payload: text("one two three"))
            ])
        #expect(bench.machine.statistics.messagesReceived == 1)
    }

    @Test func fragmentsHaveALimit() throws {
        let bench = BrokerBench()
        let publisher = try bench.open("publisher")
        let device = try bench.open("device")
        func send(_ count: Int, last: Bool) {
            bench.send(publisher) {
                $0.writeSMQPublish(
                    .pubfrag, to: last ? device.etid : 0, from: publisher.etid, subtopic: 0,
                    payload: ByteBuffer(repeating: 7, count: count))
            }
        }
        send(65_000, last: false)
        send(507, last: true)
        guard case .publish(_, _, _, let payload)? = try bench.frames(device).first else {
            throw Unexpected()
        }
        #expect(payload.readableBytes == SMQSize.maximumFragmentedPayload)
        send(65_000, last: false)
        send(508, last: false)
        #expect(bench.closed[publisher.peer] == .protocolViolation)
    }

    @Test func fragmentsAreForRawConnectionsOnly() throws {
        let bench = BrokerBench()
        let client = try bench.open("client", framing: .webSocket)
        bench.send(client) {
            $0.writeSMQPublish(.pubfrag, to: 0, from: client.etid, subtopic: 0, payload: text("x"))
        }
        #expect(bench.closed[client.peer] == .protocolViolation)
    }

    // MARK: Sizes

    @Test(arguments: [SMQFraming.raw, .webSocket]) func theLargestMessageArrives(_ framing: SMQFraming) throws {
        let bench = BrokerBench()
        let publisher = try bench.open("publisher", framing: framing)
        let device = try bench.open("device", framing: framing == .raw ? .webSocket : .raw)
        let payload = ByteBuffer(repeating: 7, count: SMQSize.maximumPayload)
        bench.send(publisher) {
            $0.writeSMQPublish(to: device.etid, from: publisher.etid, subtopic: 0, payload: payload)
        }
        #expect(
            try bench.frames(device) == [
                .publish(destination: device.etid, publisher: publisher.etid, subtopic: 0, payload: payload)
            ])
    }

    @Test(arguments: [SMQFraming.raw, .webSocket]) func aClientsOwnLargestFrameIsRespected(_ framing: SMQFraming) throws
    {
        let bench = BrokerBench()
        let publisher = try bench.open("publisher")
        let small = try bench.open("small one", framing: framing, version: 2, maximumFrame: 20)
        bench.send(publisher) {
            for count in [5, 6, 0, 100] {
                $0.writeSMQPublish(
                    to: small.etid, from: publisher.etid, subtopic: 0, payload: ByteBuffer(repeating: 7, count: count))
            }
        }
        let sizes = try bench.frames(small).map { frame in
            guard case .publish(_, _, _, let payload) = frame else { throw Unexpected(frame: frame) }
            return payload.readableBytes
        }
        #expect(sizes == [5, 0])
        #expect(bench.machine.statistics.tooLongForReceiver == 2)
        #expect(bench.machine.statistics.messagesDelivered == 2)
    }

    @Test(arguments: [SMQFraming.raw, .webSocket]) func theBrokersLargestFrameIsRespected(_ framing: SMQFraming) throws
    {
        var limits = SMQBrokerLimits()
        limits.frameLength = 64
        let bench = BrokerBench(limits)
        let client = try bench.open("client", framing: framing)
        let fits = ByteBuffer(repeating: 7, count: 64 - SMQSize.publishHeader)
        bench.send(client) { $0.writeSMQPublish(to: 0x7777, from: client.etid, subtopic: 0, payload: fits) }
        #expect(bench.closed[client.peer] == nil)
        let tooLong = ByteBuffer(repeating: 7, count: 65 - SMQSize.publishHeader)
        bench.send(client) { $0.writeSMQPublish(to: 0x7777, from: client.etid, subtopic: 0, payload: tooLong) }
        #expect(bench.closed[client.peer] == .protocolViolation)
    }

    /// A frame that is too long is refused by its length, before it is held in memory.
    @Test func aFrameThatWillBeTooLongIsRefusedAtOnce() throws {
        var limits = SMQBrokerLimits()
        limits.frameLength = 64
        for pieces in splits(of: hex("00 41 08")) {
            let bench = BrokerBench(limits)
            let client = try bench.open("client")
            for piece in pieces { bench.receive(client.peer, piece) }
            #expect(bench.closed[client.peer] == .protocolViolation)
        }
    }

    // MARK: Slots

    @Test func aSlotThatIsUsedAgainIsAnotherClient() throws {
        let bench = BrokerBench()
        bench.detachesOnClose = false
        let first = try bench.open("first-client")
        let id = try bench.subscribe(first, "topic")
        bench.send(first) { $0.writeSMQ(.disconnect) }
        bench.detach(first.peer)
        let second = try bench.open("second-client")
        #expect(second.peer != first.peer)
        // Everything that still speaks of the first is ignored.
        bench.receive(first.peer, bytes { $0.writeSMQ(.disconnect) })
        bench.complete(first.peer, .accept)
        bench.detach(first.peer)
        #expect(bench.machine.takeOutput(first.peer) == nil)
        #expect(bench.machine.address(of: first.peer) == "unknown")
        #expect(bench.closed[second.peer] == nil)
        bench.publish(second, to: id)
        #expect(try bench.frames(second) == [])
        #expect(bench.machine.clientCount == 1)
    }

    @Test func shutDownSaysGoodbyeToAll() throws {
        let bench = BrokerBench()
        let clients = try (0..<3).map { try bench.open("client-\($0)", framing: $0 == 0 ? .webSocket : .raw) }
        bench.machine.shutDown(reason: "maintenance")
        bench.settle()
        for client in clients {
            #expect(try bench.frames(client) == [.disconnect(reason: "maintenance")])
            #expect(bench.closed[client.peer] == .shutdown)
        }
        #expect(bench.machine.clientCount == 0 && bench.machine.queuedByteCount == 0)
    }

    /// Each at its moment: ours are asked and served on, the others' connections just end.
    @Test func whoDoesNotKnowGoodbyesIsNotTold() throws {
        let bench = BrokerBench()
        let ours = try bench.open("ours-1")
        let others = try bench.open("others-1", knowsGoodbye: false)
        let late = try bench.open("others-2", framing: .webSocket, knowsGoodbye: false)
        bench.machine.drain(within: .seconds(3), now: bench.now)
        bench.settle()
        #expect(try bench.frames(ours) == [.disconnect(reason: SMQGoodbye.drain)])
        #expect(bench.closed.isEmpty)
        bench.machine.askToLeave(now: bench.now + .milliseconds(1500))
        bench.settle()
        #expect(try bench.frames(others) == [])
        #expect(bench.closed[others.peer] == .shutdown && bench.closed[late.peer] == nil)
        #expect(bench.machine.statistics.askedToLeave == 2)
        bench.machine.shutDown(reason: "maintenance")
        bench.settle()
        #expect(try bench.frames(ours) == [.disconnect(reason: "maintenance")])
        #expect(try bench.frames(late) == [])
        #expect(bench.closed[ours.peer] == .shutdown && bench.closed[late.peer] == .shutdown)
        #expect(bench.machine.clientCount == 0 && bench.machine.queuedByteCount == 0)
    }

    /// A client that was silent for a while, or whose account has changed, is to come back.
    @Test func whoIsSentAwayForAWhileIsNotToldGoodbyeEither() throws {
        let bench = BrokerBench()
        let ours = try bench.open("ours-1")
        let others = try bench.open("others-1", knowsGoodbye: false)
        bench.machine.review { _ in false }
        bench.settle()
        #expect(try bench.frames(ours).count == 1)
        #expect(try bench.frames(others) == [])
        #expect(bench.closed[ours.peer] == .refused && bench.closed[others.peer] == .refused)
    }
}
