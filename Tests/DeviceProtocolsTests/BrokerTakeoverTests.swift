import DeviceCore
import DeviceProtocols
import NIOCore
import Testing

/// A new connection with the unique id of a live one: a device that comes back after a half-open connection.
@Suite struct BrokerTakeoverTests {
    @Test func theNewOneInheritsTheAddressAndNobodyIsTold() throws {
        let bench = BrokerBench()
        let watcher = try bench.open("watcher")
        let old = try bench.open("device")
        try bench.subscribe(old, "topic")
        bench.send(watcher) { $0.writeSMQ(.observe, id: old.etid) }
        let new = try bench.open("device")
        #expect(new.etid == old.etid)
        #expect(try bench.frames(old) == [.disconnect(reason: "reconnect")])
        #expect(bench.closed[old.peer] == .takenOver)
        #expect(try bench.frames(watcher) == [])
        // What is sent to the address comes to the new one; the old one's subscriptions are over.
        bench.publish(watcher, to: new.etid, "hello")
        #expect(
            try bench.frames(new)
                == [.publish(destination: new.etid, publisher: watcher.etid, subtopic: 0, payload: text("hello"))])
        let topic = try bench.create(watcher, "topic")
        bench.publish(watcher, to: topic)
        #expect(try bench.frames(new) == [])
        // The observation has moved with the address.
        bench.detach(new.peer)
        #expect(try bench.frames(watcher) == [.change(id: new.etid, subscribers: 0)])
    }

    @Test func theOldOnesEndComesLate() throws {
        let bench = BrokerBench()
        bench.detachesOnClose = false
        let old = try bench.open("device")
        let new = try bench.open("device")
        bench.detach(old.peer)
        let watcher = try bench.open("watcher")
        bench.publish(watcher, to: new.etid, "still there")
        #expect(try bench.frames(new).count == 1)
        bench.detach(new.peer)
        let third = try bench.open("device")
        #expect(third.etid != old.etid)
        #expect(bench.machine.queuedByteCount == 0)
    }

    @Test func anObserverOfItselfIsTakenOver() throws {
        let bench = BrokerBench()
        let old = try bench.open("device")
        bench.send(old) { $0.writeSMQ(.observe, id: old.etid) }
        let new = try bench.open("device")
        bench.send(new) { $0.writeSMQ(.observe, id: new.etid) }
        bench.detach(new.peer)
        #expect(bench.machine.clientCount == 0)
        #expect(bench.machine.queuedByteCount == 0)
    }

    @Test func theHookIsToldAndItsRefusalLeavesTheOldOneAlone() throws {
        let bench = BrokerBench(authenticates: true)
        func attachAndConnect() throws -> BrokerBench.PeerID {
            let peer = try bench.attach()
            _ = try bench.frames(peer)
            bench.connect(peer, uid: "device")
            return peer
        }
        let old = try attachAndConnect()
        bench.complete(old, .accept)
        let etid = try bench.accepted(old)
        let intruder = try attachAndConnect()
        #expect(bench.requests.map(\.request.takesOver) == [false, true])
        bench.complete(intruder, .refuse(.badCredentials, "no"))
        #expect(bench.closed[intruder] == .refused)
        #expect(try bench.frames(old) == [])
        #expect(bench.closed[old] == nil)
        // Its address and its unique id still belong to the old one.
        let owner = try attachAndConnect()
        bench.complete(owner, .accept)
        #expect(try bench.accepted(owner) == etid)
        #expect(bench.closed[old] == .takenOver)
    }

    @Test func twoThatConnectAtOnceEndAsOne() throws {
        let bench = BrokerBench(authenticates: true)
        let peers = try (0..<2).map { _ in
            let peer = try bench.attach()
            _ = try bench.frames(peer)
            bench.connect(peer, uid: "device")
            return peer
        }
        bench.complete(peers[1], .accept)
        bench.complete(peers[0], .accept)
        #expect(bench.closed[peers[1]] == .takenOver)
        #expect(bench.closed[peers[0]] == nil)
        #expect(bench.machine.clientCount == 1)
    }
}
