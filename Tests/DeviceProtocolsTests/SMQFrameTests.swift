import DeviceProtocols
import NIOCore
import Testing

/// One of each message, as it is written and as it is read.
private let samples: [(name: String, write: @Sendable (inout ByteBuffer, SMQFraming) -> Bool, frame: SMQFrame)] = [
    (
        "init", { $0.writeSMQInit(seed: 0x3cfd_9950, address: "127.0.0.1", framing: $1) },
        .initialize(version: 1, seed: 0x3cfd_9950, address: "127.0.0.1")
    ),
    (
        "connect 1",
        { $0.writeSMQConnect(uid: [1, 2, 3, 4, 5, 6], credentials: [9, 8], information: "info", framing: $1) },
        .connect(
            version: 1, maximumFrame: 0, uid: ByteBuffer(bytes: [1, 2, 3, 4, 5, 6]),
            credentials: ByteBuffer(bytes: [9, 8]), information: "info")
    ),
    (
        "connect 2",
        {
            $0.writeSMQConnect(
                version: 2, maximumFrame: 512, uid: [1, 2, 3, 4, 5, 6], credentials: [], information: "", framing: $1)
        },
        .connect(
            version: 2, maximumFrame: 512, uid: ByteBuffer(bytes: [1, 2, 3, 4, 5, 6]), credentials: ByteBuffer(),
            information: "")
    ),
    (
        "connack", { $0.writeSMQConnack(.badCredentials, etid: 0, reason: "no", framing: $1) },
        .connack(.badCredentials, etid: 0, reason: "no")
    ),
    ("subscribe", { $0.writeSMQ(.subscribe, text: "/a", framing: $1) }, .request(.subscribe, name: text("/a"))),
    ("create", { $0.writeSMQ(.create, text: "", framing: $1) }, .request(.create, name: text(""))),
    ("createsub", { $0.writeSMQ(.createsub, text: "led", framing: $1) }, .request(.createsub, name: text("led"))),
    (
        "suback", { $0.writeSMQAck(.suback, accepted: true, id: 7, name: text("/a"), framing: $1) },
        .ack(.suback, accepted: true, id: 7, name: text("/a"))
    ),
    (
        "createack", { $0.writeSMQAck(.createack, accepted: false, id: 7, name: text("/a"), framing: $1) },
        .ack(.createack, accepted: false, id: 0, name: text("/a"))
    ),
    (
        "createsuback", { $0.writeSMQAck(.createsuback, accepted: true, id: 8, name: text("led"), framing: $1) },
        .ack(.createsuback, accepted: true, id: 8, name: text("led"))
    ),
    (
        "publish", { $0.writeSMQPublish(to: 1, from: 2, subtopic: 3, payload: text("Hello"), framing: $1) },
        .publish(destination: 1, publisher: 2, subtopic: 3, payload: text("Hello"))
    ),
    (
        "pubfrag", { $0.writeSMQPublish(.pubfrag, to: 0, from: 2, subtopic: 0, payload: text("He"), framing: $1) },
        .fragment(destination: 0, publisher: 2, subtopic: 0, payload: text("He"))
    ),
    ("unsubscribe", { $0.writeSMQ(.unsubscribe, id: 5, framing: $1) }, .reference(.unsubscribe, id: 5)),
    ("observe", { $0.writeSMQ(.observe, id: .max, framing: $1) }, .reference(.observe, id: .max)),
    ("unobserve", { $0.writeSMQ(.unobserve, id: 0, framing: $1) }, .reference(.unobserve, id: 0)),
    ("change", { $0.writeSMQChange(id: 9, subscribers: 4, framing: $1) }, .change(id: 9, subscribers: 4)),
    ("disconnect", { $0.writeSMQ(.disconnect, framing: $1) }, .disconnect(reason: "")),
    ("farewell", { $0.writeSMQ(.disconnect, text: "reconnect", framing: $1) }, .disconnect(reason: "reconnect")),
    ("ping", { $0.writeSMQ(.ping, framing: $1) }, .ping),
    ("pong", { $0.writeSMQ(.pong, framing: $1) }, .pong),
]

@Suite struct SMQFrameTests {
    @Test(arguments: samples.indices) func comesBackAsItWasWritten(_ index: Int) throws {
        let sample = samples[index]
        let raw = bytes { buffer in _ = sample.write(&buffer, .raw) }
        #expect(try raw.rawFrames() == [sample.frame], "\(sample.name)")
        #expect(raw.getInteger(at: 0, as: UInt16.self).map(Int.init) == raw.readableBytes)
        let webSocket = bytes { buffer in _ = sample.write(&buffer, .webSocket) }
        #expect(try webSocket.webSocketFrames() == [sample.frame], "\(sample.name)")
        #expect(sample.frame.type.rawValue == raw.getInteger(at: 2, as: UInt8.self))
    }

    @Test func everyTypeHasASample() {
        #expect(Set(samples.map(\.frame.type)) == Set(SMQMessageType.allCases))
    }

