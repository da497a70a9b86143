import DeviceCore
import DeviceTransport
import NIOCore
import TestSupport
import Testing

@Suite struct HTTPListenerTests {
    private let close = "Connection: close"

    @Test func servesPagesAndSaysWhatIsNotThere() async throws {
        let listener = try await startListener()
        let port = listener.address.port
        #expect(port > 0 && listener.address.description == "127.0.0.1:\(port)")
        let page = try await RawConnection.exchange(port: port, get("/?a=%20b", close))
        #expect(page.status == 200)
        #expect(page.contains("page for 127.0.0.1 a=%20b"))
        #expect(try await RawConnection.exchange(port: port, get("/nothing", close)).status == 404)
        #expect(try await RawConnection.exchange(port: port, get("/echo", close)).contains("SMQ broker"))
        let post = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\(close)\r\n\r\nhi"
        #expect(try await RawConnection.exchange(port: port, post).status == 405)
        let head = "HEAD / HTTP/1.1\r\nHost: localhost\r\n\(close)\r\n\r\n"
        let answer = try await RawConnection.exchange(port: port, head)
        #expect(answer.status == 200 && answer.hasSuffix("\r\n\r\n") && answer.contains("Content-Length: "))
        // HTTP/1.0 without a Host is answered and closed.
        #expect(try await RawConnection.exchange(port: port, "GET / HTTP/1.0\r\n\r\n").status == 200)
        await listener.close()
    }

    @Test func keptAliveAndPipelinedRequestsAreAnsweredInOrder() async throws {
        let listener = try await startListener()
        let connection = try await RawConnection.connect(port: listener.address.port)
        try await connection.send(get("/slow") + get("/file.js") + get("/"))
        for expected in ["slow\n", "file\n", "page for 127.0.0.1 \n"] {
            _ = try await connection.take(through: "\r\n\r\n")
            #expect(try await connection.take(through: "\n") == expected)
        }
        try await connection.send(get("/file.js", close))
        #expect(try await String(buffer: connection.closed()).status == 200)
        await listener.close()
    }

    @Test func anyPiecesOfARequest() async throws {
        let listener = try await startListener()
        let connection = try await RawConnection.connect(port: listener.address.port)
        for byte in get("/file.js", close).utf8 { try await connection.send(ByteBuffer(bytes: [byte])) }
        #expect(try await String(buffer: connection.closed()).status == 200)
        await listener.close()
    }

    @Test func aTooLongHeadIsAnsweredAndClosed() async throws {
        let listener = try await startListener()
        let connection = try await RawConnection.connect(port: listener.address.port)
        let line = "X-Filler: " + String(repeating: "x", count: 1000) + "\r\n"
        connection.post(ByteBuffer(string: "GET / HTTP/1.1\r\n" + String(repeating: line, count: 100)))
        let answer = try await String(buffer: connection.closed())
        #expect(answer.status == 431)
        #expect(answer.contains("8192 bytes"))
        await listener.close()
    }

    @Test func aTooLongBodyIsRefused() async throws {
        let listener = try await startListener()
        let connection = try await RawConnection.connect(port: listener.address.port)
        let head = "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\(close)\r\n\r\n"
        connection.post(ByteBuffer(string: head))
        connection.post(ByteBuffer(repeating: 1, count: 100_000))
        #expect(try await String(buffer: connection.closed()).status == 413)
        await listener.close()
    }

    @Test(arguments: [
        "\u{16}\u{3}\u{1}\u{2}\u{0}\r\n\r\n", "SSH-2.0-OpenSSH\r\n\r\n", "GET\r\n\r\n", "\r\n\r\n\r\n\r\n",
        "GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", "GET / HTTP/1.1\r\nno colon here\r\n\r\n",
    ])
    func whatIsNoHTTPIsClosed(_ text: String) async throws {
        var limits = HTTPListener.Limits()
        limits.head = .milliseconds(300)
        let listener = try await startListener(limits: limits)
        let answer = try await RawConnection.exchange(port: listener.address.port, text)
        #expect(answer.isEmpty || (400...599).contains(answer.status ?? 0), "\(answer)")
        await listener.close()
    }

