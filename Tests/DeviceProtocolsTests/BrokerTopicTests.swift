import DeviceCore
import DeviceProtocols
import NIOCore
import Testing

@Suite struct BrokerTopicTests {
    @Test func namesHaveOneIDForEverybodyAndKeepIt() throws {
        let bench = BrokerBench()
        let first = try bench.open("first-client")
        let second = try bench.open("second-client", framing: .webSocket)
        let id = try bench.create(first, "/m2m/led/device")
        #expect(id != 0)
        #expect(try bench.create(second, "/m2m/led/device") == id)
        #expect(try bench.subscribe(second, "/m2m/led/device") == id)
        #expect(try bench.create(first, "/m2m/temp") != id)
        bench.detach(first.peer)
        bench.detach(second.peer)
        #expect(try bench.create(try bench.open("third-client"), "/m2m/led/device") == id)
        #expect(bench.machine.topicCount == 2)
    }

    @Test func anEmptyNameIsAName() throws {
        let bench = BrokerBench()
        let client = try bench.open("client")
        #expect(try bench.subscribe(client, "") != 0)
    }

    @Test func subtopicsHaveIDsOfTheirOwn() throws {
        let bench = BrokerBench()
        let client = try bench.open("client")
        bench.send(client) {
            $0.writeSMQ(.createsub, text: "led")
            $0.writeSMQ(.createsub, text: "devinfo")
            $0.writeSMQ(.createsub, text: "led")
        }
        let ids = try bench.frames(client).map { frame in
            guard case .ack(.createsuback, true, let id, _) = frame else { throw Unexpected(frame: frame) }
            return id
        }
        #expect(ids[0] == ids[2] && ids[0] != ids[1] && !ids.contains(0))
    }

    @Test func aTwiceSubscribedTopicIsDeliveredOnce() throws {
        let bench = BrokerBench()
        let client = try bench.open("client")
        let id = try bench.subscribe(client, "topic")
        #expect(try bench.subscribe(client, "topic") == id)
        bench.publish(client, to: id)
        #expect(try bench.frames(client).count == 1)
    }

    @Test func unsubscribeEndsTheDelivery() throws {
        let bench = BrokerBench()
        let client = try bench.open("client")
        let id = try bench.subscribe(client, "topic")
        bench.send(client) {
            $0.writeSMQ(.unsubscribe, id: 0x7777)
            $0.writeSMQ(.unsubscribe, id: id)
            $0.writeSMQ(.unsubscribe, id: id)
        }
        bench.publish(client, to: id)
        #expect(try bench.frames(client) == [])
        #expect(bench.machine.statistics.unroutable == 1)
    }

    // MARK: Observe

