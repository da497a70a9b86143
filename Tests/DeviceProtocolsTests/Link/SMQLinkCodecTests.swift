@testable import DeviceProtocols
import NIOCore
import Testing

@Suite struct SMQLinkCodecTests {
    /// A frame's data, without its head.
    private func data(_ write: (inout ByteBuffer) -> Void) throws -> ByteBuffer {
        var frame = bytes(write)
        let length = frame.readInteger(as: UInt32.self)
        #expect(length == UInt32(frame.readableBytes + 4))
        let channel = frame.readInteger(as: UInt16.self)
        #expect(channel == 300)
        return frame
    }

    @Test func messagesAreReadAsTheyWereWritten() throws {
        let name = text("a/b")
        let pairs: [(SMQLinkMessage, (inout ByteBuffer) -> Void)] = [
            (.subscribe(id: 7, name: name), { $0.writeSMQLink(.subscribe, channel: 300, id: 7, name: name) }),
            (.subtopicAck(id: 8, name: name), { $0.writeSMQLink(.subtopicAck, channel: 300, id: 8, name: name) }),
            (.subtopic(name: name), { $0.writeSMQLinkSubtopic(channel: 300, name: name) }),
            (.unsubscribe(id: 9), { $0.writeSMQLink(.unsubscribe, channel: 300, id: 9) }),
            (.release(etid: 10), { $0.writeSMQLink(.release, channel: 300, id: 10) }),
            (
                .publish(destination: 1, publisher: 2, subtopic: 3, payload: name),
                { $0.writeSMQLinkPublish(channel: 300, to: 1, from: 2, subtopic: 3, payload: name) }
            ),
            (
                .serverMessage(publisher: 2, subtopic: 3, payload: name),
                { $0.writeSMQLinkServerMessage(channel: 300, from: 2, subtopic: 3, payload: name) }
            ),
        ]
        for (message, write) in pairs { #expect(try SMQLinkMessage(try data(write), channel: 300) == message) }
    }

    @Test func nodeMessagesAreReadAsTheyWereWritten() throws {
        let status = NodeStatus(clients: 5, processor: 700, memory: 1 << 40, isDraining: true)
        let messages: [SMQNodeMessage] = [
            .hello(version: 1, id: .max, name: "kitchen"), .status(status), .confirm(4), .confirmed(5),
        ]
        for message in messages {
            #expect(try SMQNodeMessage(try data { $0.writeSMQNode(message, channel: 300) }, channel: 300) == message)
        }
        // Later versions may add fields, and messages.
        var longer = try data { $0.writeSMQNode(.status(status), channel: 300) }
        longer.writeBytes([1, 2, 3])
        #expect(try SMQNodeMessage(longer, channel: 300) == .status(status))
        #expect(try SMQNodeMessage(hex("63 01 02"), channel: 300) == .unknown(0x63))
    }

    @Test func longNamesAreCut() throws {
        let long = String(repeating: "n", count: 500)
        let message = try SMQNodeMessage(
            try data { $0.writeSMQNode(.hello(version: 1, id: 2, name: long), channel: 300) }, channel: 300)
        #expect(message == .hello(version: 1, id: 2, name: String(long.prefix(64))))
    }

    /// A shortened address would be another one.
    @Test(arguments: ["192.0.2.1:8080", "0.0.0.0:8080", "[2001:db8:1111:2222:3333:4444:5555:6666]:8080"])
    func aLongNameKeepsItsAddress(_ address: String) throws {
        for length in 1...120 {
            let host = String(repeating: "h", count: length)
            let name = try sent("\(host) \(address)")
            #expect(name.utf8.count <= 64 && name.hasSuffix(" \(address)"))
            #expect(name.hasPrefix(host.prefix(min(length, 63 - address.utf8.count))))
        }
    }

    /// Where there is no place for the last word, or none before it.
    @Test func aLongNameIsCutBetweenCharacters() throws {
        let word = String(repeating: "w", count: 70)
        #expect(try sent("kitchen \(word)") == "kitchen \(word.prefix(56))")
        #expect(try sent(String(repeating: "é", count: 40)) == String(repeating: "é", count: 32))
        #expect(try sent("x" + String(repeating: "é", count: 40)) == "x" + String(repeating: "é", count: 31))
    }

    private func sent(_ name: String) throws -> String {
        var frame = ByteBuffer()
        frame.writeSMQNode(.hello(version: 1, id: 2, name: name), channel: 300)
        let data = try #require(frame.getSlice(at: 6, length: frame.readableBytes - 6))
        guard case .hello(_, _, let name) = try SMQNodeMessage(data, channel: 300) else { throw Unexpected() }
        return name
    }

    @Test(arguments: [
        "", "01", "01 00 00 00", "04 00", "05 00 00 00 01 00 00 00 02 00 00 00", "07 01 02", "08", "0a 00 00 00 01",
    ])
    func whatIsShorterThanItsFieldsIsAnError(_ digits: String) {
        #expect(throws: SMQLinkError.truncated(id: 300, length: hex(digits).readableBytes)) {
            try SMQLinkMessage(hex(digits), channel: 300)
        }
    }

    @Test(arguments: [
        "", "01", "01 01 00 00", "01 01 00 00 00 00 00 00 00 01 05 61", "01 01 00 00 00 00 00 00 00 01 ff 61", "02 00",
        "03 00 00", "04",
    ])
    func shortNodeMessagesAreErrors(_ digits: String) {
        #expect(throws: SMQLinkError.truncated(id: 300, length: hex(digits).readableBytes)) {
            try SMQNodeMessage(hex(digits), channel: 300)
        }
    }

    @Test func messagesOfLaterVersionsArePassedOver() throws {
        #expect(try SMQLinkMessage(hex("02 00"), channel: 300) == .unknown(2))
        #expect(try SMQLinkMessage(hex("ff"), channel: 300) == .unknown(255))
    }
}
