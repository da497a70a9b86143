@testable import ClusterClient
import DeviceCore
import DeviceProtocols
import NIOCore
import SMQBroker
import TestSupport
import Testing

@Suite struct SMQClientPressureTests {
    /// Where a client can be when it is cancelled.
    enum Phase: CaseIterable {
        case backingOff
        case awaitingInit
        case awaitingUpgrade
        case makingCredentials
        case awaitingConnack
        case open
    }

    @Test(arguments: Phase.allCases) func cancellationEndsRunInEveryPhase(_ phase: Phase) async throws {
        let reached = BoundedStream<Void>(limit: 1)
        let server = try await FakeServer.start { connection in
            switch phase {
            case .backingOff: return
            case .awaitingInit, .awaitingUpgrade: _ = try await connection.take(through: "\r\n\r\n")
            case .makingCredentials, .awaitingConnack: _ = try await connection.serveInit()
            case .open: try await connection.serveHandshake(etid: 9)
            }
            reached.send(())
            try await connection.closed()
        }
        let client = try TestClient(server.port, framing: phase == .awaitingUpgrade ? .webSocket : .raw) {
            $0.attempts.connectDeadline = .seconds(600)
            $0.attempts.handshakeDeadline = .seconds(600)
            $0.attempts.backOff = BackOff(base: .seconds(6000), cap: .seconds(6000))
            guard phase == .makingCredentials else { return }
            $0.credentials = { _, _ in
                reached.send(())
                try? await Task.sleep(for: .seconds(5))
                return []
            }
        }
        let topic = client.client.subscribe(to: "topic")
        switch phase {
        case .backingOff: try await client.disconnected()
        case .open: try await client.connected()
        default: _ = try await next(reached)
        }
        try await client.stop()
        // The streams end with it.
        try await within { for await _ in topic {} }
        try await within { for await _ in client.events {} }
        await server.stop()
    }

    /// A client that says goodbye is not a client that was lost.
    @Test(arguments: [SMQFraming.raw, .webSocket]) func cancellationSaysGoodbye(_ framing: SMQFraming) async throws {
        let node = try await TestNode.start()
        let client = try await TestClient.connected(node.port, framing: framing)
        try await client.stop()
        try await eventually("the broker knows") { await node.broker.snapshot().clients == 0 }
        #expect(await node.broker.snapshot().statistics.closed == [.clientDisconnected: 1])
        await node.stop()
    }

    /// A broker that does not read: publishers wait, memory stays bounded, and all goes on when it reads again.
    @Test func publishersWaitForTheSocket() async throws {
        let goOn = BoundedStream<Void>(limit: 1)
        let total = 1500
        let received = Locked(0)
        let server = try await FakeServer.start { connection in
            try await connection.serveHandshake(etid: 9)
            _ = try await connection.frame()
            try await connection.stopReading()
            try await connection.reply { $0.writeSMQAck(.createack, accepted: true, id: 7, name: payload("topic")) }
            for await _ in goOn { break }
            try await connection.startReading()
            while case .publish(let destination, 9, 0, _) = try await connection.frame() {
                if destination == 7 { received.withLock { $0 += 1 } }
            }
        }
        let client = try await TestClient.connected(server.port) {
            $0.outgoingBytes = 100_000
            $0.liveness.pingAfter = .seconds(600)
        }
        let published = Locked(0)
        let publishing = Task {
            for _ in 0..<total {
                try await client.client.publish(ByteBuffer(repeating: 7, count: 20_000), to: .topic("topic"))
                published.withLock { $0 += 1 }
            }
        }
        try await eventually("the queue is full") { client.client.state.withLock { $0.outgoingBytes } > 100_000 }
        #expect(published.withLock { $0 } < total)
        // Who does not want to wait gets an error instead.
        let error = #expect(throws: DeviceError.self) {
            for _ in 0..<100 {
                try client.client.publishNow(
                    ByteBuffer(repeating: 7, count: 20_000), to: .peer(SMQPeer(id: 3, session: 1)))
            }
        }
        #expect(error?.code == .limitExceeded)
        #expect(client.client.state.withLock { $0.outgoingBytes } < 300_000)
        goOn.send(())
        try await within(.seconds(90)) { try await publishing.value }
        try await eventually("all have come", within: .seconds(60)) { received.withLock { $0 } == total }
        try await client.stop()
        await server.stop()
    }

    /// Many publishers with a tiny limit: a single lost wake-up would hang one of them.
    @Test func noPublisherIsForgotten() async throws {
        let node = try await TestNode.start()
        let client = try await TestClient.connected(node.port) { $0.outgoingBytes = 2000 }
        let topic = client.client.subscribe(to: "topic", limit: 10_000)
        try await within(.seconds(90)) {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        for _ in 0..<500 {
                            try await client.client.publish(ByteBuffer(repeating: 7, count: 1000), to: .topic("topic"))
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
        for _ in 0..<4000 { _ = try await next(topic) }
        #expect(topic.dropped == 0)
        try await client.stop()
        await node.stop()
    }

    /// A broker that reads nothing holds nobody who has been cancelled, or has waited long enough.
    @Test func cancelledAndLatePublishersDoNotWait() async throws {
        let hangUp = BoundedStream<Void>(limit: 1)
        let server = try await FakeServer.start { connection in
            try await connection.serveHandshake(etid: 9)
            try await connection.stopReading()
            for await _ in hangUp { break }
        }
        let client = try await TestClient.connected(server.port) {
            $0.outgoingBytes = 10_000
            $0.liveness.pingAfter = .seconds(600)
        }
        let peer = SMQDestination.peer(SMQPeer(id: 3, session: 1))
        let publishing = Task { () -> DeviceError? in
            do throws(DeviceError) {
                while true { try await client.client.publish(ByteBuffer(repeating: 7, count: 50_000), to: peer) }
            } catch {
                return error
            }
        }
        try await eventually("the queue is full") { client.client.state.withLock { $0.outgoingBytes } > 10_000 }
        let late = await #expect(throws: DeviceError.self) {
            try await within { try await client.client.request(payload("?"), to: peer, timeout: .milliseconds(50)) }
        }
        #expect(late?.code == .timedOut)
        publishing.cancel()
        #expect(try await within { await publishing.value }?.code == .closed)
        hangUp.send(())
        try await client.stop()
        await server.stop()
    }

    /// Publishers that wait when the session ends are told, not forgotten.
    @Test func theEndOfASessionWakesPublishers() async throws {
        let hangUp = BoundedStream<Void>(limit: 1)
        let server = try await FakeServer.start { connection in
            try await connection.serveHandshake(etid: 9)
            try await connection.stopReading()
            for await _ in hangUp { break }
        }
        let client = try await TestClient.connected(server.port) {
            $0.outgoingBytes = 10_000
            $0.liveness.pingAfter = .seconds(600)
            $0.attempts.backOff = BackOff(base: .seconds(600), cap: .seconds(600))
        }
        let publishing = Task { () -> DeviceError? in
            do throws(DeviceError) {
                while true {
                    try await client.client.publish(
                        ByteBuffer(repeating: 7, count: 50_000), to: .peer(SMQPeer(id: 3, session: 1)))
                }
            } catch {
                return error
            }
        }
        try await eventually("the queue is full") { client.client.state.withLock { $0.outgoingBytes } > 10_000 }
        hangUp.send(())
        #expect(try await within { await publishing.value }?.code == .unavailable)
        try await client.stop()
        await server.stop()
    }
}