    @Test func anObserverOfATopicIsToldTheCountAtOnceAndAtEachChange() throws {
        let bench = BrokerBench()
        let watcher = try bench.open("watcher")
        let id = try bench.create(watcher, "topic")
        bench.send(watcher) { $0.writeSMQ(.observe, id: id) }
        #expect(try bench.frames(watcher) == [.change(id: id, subscribers: 0)])
        let first = try bench.open("first-client")
        let second = try bench.open("second-client", framing: .webSocket)
        try bench.subscribe(first, "topic")
        try bench.subscribe(second, "topic")
        try bench.subscribe(second, "topic")
        bench.send(second) { $0.writeSMQ(.unsubscribe, id: id) }
        bench.detach(first.peer)
        #expect(
            try bench.frames(watcher) == [1, 2, 1, 0].map { .change(id: id, subscribers: $0) })
        bench.send(watcher) { $0.writeSMQ(.unobserve, id: id) }
        try bench.subscribe(second, "topic")
        #expect(try bench.frames(watcher) == [])
    }

    /// The vendor's broker forgets the observed topic's subscribers and the observed client's address here.
    @Test func unobserveByTheOnlyObserverHarmsNobody() throws {
        let bench = BrokerBench()
        let watcher = try bench.open("watcher")
        let device = try bench.open("device")
        let id = try bench.subscribe(device, "topic")
        bench.send(watcher) {
            $0.writeSMQ(.observe, id: id)
            $0.writeSMQ(.observe, id: device.etid)
            $0.writeSMQ(.unobserve, id: id)
            $0.writeSMQ(.unobserve, id: device.etid)
            $0.writeSMQ(.unobserve, id: 0x7777)
        }
        _ = try bench.frames(watcher)
        bench.publish(watcher, to: id, "to the topic")
        bench.publish(watcher, to: device.etid, "to the device")
        #expect(try bench.frames(device).count == 2)
        #expect(try bench.subscribe(watcher, "topic") == id)
        bench.detach(device.peer)
        #expect(try bench.frames(watcher) == [])
    }

    @Test func anObserverOfAPeerIsToldOnlyOfItsEnd() throws {
        let bench = BrokerBench()
        let watcher = try bench.open("watcher")
        let device = try bench.open("device")
        bench.send(watcher) {
            $0.writeSMQ(.observe, id: device.etid)
            $0.writeSMQ(.observe, id: device.etid)
        }
        #expect(try bench.frames(watcher) == [])
        bench.send(device) { $0.writeSMQ(.disconnect) }
        #expect(bench.closed[device.peer] == .clientDisconnected)
        #expect(try bench.frames(watcher) == [.change(id: device.etid, subscribers: 0)])
        #expect(try bench.frames(device) == [])
    }

    @Test func anUnknownIDHasNobody() throws {
        let bench = BrokerBench()
        let watcher = try bench.open("watcher")
        bench.send(watcher) { $0.writeSMQ(.observe, id: 0x7777) }
        #expect(try bench.frames(watcher) == [.change(id: 0x7777, subscribers: 0)])
    }

    // MARK: The permit hook

    @Test func theHookDeniesNamesOneByOne() throws {
        let bench = BrokerBench(permit: { request in
            switch request.operation {
            case .create: request.name == "open"
            case .subscribe: request.name != "closed" && request.uid == text("client")
            case .createSubtopic: request.address == "elsewhere"
            }
        })
        let client = try bench.open("client")
        bench.send(client) {
            $0.writeSMQ(.create, text: "open")
            $0.writeSMQ(.create, text: "read-only")
            $0.writeSMQ(.subscribe, text: "closed")
            $0.writeSMQ(.createsub, text: "sub")
        }
        let frames = try bench.frames(client)
        #expect(
            frames.dropFirst() == [
                .ack(.createack, accepted: false, id: 0, name: text("read-only")),
                .ack(.suback, accepted: false, id: 0, name: text("closed")),
                .ack(.createsuback, accepted: false, id: 0, name: text("sub")),
            ])
        #expect(bench.machine.statistics.denied == 3)
    }

    /// How many listen to a topic is told to those who may listen or publish.
    @Test(arguments: [nil, SMQTopicRequest.Operation.subscribe, .create]) func observingNeedsAPermit(
        _ permitted: SMQTopicRequest.Operation?
    ) throws {
        let bench = BrokerBench(permit: { $0.uid == text("owner!") || $0.operation == permitted })
        let owner = try bench.open("owner!")
        let id = try bench.subscribe(owner, "topic")
        let guest = try bench.open("guest!")
        bench.send(guest) { $0.writeSMQ(.observe, id: id) }
        #expect(try bench.frames(guest) == (permitted == nil ? [] : [.change(id: id, subscribers: 1)]))
        #expect(bench.machine.statistics.denied == (permitted == nil ? 1 : 0))
        bench.detach(owner.peer)
        #expect(try bench.frames(guest) == (permitted == nil ? [] : [.change(id: id, subscribers: 0)]))
    }

    /// A denied name must not be reachable by its id either, however the client has learned it.
    @Test(arguments: [true, false]) func whoMayNotCreateMayNotPublish(_ subscribes: Bool) throws {
        let bench = BrokerBench(permit: { $0.operation == .subscribe || $0.uid == text("owner!") })
        let owner = try bench.open("owner!")
        let id = try bench.subscribe(owner, "topic")
        let guest = try bench.open("guest!")
        if subscribes {
            try bench.subscribe(guest, "topic")
        } else {
            bench.send(guest) { $0.writeSMQ(.observe, id: id) }
        }
        bench.publish(guest, to: id, "intrusion")
        bench.publish(guest, to: id, "intrusion")
        #expect(try bench.frames(owner) == [])
        #expect(bench.machine.statistics.forbidden == 2)
        // The owner may, without a create: the hook is asked at the first publish.
        bench.publish(owner, to: id, "announcement")
        #expect(try bench.frames(owner).count == 1)
    }
}
