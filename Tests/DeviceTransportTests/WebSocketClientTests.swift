import DeviceCore
import DeviceProtocols
import DeviceTransport
import NIOCore
import NIOPosix
import TestSupport
import Testing

/// The client's end, against servers that answer in their own way.
@Suite struct WebSocketClientTests {
    /// What a connection brought, and why it was refused.
    private final class Outcome: Sendable {
        let received = Locked(ByteBuffer())
        let refusal = Locked<DeviceError?>(nil)
    }

    private final class Collector: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let outcome: Outcome

        init(_ outcome: Outcome) { self.outcome = outcome }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = unwrapInboundIn(data)
            outcome.received.withLock { _ = $0.writeImmutableBuffer(bytes) }
        }
    }

    private func connect(_ url: String, _ outcome: Outcome) async throws -> any Channel {
        let url = try BrokerURL(url)
        let endpoint = try #require(Endpoint(url.authority, defaultPort: url.port))
        var options = TCPConnector.Options()
        options.timeout = .seconds(60)
        return try await TCPConnector.connect(
            to: endpoint, url: url, options: options, eventLoop: MultiThreadedEventLoopGroup.singleton.next(),
            onChannel: { _ in }, onRefusal: { error in outcome.refusal.withLock { $0 = error } },
            install: { try $0.pipeline.syncOperations.addHandler(Collector(outcome)) }
        ).get()
    }

    /// The first message often comes in the same segment as the response.
    @Test(arguments: [true, false]) func theMessageThatComesWithTheResponse(_ isJoined: Bool) async throws {
        let server = try await FakeServer.start { connection in
            let request = try await connection.take(through: "\r\n\r\n")
            let key = request.split(separator: "\r\n").first { $0.lowercased().hasPrefix("sec-websocket-key: ") }
            let proof = String(key?.dropFirst(19) ?? "") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
            let accept = Base64.encode(try OpenSSLCrypto().sha1(Array(proof.utf8)))
            var bytes = ByteBuffer(
                string: "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    + "Sec-WebSocket-Accept: \(accept)\r\n\r\n")
            if !isJoined {
                try await connection.send(bytes)
                bytes.clear()
            }
            for message in ["one", "two"] {
                bytes.writeImmutableBuffer(
                    WebSocketBytes.frame(.binary, ByteBuffer(string: message), isMasked: false))
            }
            try await connection.send(bytes)
            try await connection.closed()
        }
        let outcome = Outcome()
        let channel = try await connect("ws://127.0.0.1:\(server.port)/smq.lsp", outcome)
        try await eventually("both messages") { outcome.received.withLock { $0.readableBytes } == 10 }
        #expect(outcome.received.withLock { String(buffer: $0) } == "\0\u{5}one\0\u{5}two")
        try await channel.close()
        await server.stop()
    }

    @Test func whoIsNotLetInIsToldWhatToDo() async throws {
        let listener = try await startListener(access: HTTPAccessPolicy(token: "secret"))
        let port = listener.address.port
        for (path, code) in [
            ("/echo", DeviceError.Code.permission), ("/echo?token=wrong", .permission),
            ("/other?token=secret", .protocolViolation),
        ] {
            let outcome = Outcome()
            let channel = try await connect("ws://127.0.0.1:\(port)\(path)", outcome)
            try await eventually("a refusal of \(path)") { outcome.refusal.withLock { $0 } != nil }
            let refusal = outcome.refusal.withLock { $0 }
            #expect(refusal?.code == code, "\(path)")
            if code == .permission { #expect(refusal?.hint?.contains("token") == true) }
            try? await channel.close()
        }
        await listener.close()
    }
}