    /// Each message cut short at each length is either an error or a message with a shorter text at its end.
    @Test(arguments: samples.indices) func aShortBodyIsAnError(_ index: Int) throws {
        let message = bytes { _ = samples[index].write(&$0, .raw) }
        let whole = message.piece(2..<message.readableBytes)
        let fixed: [SMQMessageType: Int] = [
            .initialize: 6, .connack: 6, .suback: 6, .createack: 6, .createsuback: 6, .publish: 13, .pubfrag: 13,
            .unsubscribe: 5, .observe: 5, .unobserve: 5, .change: 9,
        ]
        let type = samples[index].frame.type
        for length in 0..<whole.readableBytes {
            let cut = whole.piece(0..<length)
            if length == 0 {
                #expect(throws: SMQProtocolError.truncated(type: nil, length: 0)) { try SMQFrame(message: cut) }
            } else if length < fixed[type] ?? 1 {
                #expect(throws: SMQProtocolError.truncated(type: type, length: length)) { try SMQFrame(message: cut) }
            } else if type != .connect {
                #expect(try SMQFrame(message: cut).type == type)
            }
        }
    }

    @Test func aConnectWhoseLengthsPointOutsideIsAnError() throws {
        let whole = bytes {
            $0.writeSMQConnect(version: 2, uid: "uid-12345".utf8, credentials: "secret".utf8, information: "")
        }
        let message = whole.piece(2..<whole.readableBytes)
        for length in 1..<message.readableBytes {
            #expect(throws: SMQProtocolError.truncated(type: .connect, length: length)) {
                try SMQFrame(message: message.piece(0..<length))
            }
        }
        for (digits, length) in [("02 01 ff 61", 4), ("02 02 00 00 ff 61", 6), ("02 01 00 ff 61 62", 6)] {
            #expect(throws: SMQProtocolError.truncated(type: .connect, length: length)) {
                try SMQFrame(message: hex(digits))
            }
        }
        // The longest that is right.
        let longest = bytes {
            $0.writeSMQConnect(
                uid: [UInt8](repeating: 1, count: 255), credentials: [UInt8](repeating: 2, count: 255), information: "i")
        }
        guard case .connect(1, 0, let uid, let credentials, "i")? = try longest.rawFrames().first else {
            throw Unexpected()
        }
        #expect(uid.readableBytes == 255 && credentials.readableBytes == 255)
    }

    /// A version from the future is told by its number alone.
    @Test func aConnectOfAnotherVersionIsReadAsFarAsItIsKnown() throws {
        #expect(
            try SMQFrame(message: hex("02 03 ff ff"))
                == .connect(
                    version: 3, maximumFrame: 0, uid: ByteBuffer(), credentials: ByteBuffer(), information: ""))
    }

    @Test func unknownTypesAreErrors() {
        for type in UInt8.min ... .max where SMQMessageType(rawValue: type) == nil {
            let message = ByteBuffer(bytes: [type, 0, 0, 0, 0])
            #expect(throws: SMQProtocolError.unknownType(type)) { try SMQFrame(message: message) }
        }
    }

    @Test func lengthsBelowThreeAndAboveTheLimitAreErrors() {
        for length in UInt16(0)...2 {
            var buffer = ByteBuffer(integer: length)
            #expect(throws: SMQProtocolError.badLength(Int(length))) { try buffer.readSMQRawMessage() }
        }
        var buffer = hex("00 65 0c")
        #expect(throws: SMQProtocolError.tooLong(101, limit: 100)) { try buffer.readSMQRawMessage(limit: 100) }
    }

    @Test func whatDoesNotFitIsNotWritten() {
        func written(_ write: (inout ByteBuffer) -> Bool) -> Int? {
            var buffer = ByteBuffer()
            let fits = write(&buffer)
            #expect(fits || buffer.readableBytes == 0)
            return fits ? buffer.readableBytes : nil
        }
        let most = ByteBuffer(repeating: 7, count: SMQSize.maximumPayload)
        #expect(written { $0.writeSMQPublish(to: 1, from: 2, subtopic: 3, payload: most) } == SMQSize.maximumFrame)
        let more = ByteBuffer(repeating: 7, count: SMQSize.maximumPayload + 1)
        #expect(written { $0.writeSMQPublish(to: 1, from: 2, subtopic: 3, payload: more) } == nil)
        let long = [UInt8](repeating: 1, count: 256)
        #expect(written { $0.writeSMQConnect(uid: long, credentials: [], information: "") } == nil)
        #expect(written { $0.writeSMQConnect(uid: [1], credentials: long, information: "") } == nil)
        #expect(written { $0.writeSMQ(.subscribe, text: String(repeating: "a", count: 65533)) } == nil)
    }

    /// 125, 126 and 65535 are where WebSocket's length changes its form.
    @Test(arguments: [0, 112, 113, 114, 1000, SMQSize.maximumPayload])
    func webSocketLengths(_ count: Int) throws {
        let payload = ByteBuffer(repeating: 7, count: count)
        let wire = bytes { $0.writeSMQPublish(to: 1, from: 2, subtopic: 3, payload: payload, framing: .webSocket) }
        #expect(
            try wire.webSocketFrames() == [.publish(destination: 1, publisher: 2, subtopic: 3, payload: payload)])
    }
}
