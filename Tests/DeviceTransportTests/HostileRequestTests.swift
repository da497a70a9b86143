import DeviceCore
import DeviceTransport
import NIOCore
import TestSupport
import Testing

/// Requests that nobody should wait for, pay for or misunderstand.
@Suite struct HostileRequestTests {
    /// What is refused is refused at its head: the body never comes, and the deadline is far away.
    @Test(
        arguments: [
            ("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10", 405),
            ("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\nExpect: 100-continue", 405),
            ("PUT /nothing HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked", 404),
            ("GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\nExpect: 100-continue", 417),
            ("GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 70000", 413),
            ("GET / HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 10", 403),
        ]
    )
    func bodiesOfRefusedRequestsAreNotWaitedFor(_ head: String, _ status: Int) async throws {
        var limits = HTTPListener.Limits()
        limits.head = .seconds(600)
        let listener = try await startListener(limits: limits)
        let answer = try await RawConnection.exchange(port: listener.address.port, head + "\r\n\r\n")
        #expect(answer.status == status && answer.contains("Connection: close"), "\(answer)")
        await listener.close()
    }

    @Test func aBodyWithoutALengthIsRefusedWhenItIsTooLong() async throws {
        let listener = try await startListener()
        let connection = try await RawConnection.connect(port: listener.address.port)
        let head = "GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.post(ByteBuffer(string: head + "11170\r\n" + String(repeating: "x", count: 70_000)))
        #expect(try await String(buffer: connection.closed()).status == 413)
        await listener.close()
    }

    /// A body that is served has until the deadline of its request, however steadily it comes.
    @Test func aBodyHasADeadline() async throws {
        var limits = HTTPListener.Limits()
        limits.head = .milliseconds(300)
        let listener = try await startListener(limits: limits)
        let connection = try await RawConnection.connect(port: listener.address.port)
        connection.post(ByteBuffer(string: "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n"))
        let dripping = Task {
            while !connection.isClosed {
                connection.post(ByteBuffer(string: "x"))
                try await Task.sleep(for: .milliseconds(5))
            }
        }
        #expect(try await connection.closed().readableBytes == 0)
        dripping.cancel()
        await listener.close()
    }

    /// The time for idle connections begins when they are idle, not while a page is made.
    @Test func aSlowPageIsNotIdle() async throws {
        var limits = HTTPListener.Limits()
        limits.keepAlive = .milliseconds(10)
        let listener = try await startListener(limits: limits)
        let answers = try await RawConnection.exchange(port: listener.address.port, get("/file.js") + get("/slow"))
        #expect(answers.contains("file\n") && answers.hasSuffix("slow\n"), "\(answers)")
        await listener.close()
    }

    /// Who sends requests and does not read gets as much as the sockets hold, and the rest once it reads.
    @Test func pipelinedRequestsOfOneThatDoesNotRead() async throws {
        let served = Locked(0)
        let size = 256 << 10
        let listener = try await startListener {
            $0.page("/big") { _ in
                served.withLock { $0 += 1 }
                return HTTPResponse(contentType: "text/plain", body: ByteBuffer(repeating: 0x61, count: size))
            }
        }
        let port = listener.address.port
        let connection = try await RawConnection.connect(port: port, reads: false)
        let count = 100
        connection.post(ByteBuffer(string: String(repeating: get("/big"), count: count)))
        try await eventually("the first is served") { served.withLock { $0 } > 0 }
        // All connections share a thread: when others were served many times, this one had its turns.
        var before = 0
        repeat {
            before = served.withLock { $0 }
            for _ in 0..<20 { _ = try await RawConnection.exchange(port: port, get("/file.js", "Connection: close")) }
        } while served.withLock { $0 } != before
        #expect(before < count / 2)
        try await connection.startReading()
        for _ in 0..<count {
            #expect(try await connection.take(through: "\r\n\r\n").status == 200)
            #expect(try await connection.take { $0.readSlice(length: size)?.readableBytes } == size)
        }
        connection.close()
        await listener.close()
    }

