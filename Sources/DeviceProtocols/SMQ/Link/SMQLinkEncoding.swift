public import NIOCore

/// Encoders of link frames: each appends one whole frame.
extension ByteBuffer {
    /// The head of a frame with so many bytes of data.
    mutating func writeSMQLinkHead(_ id: UInt16, dataLength: Int) {
        writeInteger(UInt32(clamping: dataLength + SMQLinkFormat.headerLength))
        writeInteger(id)
    }

    /// The first frame of an end.
    public mutating func writeSMQLinkGreeting(weight: UInt32) {
        writeSMQLinkHead(0, dataLength: 12)
        writeMultipleIntegers(SMQLinkFormat.magicBegin, weight, SMQLinkFormat.magicEnd)
    }

    /// The second frame of an end.
    public mutating func writeSMQLinkProof(_ digest: [UInt8]) {
        writeSMQLinkHead(0, dataLength: digest.count)
        writeBytes(digest)
    }

    /// A frame without data: check, ping, pong.
    public mutating func writeSMQLink(_ control: SMQLinkControl) { writeSMQLinkHead(control.rawValue, dataLength: 0) }

    /// Opens a channel: what comes with that id is for it.
    public mutating func writeSMQLinkOpen(_ name: String, id: UInt16) {
        writeSMQLinkHead(SMQLinkControl.open.rawValue, dataLength: 2 + name.utf8.count)
        writeInteger(id)
        writeString(name)
    }

    /// Subscribe, sub-topic ack: an id and a name.
    public mutating func writeSMQLink(
        _ type: SMQLinkMessageType, channel: UInt16, id: UInt32, name: ByteBuffer
    ) {
        writeSMQLinkHead(channel, dataLength: 5 + name.readableBytes)
        writeInteger(type.rawValue)
        writeInteger(id)
        writeImmutableBuffer(name)
    }

    /// Unsubscribe, release: an id.
    public mutating func writeSMQLink(_ type: SMQLinkMessageType, channel: UInt16, id: UInt32) {
        writeSMQLinkHead(channel, dataLength: 5)
        writeInteger(type.rawValue)
        writeInteger(id)
    }

    /// The name of the next publish's sub-topic.
    public mutating func writeSMQLinkSubtopic(channel: UInt16, name: ByteBuffer) {
        writeSMQLinkHead(channel, dataLength: 1 + name.readableBytes)
        writeInteger(SMQLinkMessageType.subtopic.rawValue)
        writeImmutableBuffer(name)
    }

    /// A forwarded publish.
    public mutating func writeSMQLinkPublish(
        channel: UInt16, to destination: UInt32, from publisher: UInt32, subtopic: UInt32, payload: ByteBuffer
    ) {
        writeSMQLinkHead(channel, dataLength: 13 + payload.readableBytes)
        writeInteger(SMQLinkMessageType.publish.rawValue)
        writeMultipleIntegers(destination, publisher, subtopic)
        writeImmutableBuffer(payload)
    }

    /// A message for the program that has the other broker.
    public mutating func writeSMQLinkServerMessage(
        channel: UInt16, from publisher: UInt32, subtopic: UInt32, payload: ByteBuffer
    ) {
        writeSMQLinkHead(channel, dataLength: 9 + payload.readableBytes)
        writeInteger(SMQLinkMessageType.serverMessage.rawValue)
        writeMultipleIntegers(publisher, subtopic)
        writeImmutableBuffer(payload)
    }
}

/// One message of the brokers' channel, as it was read.
public enum SMQLinkMessage: Equatable, Sendable {
    /// See ``SMQLinkMessageType/subscribe``.
    case subscribe(id: UInt32, name: ByteBuffer)
    /// See ``SMQLinkMessageType/subtopic``.
    case subtopic(name: ByteBuffer)
    /// See ``SMQLinkMessageType/subtopicAck``.
    case subtopicAck(id: UInt32, name: ByteBuffer)
    /// See ``SMQLinkMessageType/publish``.
    case publish(destination: UInt32, publisher: UInt32, subtopic: UInt32, payload: ByteBuffer)
    /// See ``SMQLinkMessageType/unsubscribe``.
    case unsubscribe(id: UInt32)
    /// See ``SMQLinkMessageType/release``.
    case release(etid: UInt32)
    /// See ``SMQLinkMessageType/serverMessage``.
    case serverMessage(publisher: UInt32, subtopic: UInt32, payload: ByteBuffer)
    /// A type that later versions may have; it is passed over, as the vendor does it.
    case unknown(UInt8)

    /// Reads a frame's data.
    ///
    /// - Throws: `truncated` for data that is shorter than its fields.
    public init(_ data: ByteBuffer, channel: UInt16) throws(SMQLinkError) {
        guard let message = Self.read(data) else { throw .truncated(id: channel, length: data.readableBytes) }
        self = message
    }

    private static func read(_ data: ByteBuffer) -> SMQLinkMessage? {
        var data = data
        guard let byte = data.readInteger(as: UInt8.self) else { return nil }
        guard let type = SMQLinkMessageType(rawValue: byte) else { return .unknown(byte) }
        switch type {
        case .subscribe: return data.readInteger(as: UInt32.self).map { .subscribe(id: $0, name: data) }
        case .subtopic: return .subtopic(name: data)
        case .subtopicAck: return data.readInteger(as: UInt32.self).map { .subtopicAck(id: $0, name: data) }
        case .publish:
            guard let (to, from, sub) = data.readMultipleIntegers(as: (UInt32, UInt32, UInt32).self) else {
                return nil
            }
            return .publish(destination: to, publisher: from, subtopic: sub, payload: data)
        case .unsubscribe: return data.readInteger(as: UInt32.self).map { .unsubscribe(id: $0) }
        case .release: return data.readInteger(as: UInt32.self).map { .release(etid: $0) }
        case .serverMessage:
            guard let (from, sub) = data.readMultipleIntegers(as: (UInt32, UInt32).self) else { return nil }
            return .serverMessage(publisher: from, subtopic: sub, payload: data)
        }
    }
}
