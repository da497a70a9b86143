import ClusterClient
import DeviceCore
import DeviceProtocols
import NIOCore
import Outbox
import TestSupport
import Testing

/// What is on the disk: restarts, limits, times to live, disks that are full.
@Suite(.timeLimit(.minutes(3))) struct DeliveryOutboxTests {
    /// A process publishes and is killed, again and again, now with a broker and now without: what it was promised is
    /// handled once.
    @Test func everythingPromisedSurvivesKills() async throws {
        let node = try await TestNode.start()
        let reserved = try ReservedPort()
        let rig = try await DeliveryRig()
        let handled = Handled()
        let receiver = try await rig.receiver(node.port, into: handled)
        let report = rig.directory("report")
        @Sendable func promised() -> [String] {
            let bytes = (try? TemporaryDirectory.read(report)) ?? []
            return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
        }
        for round in 0..<12 {
            let before = promised().count
            let port = round % 3 == 2 ? reserved.port : node.port
            let child = try ChildProcess(beside: "DeliveryWriter", [rig.directory("outbox"), report, "\(port)"])
            defer { child.killNow() }
            try await eventually("promises", within: .seconds(60)) { promised().count > before + 5 }
            try await Task.sleep(for: .milliseconds(Int.random(in: 0...60)))
        }
        // Another program with the same outbox sends what is left.
        let sender = try await rig.sender(node.port)
        try await sender.isDelivered()
        let all = handled.all
        #expect(Set(all).count == all.count)
        let missing = Set(promised()).subtracting(all).count
        #expect(missing == 0)
        // Nor is there anything that nobody published: at most one for each kill was not promised yet.
        #expect(all.count - promised().count <= 12)
        try await sender.stop()
        try await receiver.stop()
        await node.stop()
        withExtendedLifetime(reserved) {}
    }

    @Test func whatHasExpiredIsNotSentAndIsTold() async throws {
        let reserved = try ReservedPort()
        let rig = try await DeliveryRig()
        let time = Locked(Int64(1_700_000_000_000))
        let outbox = rig.outbox { $0.normal.time = { time.withLock { $0 } } }
        let sender = try TestClient(reserved.port, "sender") { $0.outbox = outbox }
        for number in 0..<10 {
            try await sender.publish("short \(number)", .log(timeToLive: .seconds(5)))
            try await sender.publish("long \(number)", .log(timeToLive: .seconds(60)))
        }
        time.withLock { $0 += 10_000 }
        let handled = Handled()
        let node = try await TestNode.start(port: reserved.port)
        let receiver = try await rig.receiver(reserved.port, into: handled)
        try await sender.isDelivered()
        #expect(handled.all.sorted() == (0..<10).map { "long \($0)" })
        #expect(sender.client.deliveryCounters.normal.expired == 10)
        let told = try await sender.event("what has expired") { event in
            if case .dropped(let count, .expired) = event { count } else { nil }
        }
        #expect(told == 10)
        try await sender.stop()
        try await receiver.stop()
        await node.stop()
        withExtendedLifetime(reserved) {}
    }

    /// A message that nobody acknowledges expires on its way, and makes room for those behind it.
    @Test func whatExpiresOnItsWayMakesRoom() async throws {
        let node = try await TestNode.start()
        let rig = try await DeliveryRig()
        let time = Locked(Int64(1_700_000_000_000))
        let sender = try await rig.sender(node.port) {
            $0.outbox?.normal.time = { time.withLock { $0 } }
            $0.outbox?.window = 4
        }
        for number in 0..<4 { try await sender.publish("\(number)", .log(timeToLive: .seconds(5))) }
        try await eventually("all under way") { sender.client.deliveryCounters.normal.underWay == 4 }
        try await sender.publish("behind", .log(level: .broker))
        try await eventually("a repetition") { sender.client.deliveryCounters.normal.repeated > 0 }
        #expect(sender.client.deliveryCounters.normal.acknowledged == 0)
        time.withLock { $0 += 10_000 }
        try await sender.isDelivered()
        let counters = sender.client.deliveryCounters.normal
        #expect(counters.expired == 4 && counters.acknowledged == 1)
        try await sender.stop()
        await node.stop()
    }

    @Test(arguments: WhenFull.allCases) func aFullOutbox(_ policy: WhenFull) async throws {
        let reserved = try ReservedPort()
        let rig = try await DeliveryRig()
        let outbox = rig.outbox {
            $0.normal.maximumBytes = 65_536
            $0.normal.segmentBytes = 4_096
            $0.normal.whenFull = policy
        }
        let sender = try TestClient(reserved.port, "sender") { $0.outbox = outbox }
        var taken: [String] = []
        var refused = 0
        for number in 0..<400 {
            let text = "\(number) " + String(repeating: "x", count: 300)
            do {
                try await sender.publish(text, .log())
                taken.append(text)
            } catch let error as DeviceError {
                #expect(error.code == .limitExceeded && error.hint != nil, "\(error)")
                refused += 1
            }
        }
        try await sender.client.synchronizeOutbox()
        let counters = sender.client.deliveryCounters.normal
        #expect(counters.bytes <= 65_536)
        #expect(counters.rejected == UInt64(refused))
        let handled = Handled()
        let node = try await TestNode.start(port: reserved.port)
        let receiver = try await rig.receiver(reserved.port, into: handled)
        try await sender.isDelivered()
        switch policy {
        case .reject:
            #expect(refused > 100 && handled.all.sorted() == taken.sorted())
        case .dropOldest:
            #expect(refused == 0 && counters.dropped > 100)
            #expect(handled.all.sorted() == taken.dropFirst(Int(counters.dropped)).sorted())
            var told: UInt64 = 0
            while told < counters.dropped {
                told += try await sender.event("what was dropped") { event in
                    if case .dropped(let count, .outboxFull) = event { count } else { nil }
                }
            }
            #expect(told == counters.dropped)
        }
        try await sender.stop()
        try await receiver.stop()
        await node.stop()
        withExtendedLifetime(reserved) {}
    }

    @Test func anOutboxInUseIsToldAndTakenLater() async throws {
        let node = try await TestNode.start()
        let rig = try await DeliveryRig()
        let handled = Handled()
        let receiver = try await rig.receiver(node.port, into: handled)
        let first = try await rig.sender(node.port)
        try await first.publish("first", .log(isDurable: true))
        let outbox = rig.outbox()
        let second = try TestClient(node.port, "second") { $0.outbox = outbox }
        let failure = try await second.event("a failure") {
            if case .outboxFailed(let error) = $0 { error } else { nil }
        }
        #expect(failure.code == .busy && failure.hint != nil)
        let error = await #expect(throws: DeviceError.self) { try await second.publish("second", .log()) }
        #expect(error?.code == .busy)
        // It does not keep the client from all else.
        try await eventually("a session") { second.client.isConnected }
        try await first.isDelivered()
        try await first.stop()
        _ = try await second.event("the outbox") { if case .outboxRecovered = $0 { true } else { nil } }
        try await second.publish("second", .log())
        try await second.isDelivered()
        #expect(handled.all == ["first", "second"])
        try await second.stop()
        try await receiver.stop()
        await node.stop()
    }

    /// What was stored is sent although the disk takes nothing, what it does not take is told, and then it goes on.
    @Test(.enabled(if: SmallDisk.isPermitted, "needs root and permission to mount a tmpfs"))
    func aFullDisk() async throws {
        let reserved = try ReservedPort()
        let disk = try SmallDisk()
        let rig = try await DeliveryRig()
        var outbox = SMQOutboxConfiguration(directory: disk.path + "/outbox")
        outbox.normal.segmentBytes = 16_384
        outbox.normal.memoryRecords = 64
        outbox.normal.retryInterval = .milliseconds(20)
        let configured = outbox
        let sender = try TestClient(reserved.port, "sender") { $0.outbox = configured }
        var kept: [String] = []
        for number in 0..<50 {
            try await sender.publish("stored \(number)", .log(isDurable: true))
            kept.append("stored \(number)")
        }
        disk.fill()
        var refusal: DeviceError?
        while refusal == nil {
            let text = "\(kept.count) " + String(repeating: "x", count: 300)
            do {
                try await sender.publish(text, .log())
                kept.append(text)
            } catch { refusal = error as? DeviceError }
        }
        #expect(refusal?.code == .io && refusal?.hint != nil, "\(refusal as Any)")
        let told = try await sender.event("the disk") { if case .outboxFailed(let error) = $0 { error } else { nil } }
        #expect(told.code == .io)
        let handled = Handled()
        let node = try await TestNode.start(port: reserved.port)
        let receiver = try await rig.receiver(reserved.port, into: handled)
        try await sender.isDelivered()
        let count = kept.count
        try await eventually("everything handled") { handled.count >= count }
        #expect(Set(handled.all) == Set(kept) && handled.count == kept.count)
        disk.free()
        _ = try await sender.event("the disk again") { if case .outboxRecovered = $0 { true } else { nil } }
        try await sender.publish("after", .log(isDurable: true))
        try await sender.isDelivered()
        try await sender.stop()
        try await receiver.stop()
        await node.stop()
        withExtendedLifetime(reserved) {}
    }

    /// Numbers of an outbox that was removed are not taken for copies of older messages.
    @Test func aRemovedOutboxBeginsAnew() async throws {
        let node = try await TestNode.start()
        let rig = try await DeliveryRig()
        let handled = Handled()
        let receiver = try await rig.receiver(node.port, into: handled)
        var ids: [MessageID] = []
        for round in 0..<2 {
            let sender = try await rig.sender(node.port)
            let id = try await sender.client.publish(payload("round \(round)"), to: .topic("events"), delivery: .log())
            ids.append(try #require(id))
            try await sender.isDelivered()
            try await sender.stop()
            TemporaryDirectory.remove(rig.directory("outbox"))
        }
        #expect(ids.map(\.sequence) == [1, 1] && ids.map(\.epoch) == [1, 1])
        #expect(ids[0].source != ids[1].source)  // safe: two rounds
        #expect(handled.all == ["round 0", "round 1"])
        try await receiver.stop()
        await node.stop()
    }
}
