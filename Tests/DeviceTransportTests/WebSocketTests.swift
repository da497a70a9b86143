import DeviceTransport
import NIOCore
import TestSupport
import Testing

@Suite struct WebSocketTests {
    /// A listener and a WebSocket on it that has said hello.
    private func open() async throws -> (HTTPListener, RawConnection) {
        let listener = try await startListener()
        let socket = try await RawConnection.webSocket(port: listener.address.port, path: "/echo")
        #expect(try await String(buffer: socket.takeFrame().payload) == "hello")
        return (listener, socket)
    }

    private func closeCode(_ socket: RawConnection) async throws -> UInt16? {
        let frame = try await socket.takeFrame()
        #expect(frame.opcode == .close)
        try await socket.closed()
        return frame.payload.getInteger(at: 0)
    }

    @Test(arguments: [WebSocketBytes.Opcode.binary, .text], [0, 1, 125, 126, 65_500])
    func messagesComeThrough(_ opcode: WebSocketBytes.Opcode, _ count: Int) async throws {
        let (listener, socket) = try await open()
        let message = ByteBuffer(repeating: 0x61, count: count)
        try await socket.send(WebSocketBytes.frame(opcode, message))
        let frame = try await socket.takeFrame()
        #expect(frame.opcode == .binary && frame.payload == message)
        socket.close()
        await listener.close()
    }

    @Test func fragmentsArePutTogetherWithPingsBetweenThem() async throws {
        let (listener, socket) = try await open()
        var frames = WebSocketBytes.frame(.binary, ByteBuffer(string: "one "), isLast: false)
        frames.writeImmutableBuffer(WebSocketBytes.frame(.ping, ByteBuffer(string: "there?")))
        frames.writeImmutableBuffer(WebSocketBytes.frame(.continuation, ByteBuffer(string: "two "), isLast: false))
        frames.writeImmutableBuffer(WebSocketBytes.frame(.pong, ByteBuffer()))
        frames.writeImmutableBuffer(WebSocketBytes.frame(.continuation, ByteBuffer(string: "three")))
        // Byte by byte, as the worst network.
        for byte in frames.readableBytesView { try await socket.send(ByteBuffer(bytes: [byte])) }
        let pong = try await socket.takeFrame()
        #expect(pong.opcode == .pong && String(buffer: pong.payload) == "there?")
        #expect(try await String(buffer: socket.takeFrame().payload) == "one two three")
        socket.close()
        await listener.close()
    }

    @Test func theClientsCloseIsAnswered() async throws {
        let (listener, socket) = try await open()
        try await socket.send(WebSocketBytes.frame(.close, ByteBuffer(bytes: [0x03, 0xE8])))
        #expect(try await closeCode(socket) == 1000)
        await listener.close()
    }

    @Test func aFrameWithoutAMaskClosesTheConnection() async throws {
        let (listener, socket) = try await open()
        var frames = WebSocketBytes.frame(.binary, ByteBuffer(string: "plain"), isMasked: false)
        frames.writeImmutableBuffer(WebSocketBytes.frame(.binary, ByteBuffer(string: "masked")))
        try await socket.send(frames)
        #expect(try await closeCode(socket) == 1002)
        await listener.close()
    }

    @Test func tooLongMessagesCloseTheConnection() async throws {
        let (listener, socket) = try await open()
        socket.post(WebSocketBytes.frame(.binary, ByteBuffer(repeating: 1, count: 70_000)))
        #expect(try await closeCode(socket) == 1009)
        let second = try await RawConnection.webSocket(port: listener.address.port, path: "/echo")
        _ = try await second.takeFrame()
        let part = ByteBuffer(repeating: 1, count: 40_000)
        second.post(WebSocketBytes.frame(.binary, part, isLast: false))
        second.post(WebSocketBytes.frame(.continuation, part))
        #expect(try await closeCode(second) == 1009)
        await listener.close()
    }