    /// A response that nobody takes does not keep its connection for ever.
    @Test func whoDoesNotTakeItsResponseIsClosed() async throws {
        var limits = HTTPListener.Limits()
        limits.connections = 1
        limits.keepAlive = .milliseconds(300)
        let listener = try await startListener(limits: limits) {
            $0.page("/big") { _ in
                HTTPResponse(contentType: "text/plain", body: ByteBuffer(repeating: 0x61, count: 16 << 20))
            }
        }
        let port = listener.address.port
        let connection = try await RawConnection.connect(port: port, reads: false)
        connection.post(ByteBuffer(string: get("/big")))
        try await eventually("its place is free") {
            (try? await RawConnection.exchange(port: port, get("/file.js", "Connection: close")))?.status == 200
        }
        connection.close()
        await listener.close()
    }

    @Test(arguments: ["/", "/echo"]) func aTooLongHeadInOnePieceIsRefused(_ path: String) async throws {
        let listener = try await startListener()
        let port = listener.address.port
        let filler = "X-Filler: " + String(repeating: "x", count: 8200)
        for field in ["X-None: 1", "SimpleMQ: 1"] {
            #expect(try await RawConnection.exchange(port: port, get(path, filler, field)).status == 431)
        }
        // Also as a later request.
        let requests = get("/file.js") + get("/", filler, "Connection: close")
        let answers = try await RawConnection.exchange(port: port, requests)
        #expect(answers.status == 200 && answers.contains("HTTP/1.1 431"))
        await listener.close()
    }

    @Test func twoHostsAreRefused() async throws {
        let listener = try await startListener(access: HTTPAccessPolicy(isOpen: true))
        let port = listener.address.port
        for path in ["/", "/echo"] {
            for field in ["Connection: close", "SimpleMQ: 1"] {
                let answer = try await RawConnection.exchange(port: port, get(path, "Host: a", "host: b", field))
                #expect(answer.status == 400 && answer.contains("2 Host fields"), "\(answer)")
            }
        }
        let request = WebSocketBytes.request(path: "/echo", headers: ["Host: localhost"])
        #expect(try await RawConnection.exchange(port: port, request).status == 400)
        await listener.close()
    }

    @Test func targetsAsTheyAreSentToProxies() async throws {
        let listener = try await startListener()
        let port = listener.address.port
        for target in ["http://localhost:\(port)/?a", "HTTP://localhost?a"] {
            let answer = try await RawConnection.exchange(port: port, get(target, "Connection: close"))
            #expect(answer.status == 200 && answer.contains("page for 127.0.0.1 a"), "\(answer)")
        }
        // Its host counts, not the field's.
        let foreign = try await RawConnection.exchange(port: port, get("http://evil.example/", "Connection: close"))
        #expect(foreign.status == 403)
        let raw = try await RawConnection.connect(port: port)
        try await raw.send(get("http://127.0.0.1/echo", "SimpleMQ: 1"))
        #expect(try await String(buffer: raw.take(5)) == "hello")
        raw.close()
        await listener.close()
    }

    @Test func aListenerThatIsAboutToEndFinishesWhatItHas() async throws {
        let reserved = try ReservedPort()
        let port = reserved.port
        let listener = try await startListener(port: port)
        let stream = try await RawConnection.connect(port: port)
        try await stream.send(get("/echo", "SimpleMQ: 1"))
        #expect(try await String(buffer: stream.take(5)) == "hello")
        let (page, late) = (try await RawConnection.connect(port: port), try await RawConnection.connect(port: port))
        for connection in [page, late] {
            try await connection.send(get("/file.js"))
            _ = try await connection.take(through: "file\n")
        }
        await listener.stopAccepting()
        await #expect(throws: (any Error).self) { try await RawConnection.connect(port: port) }
        // Streams go on; a kept connection gets one more response.
        try await stream.send("more")
        #expect(try await String(buffer: stream.take(4)) == "more")
        try await page.send(get("/file.js"))
        #expect(try await String(buffer: page.closed()).contains("Connection: close"))
        await listener.close()
        try await late.closed()
        #expect(!stream.isClosed)
        stream.close()
        withExtendedLifetime(reserved) {}
    }
}
