import DeviceCore
import DeviceProtocols
import DeviceTransport
import NIOCore
import SMQBroker
import TestSupport
import Testing

@Suite struct SMQBrokerTests {
    @Test(arguments: [SMQFraming.raw, .webSocket], [true, false])
    func aSession(_ framing: SMQFraming, _ wantsHead: Bool) async throws {
        let broker = try await TestBroker.start()
        let client = try await RawClient.connect(broker, framing: framing, wantsHead: wantsHead)
        guard case .initialize(1, _, "127.0.0.1") = try await client.frame() else { throw Late(description: "no Init") }
        try await client.sendConnect("client")
        guard case .connack(.accepted, let etid, "") = try await client.frame() else {
            throw Late(description: "no Connack")
        }
        let other = try await RawClient.open(broker, "other-client", framing: .webSocket)
        let id = try await client.id(.subscribe, "topic")
        #expect(try await other.id(.create, "topic") == id)
        try await other.send {
            $0.writeSMQPublish(to: id, from: other.etid, subtopic: 0, payload: ByteBuffer(string: "to all"))
            $0.writeSMQPublish(to: etid, from: other.etid, subtopic: 0, payload: ByteBuffer(string: "to one"))
        }
        for (destination, payload) in [(id, "to all"), (etid, "to one")] {
            #expect(
                try await client.frame()
                    == .publish(
                        destination: destination, publisher: other.etid, subtopic: 0,
                        payload: ByteBuffer(string: payload)))
        }
        let snapshot = await broker.broker.snapshot()
        #expect(snapshot.clients == 2 && snapshot.topics == 1 && snapshot.statistics.messagesReceived == 2)
        try await client.send { $0.writeSMQ(.disconnect) }
        if framing == .raw { try await client.connection.closed() }
        await broker.stop()
        try await other.connection.closed()
    }

    /// The vendor's C client sends its request in HTTP/1.0, and frames can come one byte at a time.
    @Test func aSlowNetwork() async throws {
        let broker = try await TestBroker.start()
        let connection = try await RawConnection.connect(port: broker.port)
        var bytes = ByteBuffer(string: "GET /smq.lsp HTTP/1.0\r\nHost: 127.0.0.1\r\nSimpleMQ: 1\r\n\r\n")
        bytes.writeSMQConnect(uid: "client".utf8, credentials: [], information: "")
        bytes.writeSMQ(.subscribe, text: "topic")
        bytes.writeSMQ(.disconnect)
        for byte in bytes.readableBytesView { try await connection.send(ByteBuffer(bytes: [byte])) }
        var rest = try await connection.closed()
        var types: [SMQMessageType] = []
        while let message = try rest.readSMQRawMessage() { types.append(try SMQFrame(message: message).type) }
        #expect(types == [.initialize, .connack, .suback])
        await broker.stop()
    }

    @Test func whatIsNotAllowedIsToldAndClosed() async throws {
        let broker = try await TestBroker.start()
        for framing in [SMQFraming.raw, .webSocket] {
            let client = try await RawClient.open(broker, "client", framing: framing)
            try await client.send { $0.writeSMQPublish(to: 1, from: 2, subtopic: 0, payload: ByteBuffer()) }
            guard case .disconnect(let reason) = try await client.frame() else { throw Late(description: "no reason") }
            #expect(reason.hasPrefix("corrupt frame"))
            if framing == .webSocket {
                let (opcode, code) = try await client.connection.takeFrame()
                #expect(opcode == .close && code.getInteger(at: 0, as: UInt16.self) == 1000)
            }
            try await client.connection.closed()
        }
        try await eventually("both are gone") { await broker.broker.snapshot().clients == 0 }
        #expect(await broker.broker.snapshot().statistics.closed == [.protocolViolation: 2])
        await broker.stop()
    }

    @Test func atItsLimitItSaysSo() async throws {
        let broker = try await TestBroker.start { $0.limits.clients = 1 }
        let first = try await RawClient.open(broker, "first-client")
        for framing in [SMQFraming.raw, .webSocket] {
            let second = try await RawClient.connect(broker, framing: framing)
            #expect(try await second.frame().type == .initialize)
            try await second.sendConnect("second-client")
            guard case .connack(.unavailable, 0, let reason) = try await second.frame() else {
                throw Late(description: "not refused")
            }
            #expect(reason.contains("as many clients"))
            second.connection.close()
        }
        try await first.barrier()
        #expect(await broker.broker.snapshot().statistics.refusedAtLimit == 2)
        first.connection.close()
        try await eventually("there is room") { (try? await RawClient.open(broker, "third-client")) != nil }
        await broker.stop()
    }

    // MARK: Same unique id

    @Test func aDeviceComesBackAfterAHalfOpenConnection() async throws {
        let broker = try await TestBroker.start()
        let old = try await RawClient.open(broker, "device")
        let watcher = try await RawClient.open(broker, "watcher")
        try await watcher.send { $0.writeSMQ(.observe, id: old.etid) }
        try await watcher.barrier()
        // The old connection is still there as far as the broker knows.
        let new = try await RawClient.open(broker, "device")
        #expect(new.etid == old.etid)
        #expect(try await old.frame() == .disconnect(reason: "reconnect"))
        try await old.connection.closed()
        try await watcher.send {
            $0.writeSMQPublish(to: new.etid, from: watcher.etid, subtopic: 0, payload: ByteBuffer())
        }
        #expect(try await new.frame().type == .publish)
        new.connection.close()
        #expect(try await watcher.frame() == .change(id: new.etid, subscribers: 0))
        await broker.stop()
    }

    // MARK: Hooks

    @Test func theHookTakesItsTimeAndDelaysNobody() async throws {
        let gate = BoundedStream<Void>(limit: 1)
        let broker = try await TestBroker.start {
            $0.authenticate = { request in
                if String(buffer: request.uid) == "waiting" { for await _ in gate { break } }
                return String(buffer: request.credentials) == "right" ? .accept : .refuse(.badCredentials, "wrong")
            }
        }
        let waiting = try await RawClient.connect(broker)
        _ = try await waiting.frame()
        try await waiting.sendConnect("waiting", credentials: "right")
        for (credentials, expected) in [("right", SMQConnackCode.accepted), ("false", .badCredentials)] {
            let client = try await RawClient.connect(broker, framing: .webSocket)
            _ = try await client.frame()
            try await client.sendConnect("quick-one", credentials: credentials)
            guard case .connack(expected, _, _) = try await client.frame() else {
                throw Late(description: "wrong code")
            }
        }
        gate.send(())
        guard case .connack(.accepted, _, _) = try await waiting.frame() else { throw Late(description: "not in") }
        await broker.stop()
    }

    @Test func afterItsEndItTakesNobody() async throws {
        let broker = try await TestBroker.start()
        let client = try await RawClient.open(broker, "client", agent: "DeviceSDK")
        await broker.broker.shutDown(reason: "maintenance")
        #expect(try await client.frame() == .disconnect(reason: "maintenance"))
        try await client.connection.closed()
        let late = try await RawClient.connect(broker, agent: "DeviceSDK")
        #expect(try await late.frame().type == .initialize)
        guard case .connack(.unavailable, 0, _) = try await late.frame() else { throw Late(description: "taken in") }
        await broker.listener.close()
    }

    /// The vendor's page never connects again after a Disconnect, and the vendor's LED program ends: for those the
    /// connection ends as by a crash, which all take for a reason to try again.
    @Test(arguments: ["drain", "shutdown"], [nil, "SimpleMQ/1", "Mozilla/5.0"])
    func othersAreNotToldToLeave(_ how: String, _ agent: String?) async throws {
        let broker = try await TestBroker.start()
        let raw = try await RawClient.open(broker, "raw-client", agent: agent)
        let page = try await RawClient.open(broker, "page-client", framing: .webSocket, agent: agent)
        // What was sent to it before still arrives.
        try await raw.send {
            $0.writeSMQPublish(to: page.etid, from: raw.etid, subtopic: 0, payload: ByteBuffer(string: "last"))
        }
        guard case .publish = try await page.frame() else { throw Late(description: "no message") }
        let ending = Task {
            if how == "drain" { await broker.broker.drain(within: .zero) } else { await broker.broker.shutDown() }
        }
        #expect(try await raw.connection.closed().readableBytes == 0)
        let (opcode, payload) = try await page.connection.takeFrame()
        #expect(opcode == .close && payload.getInteger(at: payload.readerIndex, as: UInt16.self) == 1001)
        raw.connection.close()
        page.connection.close()
        await ending.value
        // Nor are they refused in words while the broker ends.
        let late = try await RawClient.connect(broker, agent: agent)
        #expect(try await late.connection.closed().readableBytes == 0)
        late.connection.close()
        await broker.stop()
    }
}
