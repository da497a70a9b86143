import DeviceCore
import DeviceProtocols
import NIOCore
import Testing

/// The same stream in other pieces has the same effect.
@Suite struct BrokerSplitTests {
    /// What a whole session leads to: bytes to the client, bytes to a bystander, how it ended, the counters.
    private struct Outcome: Equatable {
        var client: ByteBuffer
        var bystander: ByteBuffer
        var reason: SMQCloseReason?
        var received: UInt64
        var unroutable: UInt64
    }

    private func outcome(of pieces: [ByteBuffer], _ limits: SMQBrokerLimits = SMQBrokerLimits()) throws -> Outcome {
        let bench = BrokerBench(limits)
        let bystander = try bench.open("bystander")  // ids 0x1000 (seed) and 0x1001
        try bench.subscribe(bystander, "topic")  // 0x1002
        let peer = try bench.attach()  // seed 0x1003
        for piece in pieces { bench.receive(peer, piece) }
        return Outcome(
            client: bench.wire(peer), bystander: bench.wire(bystander.peer), reason: bench.closed[peer],
            received: bench.machine.statistics.messagesReceived, unroutable: bench.machine.statistics.unroutable)
    }

    private let connect = bytes { $0.writeSMQConnect(uid: "client".utf8, credentials: [1, 2], information: "i") }
    private let etid: UInt32 = 0x1004
    private let topic: UInt32 = 0x1002

    private func expectTheSame(_ stream: ByteBuffer, _ limits: SMQBrokerLimits = SMQBrokerLimits()) throws -> Outcome {
        let whole = try outcome(of: [stream], limits)
        for pieces in splits(of: stream) {
            #expect(try outcome(of: pieces, limits) == whole, "pieces of \(pieces.map(\.readableBytes))")
        }
        return whole
    }

    @Test func aWholeSession() throws {
        var stream = connect
        stream.writeSMQ(.subscribe, text: "topic")
        stream.writeSMQ(.createsub, text: "sub")
        for number in 0..<3 {
            stream.writeSMQPublish(to: topic, from: etid, subtopic: 7, payload: text("number \(number)"))
        }
        stream.writeSMQ(.observe, id: topic)
        stream.writeSMQPublish(.pubfrag, to: 0, from: etid, subtopic: 0, payload: text("in "))
        stream.writeSMQPublish(.pubfrag, to: topic, from: etid, subtopic: 0, payload: text("parts"))
        stream.writeSMQPublish(to: 0x7777, from: etid, subtopic: 7, payload: ByteBuffer())
        stream.writeSMQ(.ping)
        stream.writeSMQ(.disconnect)
        let whole = try expectTheSame(stream)
        #expect(whole.reason == .clientDisconnected)
        #expect(whole.received == 5 && whole.unroutable == 1)
        #expect(
            try whole.client.rawFrames().map(\.type) == [
                .initialize, .connack, .suback, .createsuback, .publish, .publish, .publish, .change, .publish, .pong,
            ])
        #expect(try whole.bystander.rawFrames().count == 4)
    }

    /// What follows the end of a session is not looked at.
    @Test func afterTheEnd() throws {
        var stream = connect
        stream.writeSMQ(.disconnect)
        stream.writeSMQPublish(to: topic, from: etid, subtopic: 0, payload: text("too late"))
        stream.writeBytes([0, 0])
        let whole = try expectTheSame(stream)
        #expect(whole.reason == .clientDisconnected)
        #expect(whole.bystander.readableBytes == 0)
    }

    @Test(arguments: [
        "00 00", "00 01", "00 02", "00 02 0c", "00 03 00", "00 03 0a", "00 03 14", "00 03 ff", "00 04 08 00",
        "00 0e 08 00 00 10 02 00 00 10 04 00 00 00", "00 06 09 00 00 00", "00 06 0e 00 00 00", "00 06 0f 00 00 00",
        "00 03 01", "00 03 03", "00 09 01 01 00 00 00 00 31", "00 08 05 00 00 00 10 02", "00 0b 10 00 00 00 00 00 00 00 00",
        "00 0f 08 00 00 10 02 00 00 10 01 00 00 00 00", "00 0f 13 00 00 10 02 00 00 10 01 00 00 00 00",
        "ff ff 08", "00 41 08", "00 03 02",
    ])
    func malformedFrames(_ digits: String) throws {
        var limits = SMQBrokerLimits()
        limits.frameLength = 64
        var stream = connect
        stream.writeSMQPublish(to: topic, from: etid, subtopic: 0, payload: text("good"))
        var bad = hex(digits)
        stream.writeBuffer(&bad)
        let whole = try expectTheSame(stream, limits)
        #expect(whole.reason == .protocolViolation)
        let last = try #require(try whole.client.rawFrames().last)
        guard case .disconnect(let reason) = last else { throw Unexpected(frame: last) }
        #expect(reason.hasPrefix("corrupt frame: "))
        #expect(try whole.bystander.rawFrames().count == 1)
    }

    @Test(arguments: ["00 00", "00 03 0c", "00 05 02 01 ff", "00 06 02 01 02 61", "00 03 02", "47 45 54 20 2f"])
    func malformedConnects(_ digits: String) throws {
        var limits = SMQBrokerLimits()
        limits.frameLength = 64
        #expect(try expectTheSame(hex(digits), limits).reason == .protocolViolation)
    }

    /// Bytes without sense, many times: no trap, and nothing is left.
    @Test(arguments: 0..<20) func noise(_ seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let bench = BrokerBench()
        for _ in 0..<50 {
            let framing = Bool.random(using: &random) ? SMQFraming.raw : .webSocket
            let client = try bench.open("client", framing: framing)
            for _ in 0..<20 where bench.closed[client.peer] == nil {
                var noise = bytes { buffer in
                    let length = Int.random(in: 0...40, using: &random)
                    if framing == .raw { buffer.writeInteger(UInt16(length + 3)) }
                    buffer.writeInteger(UInt8.random(in: 0...20, using: &random))
                    for _ in 0..<length { buffer.writeInteger(UInt8.random(in: 0...255, using: &random)) }
                }
                if Bool.random(using: &random) {
                    noise.setInteger(client.etid, at: framing == .raw ? 7 : 5)
                }
                bench.receive(client.peer, noise)
            }
        }
        for peer in bench.attached { bench.detach(peer) }
        #expect(bench.machine.queuedByteCount == 0 && bench.machine.clientCount == 0)
        #expect(bench.machine.topicReferences == 0)
    }

    /// An empty WebSocket message and every type alone.
    @Test func shortMessages() throws {
        for message in [ByteBuffer()] + (0...255).map({ ByteBuffer(bytes: [UInt8($0)]) }) {
            let bench = BrokerBench()
            let client = try bench.open("client", framing: .webSocket)
            bench.receive(client.peer, message)
            let type = message.getInteger(at: 0, as: UInt8.self).flatMap(SMQMessageType.init)
            switch type {
            case .ping, .pong, .subscribe, .create, .createsub: #expect(bench.closed[client.peer] == nil)
            case .disconnect: #expect(bench.closed[client.peer] == .clientDisconnected)
            default: #expect(bench.closed[client.peer] == .protocolViolation, "\(message)")
            }
        }
    }
}