    @Test(arguments: [
        WebSocketBytes.frame(.continuation, ByteBuffer(string: "of nothing")),
        WebSocketBytes.frame(.ping, ByteBuffer(repeating: 1, count: 126)),
        ByteBuffer(bytes: [0xF2, 0x80, 1, 2, 3, 4]),
        ByteBuffer(bytes: [0x09, 0x80, 1, 2, 3, 4]),
    ])
    func brokenFramesCloseTheConnection(_ frame: ByteBuffer) async throws {
        let (listener, socket) = try await open()
        try await socket.send(frame)
        #expect(try await closeCode(socket) == 1002)
        await listener.close()
    }

    @Test func aMessageInsideAMessageClosesTheConnection() async throws {
        let (listener, socket) = try await open()
        try await socket.send(WebSocketBytes.frame(.binary, ByteBuffer(string: "one"), isLast: false))
        try await socket.send(WebSocketBytes.frame(.binary, ByteBuffer(string: "two")))
        #expect(try await closeCode(socket) == 1002)
        await listener.close()
    }

    @Test func framesInTheSameSegmentAsTheRequest() async throws {
        let listener = try await startListener()
        let socket = try await RawConnection.connect(port: listener.address.port)
        var bytes = ByteBuffer(string: WebSocketBytes.request(path: "/echo"))
        bytes.writeImmutableBuffer(WebSocketBytes.frame(.binary, ByteBuffer(string: "early")))
        try await socket.send(bytes)
        _ = try await socket.take(through: "\r\n\r\n")
        #expect(try await String(buffer: socket.takeFrame().payload) == "hello")
        #expect(try await String(buffer: socket.takeFrame().payload) == "early")
        socket.close()
        await listener.close()
    }

    @Test(arguments: ["Sec-WebSocket-Version: 8", "Sec-WebSocket-Version: "]) func anotherVersionIsRefused(
        _ version: String
    ) async throws {
        let listener = try await startListener()
        let request = WebSocketBytes.request(path: "/echo").replacing("Sec-WebSocket-Version: 13", with: version)
        let answer = try await RawConnection.exchange(port: listener.address.port, request)
        #expect(answer.status == 426 && answer.contains("Sec-WebSocket-Version: 13"), "\(answer)")
        await listener.close()
    }

    @Test func refusedUpgradesAreAnsweredWithTheReason() async throws {
        let listener = try await startListener(access: HTTPAccessPolicy(token: "secret"))
        for (path, header, status, text) in [
            ("/echo?token=secret", "Origin: http://evil.example", 403, "another site"),
            ("/echo", "X-None: 1", 401, "needs the token"), ("/other?token=secret", "X-None: 1", 404, "no broker at"),
        ] {
            let request = WebSocketBytes.request(path: path, headers: [header])
            let answer = try await RawConnection.exchange(port: listener.address.port, request)
            #expect(answer.status == status && answer.contains(text), "\(answer)")
        }
        // The route's own refusal, and a request without a key.
        let open = try await startListener()
        let refused = WebSocketBytes.request(path: "/echo?refuse")
        #expect(try await RawConnection.exchange(port: open.address.port, refused).contains("not now"))
        let keyless = WebSocketBytes.request(path: "/echo").replacing("Sec-WebSocket-Key", with: "X-Key")
        #expect(try await RawConnection.exchange(port: open.address.port, keyless).status == 400)
        await listener.close()
        await open.close()
    }

    /// Who sends pings and never reads must not fill the memory with pongs.
    @Test func pingsOfOneThatDoesNotRead() async throws {
        let listener = try await startListener()
        let socket = try await RawConnection.connect(port: listener.address.port, reads: false)
        try await socket.send(WebSocketBytes.request(path: "/echo"))
        let ping = WebSocketBytes.frame(.ping, ByteBuffer(repeating: 1, count: 125))
        var burst = ByteBuffer()
        for _ in 0..<1000 { burst.writeImmutableBuffer(ping) }
        // About 10 MB of pings: they are all taken although no pong can be sent any more.
        try await within(.seconds(120)) { [burst] in for _ in 0..<80 { try await socket.send(burst) } }
        // Once it reads, the newest is answered.
        try await socket.send(WebSocketBytes.frame(.ping, ByteBuffer(string: "last")))
        try await socket.startReading()
        _ = try await socket.take(through: "\r\n\r\n")
        while try await String(buffer: socket.takeFrame().payload) != "last" {}
        socket.close()
        await listener.close()
    }
}