    /// A head, a second head or a body that never ends is not waited for.
    @Test(arguments: [
        "", "GET / HTTP/1.1\r\nHost: loc", get("/file.js") + "GET / HTTP/1.1\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf",
    ])
    func whoDoesNotFinishIsClosed(_ text: String) async throws {
        var limits = HTTPListener.Limits()
        limits.head = .milliseconds(200)
        limits.keepAlive = .milliseconds(200)
        let listener = try await startListener(limits: limits)
        _ = try await RawConnection.exchange(port: listener.address.port, text)
        await listener.close()
    }

    @Test func connectionsHaveALimit() async throws {
        var limits = HTTPListener.Limits()
        limits.connections = 2
        let listener = try await startListener(limits: limits)
        let port = listener.address.port
        let first = try await RawConnection.connect(port: port)
        let second = try await RawConnection.connect(port: port)
        try await second.send(get("/file.js"))
        _ = try await second.take(through: "file\n")
        try await first.send(get("/file.js"))
        _ = try await first.take(through: "file\n")
        let third = try await RawConnection.connect(port: port)
        try await third.closed()
        #expect(listener.refusedConnections == 1)
        first.close()
        try await eventually("a place is free") {
            let fourth = try await RawConnection.connect(port: port)
            defer { fourth.close() }
            try? await fourth.send(get("/file.js"))
            return (try? await fourth.take(through: "file\n")) != nil
        }
        await listener.close()
    }

    @Test func aPortInUseIsNamed() async throws {
        let reserved = try ReservedPort()
        let port = reserved.port
        let listener = try await startListener(port: port)
        let error = await #expect(throws: DeviceError.self) { _ = try await startListener(port: port) }
        #expect(error?.code == .busy)
        #expect(error?.message.contains("127.0.0.1:\(port)") == true)
        #expect(error?.hint?.contains("\(port)") == true)
        await listener.close()
        // Free again at once.
        let again = try await startListener(port: port)
        await again.close()
        withExtendedLifetime(reserved) {}
    }

    @Test func closeEndsWaitingConnections() async throws {
        let listener = try await startListener()
        let idle = try await RawConnection.connect(port: listener.address.port)
        try await idle.send(get("/file.js"))
        _ = try await idle.take(through: "file\n")
        await listener.close()
        try await idle.closed()
        await #expect(throws: (any Error).self) { try await RawConnection.connect(port: listener.address.port) }
    }

    // MARK: Raw streams

    @Test(arguments: [true, false]) func aRequestForAStreamBecomesOne(_ wantsHead: Bool) async throws {
        let listener = try await startListener()
        let connection = try await RawConnection.connect(port: listener.address.port)
        // What follows the request in the same segment belongs to the stream.
        let request = wantsHead ? get("/echo", "SimpleMQ: 1", "Head: 1") : get("/echo", "simplemq: 1")
        try await connection.send(request + "early")
        if wantsHead { #expect(try await connection.take(through: "\r\n\r\n").status == 200) }
        #expect(try await String(buffer: connection.take(10)) == "helloearly")
        try await connection.send("later")
        #expect(try await String(buffer: connection.take(5)) == "later")
        connection.close()
        await listener.close()
    }

    @Test func aStreamThatIsNotThereOrRefused() async throws {
        let listener = try await startListener()
        let port = listener.address.port
        #expect(try await RawConnection.exchange(port: port, get("/other", "SimpleMQ: 1")).status == 404)
        let refused = try await RawConnection.exchange(port: port, get("/echo?refuse", "SimpleMQ: 1"))
        #expect(refused.status == 503 && refused.contains("not now"))
        await listener.close()
    }
}
