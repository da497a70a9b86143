import DeviceCore
import DeviceProtocols
import DeviceTransport
import NIOCore
import NIOEmbedded
import TestSupport
import Testing

/// Two of our ends without sockets: every cut of what goes between them, and what no peer should send.
@Suite(.timeLimit(.minutes(10)))
struct TLSBytesTests {
    /// A client and a server whose bytes a test carries.
    final class Pair {
        let client = EmbeddedChannel()
        let server = EmbeddedChannel()
        let clientHandshake = HandshakeResult()
        let serverHandshake = HandshakeResult()

        init(_ clientContext: TLSClientContext, _ serverContext: TLSServerContext) throws {
            try client.pipeline.syncOperations.addHandler(
                clientContext.makeHandler(
                    serverName: "cluster.test", port: 443, timeout: .seconds(5), onHandshake: clientHandshake.set))
            try server.pipeline.syncOperations.addHandler(
                serverContext.makeHandler(client: "test", timeout: .seconds(5), onHandshake: serverHandshake.set))
            for channel in [server, client] {
                channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
            }
        }

        /// Everything that an end wants to send now.
        static func output(_ channel: EmbeddedChannel) throws -> ByteBuffer {
            var all = ByteBuffer()
            while let next = try channel.readOutbound(as: ByteBuffer.self) { all.writeImmutableBuffer(next) }
            return all
        }

        /// Gives an end bytes as one read.
        static func input(_ channel: EmbeddedChannel, _ bytes: ByteBuffer) {
            guard bytes.readableBytes > 0, channel.isActive else { return }
            channel.pipeline.fireChannelRead(bytes)
            channel.pipeline.fireChannelReadComplete()
        }

        /// Carries bytes both ways, as `cut` cuts them, until nobody has any. Gives each flight's length.
        @discardableResult
        func carry(_ cut: (_ flight: Int, ByteBuffer) -> [ByteBuffer] = { [$1] }) throws -> [Int] {
            var lengths: [Int] = []
            while lengths.count < 100 {
                let sender = lengths.count % 2 == 0 ? client : server
                let flight = try Self.output(sender)
                for piece in cut(lengths.count, flight) { Self.input(sender === client ? server : client, piece) }
                lengths.append(flight.readableBytes)
                if lengths.suffix(2) == [0, 0] { return lengths }
            }
            Issue.record("they never come to an end")
            return lengths
        }

        static func text(_ channel: EmbeddedChannel) throws -> String {
            var all = ByteBuffer()
            while let next = try channel.readInbound(as: ByteBuffer.self) { all.writeImmutableBuffer(next) }
            return String(buffer: all)
        }

        func say(_ text: String, from channel: EmbeddedChannel) {
            channel.writeAndFlush(ByteBuffer(string: text), promise: nil)
        }

        func finish() {
            _ = try? client.finish(acceptAlreadyClosed: true)
            _ = try? server.finish(acceptAlreadyClosed: true)
        }
    }

    private func cut(_ bytes: ByteBuffer, at index: Int) -> [ByteBuffer] {
        var rest = bytes
        guard let first = rest.readSlice(length: index) else { return [bytes] }
        return [first, rest]
    }

    private func both(_ minimum: TLSVersion) throws -> (TLSClientContext, TLSServerContext) {
        let files = try certificates()
        return (
            try clientContext {
                $0.minimumVersion = minimum
                $0.identity = files.pair("client").identity
            }, try serverContext { $0.clientCertificate = .required(.file(files.path("ca"))) }
        )
    }

    @Test func oneByteAtATime() async throws {
        let (clientContext, serverContext) = try both(.tls12)
        let pair = try Pair(clientContext, serverContext)
        pair.say("from the client", from: pair.client)
        pair.say("from the server", from: pair.server)
        try pair.carry { _, flight in flight.readableBytesView.map { ByteBuffer(bytes: [$0]) } }
        #expect(try Pair.text(pair.server) == "from the client")
        #expect(try Pair.text(pair.client) == "from the server")
        #expect(try await pair.serverHandshake.info().peerSubject == "CN=client")
        pair.finish()
    }

    /// Each flight of a mutual handshake, and the data behind it, is cut in two at each of its bytes.
    @Test func everyCutOfEveryFlight() throws {
        let (clientContext, serverContext) = try both(.tls12)
        var flight = 0
        var index = 1
        var cuts = 0
        while flight < 4 {
            let pair = try Pair(clientContext, serverContext)
            pair.say("from the client", from: pair.client)
            pair.say("from the server", from: pair.server)
            let lengths = try pair.carry { $0 == flight ? cut($1, at: index) : [$1] }
            let texts = [try Pair.text(pair.server), try Pair.text(pair.client)]
            if texts != ["from the client", "from the server"] {
                Issue.record("flight \(flight) cut at \(index): \(texts)")
                return
            }
            pair.finish()
            cuts += 1
            // The middle of long flights is certificates: there every seventh cut does.
            let length = flight < lengths.count ? lengths[flight] : 0
            index += index > 300 && index < length - 100 ? 7 : 1
            if index >= length { (flight, index) = (flight + 1, 1) }
        }
        #expect(cuts > 800)
    }

    /// Any change of any byte ends in an error, never in other text and never in a trap.
    @Test func changedBytes() throws {
        let (clientContext, serverContext) = try both(.tls12)
        var random = Generator(state: 7)
        for round in 0..<400 {
            let pair = try Pair(clientContext, serverContext)
            pair.say("from the client", from: pair.client)
            pair.say("from the server", from: pair.server)
            let target = Int.random(in: 0..<4, using: &random)
            try pair.carry { flight, bytes in
                guard flight == target, bytes.readableBytes > 0 else { return [bytes] }
                var changed = bytes
                let index = Int.random(in: 0..<bytes.readableBytes, using: &random)
                let old: UInt8 = bytes.getInteger(at: bytes.readerIndex + index) ?? 0
                changed.setInteger(old ^ UInt8.random(in: 1...255, using: &random), at: bytes.readerIndex + index)
                return [changed]
            }
            let texts = [try Pair.text(pair.server), try Pair.text(pair.client)]
            #expect(["", "from the client"].contains(texts[0]), "round \(round)")
            #expect(["", "from the server"].contains(texts[1]), "round \(round)")
            pair.finish()
        }
    }

