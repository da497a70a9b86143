import DeviceCore
import DeviceProtocols
import Logging
import NIOCore
import NIOEmbedded
@testable import SMQBroker
import TestSupport
import Testing

/// A client's connection, with the time of the test.
@Suite struct SMQBrokerHandlerTests {
    /// Counts how often something is read from the connection.
    private final class Reads: ChannelOutboundHandler {
        typealias OutboundIn = ByteBuffer
        private(set) var count = 0
        func read(context: ChannelHandlerContext) {
            count += 1
            context.read()
        }
    }

    private struct Client {
        let channel: EmbeddedChannel
        let reads: Reads
        var etid: UInt32 = 0

        init(_ core: SMQBrokerCore, _ uid: String, _ loop: EmbeddedEventLoop) throws {
            reads = Reads()
            let handler = SMQBrokerHandler(
                core, framing: .raw, address: "10.0.0.1", url: "/smq.lsp", knowsGoodbye: true)
            channel = EmbeddedChannel(handlers: [reads, handler], loop: loop)
            try send { $0.writeSMQConnect(uid: uid.utf8, credentials: "".utf8, information: "") }
            while var output = try channel.readOutbound(as: ByteBuffer.self) {
                while let message = try output.readSMQRawMessage() {
                    if case .connack(.accepted, let etid, _) = try SMQFrame(message: message) { self.etid = etid }
                }
            }
        }

        func send(_ write: (inout ByteBuffer) -> Void) throws {
            var bytes = ByteBuffer()
            write(&bytes)
            try channel.writeInbound(bytes)
        }
    }

    /// Who was too fast and whose receiver does not read waits for its rate once, and then a little for the receiver.
    @Test func aWaitForTheRateIsNotRepeatedForAReceiver() throws {
        let loop = EmbeddedEventLoop()
        var configuration = SMQBroker.Configuration()
        configuration.limits.messagesPerSecond = 2
        configuration.limits.stallThreshold = 1000
        let core = SMQBrokerCore(
            configuration, eventLoop: loop, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let publisher = try Client(core, "publisher", loop)
        let receiver = try Client(core, "receiver", loop)
        #expect(publisher.etid != 0 && receiver.etid != 0)
        receiver.channel.isWritable = false
        try publisher.send {
            for _ in 0..<10 {
                $0.writeSMQPublish(
                    to: receiver.etid, from: publisher.etid, subtopic: 0, payload: ByteBuffer(repeating: 1, count: 500))
            }
        }
        let reads = publisher.reads.count
        publisher.channel.read()
        loop.advanceTime(by: .milliseconds(3900))
        #expect(publisher.reads.count == reads)
        // 4 s for the rate, 20 times 5 ms for the receiver.
        loop.advanceTime(by: .milliseconds(300))
        #expect(publisher.reads.count > reads)
        for client in [publisher, receiver] { _ = try client.channel.finish(acceptAlreadyClosed: true) }
    }
}
