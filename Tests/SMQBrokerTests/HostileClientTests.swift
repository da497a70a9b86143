import DeviceCore
import DeviceProtocols
import NIOCore
import SMQBroker
import TestSupport
import Testing

/// Clients that would harm others.
@Suite struct HostileClientTests {
    /// On the vendor's broker, three clients that send nothing after their request delay the next by four seconds.
    @Test func silentHandshakesDelayNobody() async throws {
        let broker = try await TestBroker.start { $0.limits.handshake = .seconds(60) }
        var silent: [RawClient] = []
        for index in 0..<20 {
            silent.append(try await RawClient.connect(broker, framing: index.isMultiple(of: 2) ? .raw : .webSocket))
            _ = try await silent[index].frame()
        }
        let half = try await RawConnection.connect(port: broker.port)
        try await half.send("GET /smq.lsp HTTP/1.1\r\nHost:")
        let start = ContinuousClock.now
        let client = try await RawClient.open(broker, "client")
        try await client.barrier()
        #expect(ContinuousClock.now - start < .seconds(20))
        #expect(await broker.broker.snapshot().clients == 21)
        await broker.stop()
    }

    @Test func aHandshakeThatDoesNotEndIsEnded() async throws {
        let broker = try await TestBroker.start { $0.limits.handshake = .milliseconds(100) }
        let client = try await RawClient.connect(broker)
        _ = try await client.frame()
        guard case .connack(.unavailable, 0, _) = try await client.frame() else { throw Late(description: "not told") }
        try await client.connection.closed()
        await broker.stop()
    }

    /// On the vendor's broker a subscriber that stops reading freezes the publisher and everybody else.
    @Test func aSubscriberThatDoesNotReadIsDroppedAndDelaysNobody() async throws {
        let broker = try await TestBroker.start { $0.limits.queuedBytesPerClient = 1 << 20 }
        let slow = try await RawClient.connect(broker, reads: false)
        try await slow.sendConnect("slow-client")
        try await slow.send { $0.writeSMQ(.subscribe, text: "topic") }
        let fast = try await RawClient.open(broker, "fast-client")
        let publisher = try await RawClient.open(broker, "publisher")
        let id = try await fast.id(.subscribe, "topic")
        #expect(try await publisher.id(.create, "topic") == id)
        let watcher = try await RawClient.open(broker, "watcher")
        try await watcher.send { $0.writeSMQ(.observe, id: id) }
        guard case .change(id, let before) = try await watcher.frame() else { throw Late(description: "no count") }
        #expect(before == 2)
        // 30 MB, more than the sockets' buffers and the queue can hold. The publisher is as fast as the fast one reads.
        for number in 0..<600 {
            try await publisher.send {
                var payload = ByteBuffer(integer: number)
                payload.writeRepeatingByte(7, count: 50_000)
                $0.writeSMQPublish(to: id, from: publisher.etid, subtopic: 0, payload: payload)
            }
            guard case .publish(_, _, _, let payload) = try await fast.frame() else { throw Late(description: "gap") }
            #expect(payload.getInteger(at: payload.readerIndex, as: Int.self) == number)
        }
        guard case .change(id, 1) = try await watcher.frame() else { throw Late(description: "no change") }
        let statistics = await broker.broker.snapshot().statistics
        #expect(statistics.closed == [.slowConsumer: 1])
        await broker.stop()
        slow.connection.close()
    }

    /// A fast publisher and receivers that do read: nobody is dropped, because the publisher is held back.
    @Test func readersAreNotDropped() async throws {
        // Longer than by default, for readers that do not get the processor for a while.
        let broker = try await TestBroker.start { $0.limits.stall = .seconds(20) }
        let publisher = try await RawClient.open(broker, "publisher")
        let id = try await publisher.id(.create, "topic")
        var readers: [RawClient] = []
        for index in 0..<3 {
            readers.append(try await RawClient.open(broker, "reader-\(index)", framing: index == 0 ? .webSocket : .raw))
            #expect(try await readers[index].id(.subscribe, "topic") == id)
        }
        let count = 3000
        let publishing = Task {
            for _ in 0..<count {
                try await publisher.send {
                    $0.writeSMQPublish(
                        to: id, from: publisher.etid, subtopic: 0, payload: ByteBuffer(repeating: 7, count: 4000))
                }
            }
        }
        for reader in readers { for _ in 0..<count { #expect(try await reader.frame().type == .publish) } }
        try await within { try await publishing.value }
        let snapshot = await broker.broker.snapshot()
        #expect(snapshot.statistics.closed.isEmpty && snapshot.statistics.messagesDelivered == UInt64(3 * count))
        // Every byte that was given to a socket, raw or WebSocket, was counted as taken.
        try await eventually("nothing waits") { await broker.broker.snapshot().queuedBytes == 0 }
        await broker.stop()
    }

    @Test func aTooFastClientIsReadMoreSlowly() async throws {
        let broker = try await TestBroker.start { $0.limits.messagesPerSecond = 50 }
        let client = try await RawClient.open(broker, "client")
        let id = try await client.id(.subscribe, "topic")
        let start = ContinuousClock.now
        try await client.send {
            for _ in 0..<150 { $0.writeSMQPublish(to: id, from: client.etid, subtopic: 0, payload: ByteBuffer()) }
        }
        for _ in 0..<150 { _ = try await client.frame() }
        try await client.barrier()
        // 50 at once, 100 more at 50 a second: the ping behind them is read after that.
        #expect(ContinuousClock.now - start > .seconds(1))
        #expect(await broker.broker.snapshot().statistics.throttled > 0)
        await broker.stop()
    }
}
