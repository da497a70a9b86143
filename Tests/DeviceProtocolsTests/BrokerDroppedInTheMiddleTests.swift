import DeviceProtocols
import NIOCore
import Testing

/// A client that is dropped while the broker is in the middle of something for it. All were found by fuzzing.
@Suite struct BrokerDroppedInTheMiddleTests {
    @Test func whoSubscribesAsTheLastThingLeavesNothingInItsPlace() throws {
        var limits = SMQBrokerLimits()
        limits.queuedBytesPerClient = 60
        let bench = BrokerBench(limits)
        let full = try bench.open("full one")
        bench.stuck = [full.peer]
        bench.send(full) { for _ in 0..<17 { $0.writeSMQ(.ping) } }
        // The suback is too much.
        bench.send(full) { $0.writeSMQ(.subscribe, text: "topic") }
        #expect(bench.closed[full.peer] == .slowConsumer)
        // The next client gets the place of the one that has gone, and none of its messages.
        let next = try bench.open("next one")
        let publisher = try bench.open("publisher")
        let id = try bench.create(publisher, "topic")
        bench.publish(publisher, to: id)
        #expect(try bench.frames(next) == [])
        #expect(bench.machine.statistics.unroutable == 1)
        bench.detach(next.peer)
        bench.detach(publisher.peer)
        #expect(bench.machine.topicReferences == 0)
    }

    @Test func whoTakesOverAndIsDroppedDoesNotComeBack() throws {
        var limits = SMQBrokerLimits()
        limits.queuedBytes = 20
        let bench = BrokerBench(limits)
        let publisher = try bench.open("publisher")
        let old = try bench.open("device")
        // Its Init of 16 bytes waits; the goodbye to the old connection is too much, and this queue is the longest.
        let new = bench.machine.attach(framing: .raw, address: "10.0.0.1", now: bench.now)
        let peer = try #require(new)
        bench.machine.receive(
            peer,
            bytes { $0.writeSMQConnect(uid: "device".utf8, credentials: [], information: "") }, now: bench.now)
        bench.settle()
        #expect(bench.closed == [peer: .queueMemory, old.peer: .takenOver])
        bench.publish(publisher, to: old.etid)
        #expect(bench.machine.statistics.unroutable == 1)
        #expect(bench.machine.clientCount == 1)
    }

    @Test func whoFillsItsOwnQueuePublishesNothingMore() throws {
        var limits = SMQBrokerLimits()
        limits.queuedBytesPerClient = 100
        let bench = BrokerBench(limits)
        let receiver = try bench.open("receiver")
        let client = try bench.open("client")
        bench.send(client) {
            $0.writeSMQPublish(
                to: client.etid, from: client.etid, subtopic: 0, payload: ByteBuffer(repeating: 1, count: 100))
            $0.writeSMQPublish(to: receiver.etid, from: client.etid, subtopic: 0, payload: text("after the end"))
        }
        #expect(bench.closed[client.peer] == .slowConsumer)
        #expect(try bench.frames(receiver) == [])
    }
}