    @Test func garbage() async throws {
        let (clientContext, serverContext) = try both(.tls12)
        var random = Generator(state: 11)
        for round in 0..<400 {
            let pair = try Pair(clientContext, serverContext)
            if round % 2 == 1 { try pair.carry() }
            for _ in 0..<3 {
                let type: UInt8 = [0x14, 0x15, 0x16, 0x17, 0x18, 0x80][Int.random(in: 0..<6, using: &random)]
                let length = Int.random(in: 0...20_000, using: &random)
                var bytes = ByteBuffer(bytes: [type, 3, UInt8.random(in: 0...4, using: &random)])
                bytes.writeInteger(UInt16(length))
                let said = Int.random(in: 0...length, using: &random)
                bytes.writeBytes((0..<said).map { _ in UInt8.random(in: 0...255, using: &random) })
                Pair.input(pair.client, bytes)
                Pair.input(pair.server, bytes)
            }
            #expect(try Pair.text(pair.server) == "")
            #expect(try Pair.text(pair.client) == "")
            pair.finish()
            #expect(pair.clientHandshake.count == 1)
            #expect(pair.serverHandshake.count == 1)
        }
    }

    /// The connection ends within each flight, at any byte.
    @Test func truncated() async throws {
        let (clientContext, serverContext) = try both(.tls12)
        for flight in 0..<2 {
            for index in stride(from: 0, to: 1200, by: 13) {
                let pair = try Pair(clientContext, serverContext)
                try pair.carry { $0 == flight ? [cut($1, at: index)[0]] : [$1] }
                _ = try? await pair.client.close()
                _ = try? await pair.server.close()
                pair.finish()
                #expect(pair.clientHandshake.count == 1)
                #expect(pair.serverHandshake.count == 1)
            }
        }
    }

    @Test func theGoodbyeIsSentOnceAndAnswered() throws {
        let (clientContext, serverContext) = try both(.tls12)
        let pair = try Pair(clientContext, serverContext)
        try pair.carry()
        pair.say("last words", from: pair.client)
        pair.client.close(promise: nil)
        let goodbye = try Pair.output(pair.client)
        Pair.input(pair.server, goodbye)
        #expect(try Pair.text(pair.server) == "last words")
        // A record of TLS 1.3: 5 bytes, an alert of 2, its type, 16 bytes of authentication.
        #expect(try Pair.output(pair.server).readableBytes == 24)
        #expect(!pair.server.isActive)
        #expect(!pair.client.isActive)
        pair.finish()
    }

    /// Many small writes and one flush are one write below, and few records.
    @Test func aFlushIsOneWrite() throws {
        let (clientContext, serverContext) = try both(.tls12)
        let pair = try Pair(clientContext, serverContext)
        try pair.carry()
        for _ in 0..<100 { pair.client.write(ByteBuffer(repeating: 65, count: 100), promise: nil) }
        #expect(try Pair.output(pair.client).readableBytes == 0)
        pair.client.flush()
        let record = try pair.client.readOutbound(as: ByteBuffer.self)
        #expect(record?.readableBytes == 10_000 + 22)
        #expect(try pair.client.readOutbound(as: ByteBuffer.self) == nil)
        // Without a flush, memory is bounded all the same: the channel has it and can say that it is enough.
        for _ in 0..<100 { pair.client.write(ByteBuffer(repeating: 65, count: 2000), promise: nil) }
        pair.client.flush()
        var writes = 0
        while let bytes = try pair.client.readOutbound(as: ByteBuffer.self) {
            writes += 1
            #expect(bytes.readableBytes < 82 << 10)
            if let record, writes == 1 { Pair.input(pair.server, record) }
            Pair.input(pair.server, bytes)
        }
        #expect((3...4).contains(writes))
        #expect(try Pair.text(pair.server).utf8.count == 210_000)
        pair.finish()
    }

    /// Promises are kept in order, and fail when the connection ends first.
    @Test func promisesFollowTheirBytes() throws {
        let (clientContext, serverContext) = try both(.tls12)
        let pair = try Pair(clientContext, serverContext)
        let done = Locked<[Int]>([])
        func promise(_ number: Int) -> EventLoopPromise<Void> {
            let promise = pair.client.eventLoop.makePromise(of: Void.self)
            promise.futureResult.whenComplete { result in
                done.withLock { $0.append((try? result.get()) == nil ? -number : number) }
            }
            return promise
        }
        pair.client.writeAndFlush(ByteBuffer(string: "early"), promise: promise(1))
        #expect(done.withLock { $0 } == [])
        try pair.carry()
        pair.client.write(ByteBuffer(string: "a"), promise: promise(2))
        pair.client.write(ByteBuffer(), promise: promise(3))
        pair.client.writeAndFlush(ByteBuffer(string: "b"), promise: promise(4))
        #expect(done.withLock { $0 } == [1, 2, 3, 4])
        pair.client.pipeline.fireChannelInactive()
        pair.client.write(ByteBuffer(string: "late"), promise: promise(5))
        #expect(done.withLock { $0 } == [1, 2, 3, 4, -5])
        pair.finish()
    }
}

/// Random numbers that are the same each time (SplitMix64).
private struct Generator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
