import DeviceCore
import DeviceProtocols
import DeviceTransport
import NIOCore
import Glibc
import TestSupport
import Testing

/// Much data, peers that do not read, and the end of a connection.
@Suite(.timeLimit(.minutes(5)))
struct TLSFlowTests {
    private static let size = 10 << 20

    /// Bytes that show when some are missing, doubled or exchanged.
    private static let pattern: [UInt8] = {
        var state: UInt32 = 1
        return (0..<size).map { _ in
            state = state &* 1_664_525 &+ 1_013_904_223
            return UInt8(truncatingIfNeeded: state >> 24)
        }
    }()

    private func equals(_ bytes: ByteBuffer) -> Bool {
        bytes.withUnsafeReadableBytes { bytes in Self.pattern.withUnsafeBytes { bytes.elementsEqual($0) } }
    }

    /// As the rest of the data is sent when there is room, a test's memory is the only limit: the handler must not
    /// take it.
    private func sendPattern(_ connection: RawConnection) async throws {
        for start in stride(from: 0, to: Self.size, by: 100_000) {
            try await connection.send(ByteBuffer(bytes: Self.pattern[start..<min(start + 100_000, Self.size)]))
        }
    }

    @Test(arguments: ["-tls1_2", "-tls1_3"]) func muchBothWaysWithOpensslsServer(version: String) async throws {
        let server = try await OpenSSLServer.start("server", ["-quiet", version])
        let (connection, handshake) = try await connect(clientContext(), port: server.port)
        _ = try await handshake.info()
        try await within(.seconds(120), "10 MB both ways") {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await server.program.send(Self.pattern) }
                group.addTask { try await self.sendPattern(connection) }
                try await group.waitForAll()
            }
        }
        try await eventually("all bytes", within: .seconds(120)) {
            connection.received.readableBytes == Self.size && server.program.outputCount == Self.size
        }
        #expect(equals(connection.received))
        #expect(server.program.outputBytes == Self.pattern)
    }

    /// The client stops reading for a while: what we cannot send stays within the channel's bounds.
    @Test(arguments: ["-tls1_2", "-tls1_3"]) func muchBothWaysWithOpensslsClient(version: String) async throws {
        let (server, _) = try await startSecure(serverContext()) { [self] connection in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await self.sendPattern(connection) }
                group.addTask {
                    try await eventually("all bytes", within: .seconds(120)) {
                        connection.received.readableBytes >= Self.size
                    }
                }
                try await group.waitForAll()
            }
            #expect(equals(connection.received))
            try await connection.closed()
        }
        let client = try startOpenSSLClient(port: server.port, [version, "-quiet"])
        try await within(.seconds(120), "10 MB from the client") { try await client.send(Self.pattern) }
        try await eventually("all bytes", within: .seconds(120)) { client.outputCount >= Self.size }
        // What s_client says about the certificates comes before.
        #expect(Array(client.outputBytes.suffix(Self.size)) == Self.pattern)
        await server.stop()
    }

    @Test func aPeerThatDoesNotReadStopsTheWriter() async throws {
        let progress = Progress()
        let context = try serverContext()
        let server = try await FakeServer.start(
            prepare: { channel in
                let handler = try context.makeHandler(client: "test", timeout: .seconds(20)) { _ in }
                try channel.pipeline.syncOperations.addHandlers([
                    handler, Writer(total: Self.size, progress: progress),
                ])
            }, { try await $0.closed() })
        let (connection, handshake) = try await connect(clientContext(), port: server.port, reads: false)
        _ = try await handshake.info()
        // Only the sockets' buffers are filled, then it stops for good.
        try await eventually("the writer stops") {
            let before = progress.sent
            try await Task.sleep(for: .milliseconds(300))
            return progress.isStopped && progress.sent == before && before > 100_000
        }
        #expect(progress.sent < Self.size)
        try await connection.startReading()
        try await eventually("all bytes", within: .seconds(60)) { connection.received.readableBytes == Self.size }
        connection.close()
        await server.stop()
    }

    /// Nobody above reads by himself: what TLS alone needs is read all the same, and no more than was asked for.
    @Test func readingOnDemandGetsWhatItAskedFor() async throws {
        let (server, _) = try await startSecure(serverContext()) { connection in
            try await connection.send("hello")
            try await connection.closed()
        }
        let (connection, handshake) = try await connect(clientContext(), port: server.port, reads: false)
        _ = try await handshake.info()
        try await Task.sleep(for: .milliseconds(100))
        try await connection.startReading()
        #expect(String(buffer: try await connection.take(5)) == "hello")
        connection.close()
        await server.stop()
    }

    // MARK: The end

    @Test(arguments: ["-tls1_2", "-tls1_3"]) func ourGoodbyeReachesOpenssl(version: String) async throws {
        let server = try await OpenSSLServer.start("server", ["-msg", version])
        let (connection, handshake) = try await connect(clientContext(), port: server.port)
        _ = try await handshake.info()
        try await connection.send("bye\n")
        try await server.program.prints("bye")
        connection.close()
        try await server.program.prints("warning close_notify")
        try await connection.closed()
    }

    @Test(arguments: ["-tls1_2", "-tls1_3"]) func opensslsGoodbyeIsAnswered(version: String) async throws {
        let (server, _) = try await startSecure(serverContext()) { connection in
            try await connection.send(try await connection.take(through: "\n"))
            try await connection.closed()
        }
        let client = try startOpenSSLClient(port: server.port, [version, "-msg"])
        try await client.send("hello there\n")
        try await client.prints("hello there")
        // Q ends it with close_notify.
        try await client.send("Q\n")
        #expect(try await client.ended() == 0)
        await server.stop()
    }

    @Test func aConnectionThatIsCutJustEnds() async throws {
        let server = try await OpenSSLServer.start()
        let (connection, handshake) = try await connect(clientContext(), port: server.port)
        _ = try await handshake.info()
        try await connection.send("hello\n")
        _ = try await connection.take(through: "\n")
        kill(server.program.pid, SIGKILL)
        try await connection.closed()
        #expect(handshake.count == 1)
    }

    /// A goodbye that nobody takes does not keep a connection.
    @Test func aFrozenPeerDoesNotHoldUpTheEnd() async throws {
        let server = try await OpenSSLServer.start("server", ["-quiet"])
        let (connection, handshake) = try await connect(clientContext(), port: server.port)
        _ = try await handshake.info()
        server.program.freeze()
        // More than the sockets' buffers hold.
        connection.post(ByteBuffer(repeating: 0, count: 16 << 20))
        try await Task.sleep(for: .milliseconds(50))
        connection.close()
        try await connection.closed()
    }

    // MARK: The listener

    @Test func pagesAndStreamsAreServedOnTheSecurePort() async throws {
        let listener = try await startListener(tls: serverContext())
        let port = listener.address.port
        let (page, _) = try await connect(clientContext(), port: port)
        try await page.send(get("/", "Host: cluster.test", "Connection: close"))
        let text = String(buffer: try await page.closed())
        #expect(text.status == 200, "\(text)")
        #expect(text.contains("page for 127.0.0.1"))

        let (raw, _) = try await connect(clientContext(), port: port)
        try await raw.send("GET /echo HTTP/1.1\r\nSimpleMQ: 1\r\n\r\nbytes")
        _ = try await raw.take(through: "hellobytes")
        raw.close()

        let (socket, _) = try await connect(clientContext(), port: port)
        try await socket.send(WebSocketBytes.request(path: "/echo", host: "cluster.test"))
        #expect(try await socket.take(through: "\r\n\r\n").status == 101)
        #expect(String(buffer: try await socket.takeFrame().payload) == "hello")
        socket.close()

        // A browser's page of another site is refused here as well.
        let (foreign, _) = try await connect(clientContext(), port: port)
        try await foreign.send(get("/", "Host: cluster.test", "Origin: https://evil.test", "Connection: close"))
        #expect(String(buffer: try await foreign.closed()).status == 403)

        let plain = try await RawConnection.exchange(port: port, get("/"))
        #expect(plain.status == 400)
        await listener.close()
    }
}

/// What a writer has done so far.
private final class Progress: Sendable {
    private let value = Locked((sent: 0, isStopped: false))
    var sent: Int { value.withLock { $0.sent } }
    var isStopped: Bool { value.withLock { $0.isStopped } }
    func set(_ sent: Int, isStopped: Bool) { value.withLock { $0 = (sent, isStopped) } }
}

/// Writes until the channel is not writable any more, and goes on when it is.
private final class Writer: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundOut = ByteBuffer
    private let total: Int
    private let progress: Progress
    private var sent = 0

    init(total: Int, progress: Progress) {
        self.total = total
        self.progress = progress
    }

    func channelActive(context: ChannelHandlerContext) {
        write(context)
        context.fireChannelActive()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) { write(context) }

    private func write(_ context: ChannelHandlerContext) {
        // The first bytes wait for the handshake.
        while sent < total, context.channel.isWritable, sent < 100_000 || progress.sent > 0 {
            let count = min(50_000, total - sent)
            sent += count
            context.write(wrapOutboundOut(ByteBuffer(repeating: 7, count: count)), promise: nil)
        }
        context.flush()
        progress.set(sent, isStopped: !context.channel.isWritable)
    }
}
