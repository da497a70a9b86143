import DeviceCore
import DeviceProtocols
import DeviceTransport
import NIOCore
import NIOPosix
import TestSupport
import Testing

/// A server whose answers are not to be trusted.
@Suite struct HostileServerTests {
    typealias Reply = @Sendable (_ question: [UInt8]) -> [[UInt8]]

    private final class Responder: ChannelInboundHandler, Sendable {
        typealias InboundIn = AddressedEnvelope<ByteBuffer>
        typealias OutboundOut = AddressedEnvelope<ByteBuffer>
        let reply: Reply
        init(_ reply: @escaping Reply) { self.reply = reply }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let envelope = unwrapInboundIn(data)
            for bytes in reply(Array(envelope.data.readableBytesView)) {
                let answer = AddressedEnvelope(remoteAddress: envelope.remoteAddress, data: ByteBuffer(bytes: bytes))
                context.write(wrapOutboundOut(answer), promise: nil)
            }
            context.flush()
        }
    }

    /// Runs a body with a resolver that asks a server with such replies.
    private func withServer(
        _ reply: @escaping Reply, _ body: @Sendable @escaping (NameResolver) async throws -> Void
    ) async throws {
        let channel = try await DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Responder(reply))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let resolver = try testResolver("127.0.0.1:\(channel.localAddress?.port ?? 0)") {
            $0.timeout = .milliseconds(500)
            $0.tries = 2
            $0.limits.deadline = .seconds(10)
        }
        try await within(.seconds(30), "lookups at a hostile server") { try await body(resolver) }
        await resolver.shutDown()
        try await channel.close()
    }

    /// A correct response to a question: flags, records in the answer section.
    private static func response(_ question: [UInt8], flags: [UInt8] = [0x81, 0x80], _ records: [[UInt8]]) -> [UInt8] {
        guard question.count > 17 else { return [] }
        let end = (question[12...].firstIndex(of: 0) ?? question.count - 5) + 5
        let count = UInt16(truncatingIfNeeded: records.count)
        let counts = [0, 1, UInt8(count >> 8), UInt8(truncatingIfNeeded: count), 0, 0, 0, 0]
        return question[..<2] + flags + counts + question[12..<min(end, question.count)] + records.joined()
    }

    /// Whether a question asks for A records.
    private static func isA(_ question: [UInt8]) -> Bool {
        let end = question.dropFirst(12).firstIndex(of: 0) ?? 0
        return end + 2 < question.count && question[end + 2] == 1
    }

    private static let address: [UInt8] = [0xC0, 0x0C, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 192, 0, 2, 1]

    private static let replies: [(String, Reply)] = [
        ("nothing", { _ in [] }),
        ("an empty datagram", { _ in [[]] }),
        ("one byte", { _ in [[0]] }),
        ("the question", { question in [question] }),
        (
            "a header that promises 65535 records",
            { Array(repeating: $0[..<2] + [0x81, 0x80] + [UInt8](repeating: 255, count: 8), count: 3) }
        ),
        (
            "noise",
            { question in (0..<20).map { _ in question[..<2] + (0..<200).map { _ in UInt8.random(in: 0...255) } } }
        ),
        ("an address of five bytes", { [response($0, [[0xC0, 0x0C, 0, 1, 0, 1, 0, 0, 0, 9, 0, 5, 1, 2, 3, 4, 5]])] }),
        ("a record cut off", { [response($0, [[0xC0, 0x0C, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 1]])] }),
        ("a name that points to itself", { [response($0, [[0xC0, 0xFF, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 1, 2, 3, 4]])] }),
        ("an alias circle", { [response($0, [[0xC0, 0x0C, 0, 5, 0, 1, 0, 0, 0, 9, 0, 2, 0xC0, 0x0C]])] }),
        ("addresses of another name", { [response($0, [[1, 0x78, 0, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 1, 2, 3, 4]])] }),
        ("truncated, and no TCP", { [response($0, flags: [0x83, 0x80], [])] }),
        ("a wrong id", { question in [[question[0] ^ 1, question[1]] + response(question, [address]).dropFirst(2)] }),
        ("an answer to another question", { [response($0.prefix(12) + [1, 0x78, 0, 0, 1, 0, 1], [address])] }),
        ("SERVFAIL", { [response($0, flags: [0x81, 0x82], [])] }),
        ("FORMERR", { [response($0, flags: [0x81, 0x81], [])] }),
        ("a code that nobody knows", { [response($0, flags: [0x81, 0x8F], [])] }),
        ("60 KB", { question in [response(question, Array(repeating: address, count: 3700))] }),
    ]

    @Test(arguments: replies.map(\.0)) func whatMakesNoSenseIsAnErrorInTime(_ what: String) async throws {
        guard let reply = Self.replies.first(where: { $0.0 == what })?.1 else { return }
        try await withServer(reply) { resolver in
            // Two may be answers: 60 KB, if c-ares takes such a datagram, and five bytes, of which 1.34 reads four.
            let error = await resolver.failure("broker.cluster.test")
            #expect(error != nil || ["60 KB", "an address of five bytes"].contains(what), "\(what)")
            #expect(error?.code != .closed)
        }
    }

    @Test func theRightAnswerAfterForgedOnesCounts() async throws {
        let forged: [UInt8] = [0xC0, 0x0C, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 6, 6, 6, 6]
        let reply: Reply = { question in
            let bad = Self.response(question, [forged])
            let right = Self.response(question, Self.isA(question) ? [Self.address] : [])
            return (1...20).map { [bad[0] ^ $0, bad[1]] + bad.dropFirst(2) } + [right]
        }
        try await withServer(reply) { resolver in
            let addresses = try await resolver.addresses("broker.cluster.test")
            #expect(addresses == ["192.0.2.1"])
        }
    }

    @Test func timesToLiveWithoutSense() async throws {
        let reply: Reply = { question in
            var record = Self.address
            record.replaceSubrange(6..<10, with: [0xFF, 0xFF, 0xFF, 0xFF])
            return [Self.response(question, Self.isA(question) ? [record] : [])]
        }
        try await withServer(reply) { resolver in
            let resolution = try await resolver.resolve(ResolverTarget("broker.cluster.test", port: 1))
            #expect(resolution.timeLeft <= .seconds(1))
        }
    }

    /// Answers from a server that spoils each in another way, many at once.
    @Test func noiseUnderLoad() async throws {
        let reply: Reply = { question in
            var bytes = Self.response(question, Array(repeating: Self.address, count: Int.random(in: 0...9)))
            for _ in 0..<Int.random(in: 0...4) where bytes.count > 2 {
                bytes[Int.random(in: 2..<bytes.count)] = UInt8.random(in: 0...255)
            }
            return [bytes]
        }
        try await withServer(reply) { resolver in
            await withTaskGroup(of: Void.self) { group in
                for index in 0..<300 {
                    group.addTask { _ = await resolver.failure("n\(index % 60).cluster.test") }
                }
            }
        }
    }
}
