import DeviceCore
import NIOCore
import Outbox
import Testing

@testable import ClusterClient

@Suite struct DeliveryFormatTests {
    @Test func aRecordComesBackAsItWas() {
        for subtopic in [nil, "events"] {
            for level in SMQDeliveryLevel.allCases {
                let record = LoggedRecord(
                    topic: "plant/ä", subtopic: subtopic, level: level, published: 1_700_000_000_123,
                    payload: [1, 2, 3])
                #expect(LoggedRecord(decoding: record.encoded) == record)
            }
        }
    }

    @Test func aRecordCutAnywhereIsNoneOrHasLessPayload() {
        let record = LoggedRecord(topic: "topic", subtopic: "sub", level: .endToEnd, published: 7, payload: [1, 2, 3])
        let bytes = record.encoded
        let head = bytes.count - 3
        for count in 0..<bytes.count {
            let found = LoggedRecord(decoding: Array(bytes.prefix(count)))
            #expect((found != nil) == (count >= head))
        }
        for value in UInt8.min ... .max where value != 1 {
            #expect(LoggedRecord(decoding: [value] + bytes.dropFirst()) == nil)
        }
    }

    @Test func acknowledgementsAreEnvelopesInARow() {
        let ids = (UInt64(1)...2500).map { MessageID(source: 0xA1, epoch: 3, sequence: $0) }
        let messages = AcknowledgementMessage.encode(ids)
        #expect(messages.map(\.1) == [1000, 1000, 500])
        #expect(messages.flatMap { AcknowledgementMessage.decode($0.0) } == ids)
        #expect(messages[0].0.readableBytes == 24_000)
        let one = Array(AcknowledgementMessage.encode([ids[0]])[0].0.readableBytesView)
        #expect(one == [0xD5, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0xA1, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 1])
    }

    @Test func nonsenseEndsAnAcknowledgement() {
        let id = MessageID(source: 1, epoch: 1, sequence: 1)
        var message = AcknowledgementMessage.encode([id, id])[0].0
        message.setInteger(UInt8(0), at: 24)
        #expect(AcknowledgementMessage.decode(message) == [id])
        #expect(AcknowledgementMessage.decode(ByteBuffer(string: "short")) == [])
        #expect(AcknowledgementMessage.decode(ByteBuffer()) == [])
    }

    @Test func theLatestOfEachKeyStaysUntilABrokerHasIt() {
        var sender = LatestSender(maximumKeys: 3)
        func message(_ text: String) -> LatestMessage {
            LatestMessage(topic: "t", subtopic: nil, payload: ByteBuffer(string: text))
        }
        func texts(_ messages: [LatestMessage]) -> [String] { messages.map { String(buffer: $0.payload) } }
        sender.put(message("a1"), for: "a")
        sender.put(message("b1"), for: "b")
        sender.put(message("a2"), for: "a")
        #expect(texts(sender.take(barrier: 1)) == ["b1", "a2"])
        #expect(sender.take(barrier: 2).isEmpty)
        sender.put(message("a3"), for: "a")
        // A session that ended takes nothing along, and what is older than what waits is not sent again.
        sender.restart()
        #expect(texts(sender.take(barrier: 2)) == ["b1", "a3"])
        let more1 = sender.passed(barrier: 1)
        #expect(!more1)
        #expect(sender.waiting == 2)
        let more2 = sender.passed(barrier: 2)
        #expect(!more2)
        #expect(sender.waiting == 0)
        sender.restart()
        #expect(sender.take(barrier: 3).isEmpty)
        #expect(sender.sent == 4 && sender.replaced == 1 && sender.dropped == 0)
    }

    @Test func unconfirmedKeysAreBounded() {
        var sender = LatestSender(maximumKeys: 3)
        for number in 0..<20 {
            sender.put(LatestMessage(topic: "t", subtopic: nil, payload: ByteBuffer()), for: "key \(number)")
            _ = sender.take(barrier: UInt64(number))
        }
        #expect(sender.waiting <= 6)
        sender.restart()
        #expect(sender.waiting <= 3)
        #expect(sender.dropped >= 14)
    }
}
