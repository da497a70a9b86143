public import NIOCore

/// One SMQ message with its fields, as it was read from a peer.
public enum SMQFrame: Equatable, Sendable {
    /// See ``SMQMessageType/initialize``.
    case initialize(version: UInt8, seed: UInt32, address: String)
    /// See ``SMQMessageType/connect``. `maximumFrame` is 0 when the client set none.
    case connect(version: UInt8, maximumFrame: UInt16, uid: ByteBuffer, credentials: ByteBuffer, information: String)
    /// See ``SMQMessageType/connack``.
    case connack(SMQConnackCode, etid: UInt32, reason: String)
    /// Subscribe, create or createsub.
    case request(SMQMessageType, name: ByteBuffer)
    /// Suback, createack or createsuback; the id is 0 when `accepted` is false.
    case ack(SMQMessageType, accepted: Bool, id: UInt32, name: ByteBuffer)
    /// Publish.
    case publish(destination: UInt32, publisher: UInt32, subtopic: UInt32, payload: ByteBuffer)
    /// A fragment; the last one has a destination that is not 0.
    case fragment(destination: UInt32, publisher: UInt32, subtopic: UInt32, payload: ByteBuffer)
    /// Unsubscribe, observe or unobserve.
    case reference(SMQMessageType, id: UInt32)
    /// See ``SMQMessageType/change``.
    case change(id: UInt32, subscribers: UInt32)
    /// See ``SMQMessageType/disconnect``.
    case disconnect(reason: String)
    /// See ``SMQMessageType/ping``.
    case ping
    /// See ``SMQMessageType/pong``.
    case pong

    /// Reads a message from its type byte to the end of the buffer.
    ///
    /// - Throws: ``SMQProtocolError`` for an unknown type or a body that is shorter than its type's fields.
    public init(message: ByteBuffer) throws(SMQProtocolError) {
        var body = message
        guard let byte = body.readInteger(as: UInt8.self) else { throw .truncated(type: nil, length: 0) }
        guard let type = SMQMessageType(rawValue: byte) else { throw .unknownType(byte) }
        guard let frame = Self.read(type, &body) else {
            throw .truncated(type: type, length: message.readableBytes)
        }
        self = frame
    }

    private static func read(_ type: SMQMessageType, _ body: inout ByteBuffer) -> SMQFrame? {
        switch type {
        case .initialize:
            guard let (version, seed) = body.readMultipleIntegers(as: (UInt8, UInt32).self) else { return nil }
            return .initialize(version: version, seed: seed, address: body.remainingText())
        case .connect:
            return readConnect(&body)
        case .connack:
            guard let (code, etid) = body.readMultipleIntegers(as: (UInt8, UInt32).self) else { return nil }
            return .connack(SMQConnackCode(rawValue: code), etid: etid, reason: body.remainingText())
        case .subscribe, .create, .createsub:
            return .request(type, name: body)
        case .suback, .createack, .createsuback:
            guard let (status, id) = body.readMultipleIntegers(as: (UInt8, UInt32).self) else { return nil }
            return .ack(type, accepted: status == 0, id: id, name: body)
        case .publish, .pubfrag:
            guard let (to, from, sub) = body.readMultipleIntegers(as: (UInt32, UInt32, UInt32).self) else {
                return nil
            }
            return type == .publish
                ? .publish(destination: to, publisher: from, subtopic: sub, payload: body)
                : .fragment(destination: to, publisher: from, subtopic: sub, payload: body)
        case .unsubscribe, .observe, .unobserve:
            guard let id = body.readInteger(as: UInt32.self) else { return nil }
            return .reference(type, id: id)
        case .change:
            guard let (id, count) = body.readMultipleIntegers(as: (UInt32, UInt32).self) else { return nil }
            return .change(id: id, subscribers: count)
        case .disconnect:
            return .disconnect(reason: body.remainingText())
        case .ping: return .ping
        case .pong: return .pong
        }
    }

    private static func readConnect(_ body: inout ByteBuffer) -> SMQFrame? {
        guard let version = body.readInteger(as: UInt8.self) else { return nil }
        var maximumFrame: UInt16 = 0
        if version == 2 {
            guard let size = body.readInteger(as: UInt16.self) else { return nil }
            maximumFrame = size
        } else if version != 1 {
            // The fields of another version are unknown; the version alone is enough to refuse it.
            return .connect(
                version: version, maximumFrame: 0, uid: ByteBuffer(), credentials: ByteBuffer(), information: "")
        }
        guard let uidLength = body.readInteger(as: UInt8.self), let uid = body.readSlice(length: Int(uidLength)),
            let credentialLength = body.readInteger(as: UInt8.self),
            let credentials = body.readSlice(length: Int(credentialLength))
        else { return nil }
        return .connect(
            version: version, maximumFrame: maximumFrame, uid: uid, credentials: credentials,
            information: body.remainingText())
    }
}

/// What a peer sent that the protocol does not allow.
public enum SMQProtocolError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The length field is below 3.
    case badLength(Int)
    /// The message is longer than this end accepts.
    case tooLong(Int, limit: Int)
    /// The type byte stands for nothing.
    case unknownType(UInt8)
    /// The message is shorter than its fields.
    case truncated(type: SMQMessageType?, length: Int)
    /// The message is known but not allowed now or from this side.
    case unexpected(SMQMessageType)
    /// A publish that carries another connection's id.
    case wrongPublisher(UInt32)
    /// Fragments that add up to more than fits.
    case fragmentsTooLong(Int)

    /// One clause that names the fault.
    public var description: String {
        switch self {
        case .badLength(let length): "a frame length of \(length) (the least is 3)"
        case .tooLong(let length, let limit): "a message of \(length) bytes (the limit is \(limit))"
        case .unknownType(let type): "the unknown message type \(type)"
        case .truncated(let type?, let length): "a \(type) message of only \(length) bytes"
        case .truncated(nil, _): "an empty message"
        case .unexpected(let type): "a \(type) message that is not allowed here"
        case .wrongPublisher(let id): "a publish under the foreign publisher id \(id)"
        case .fragmentsTooLong(let length): "fragments of \(length) bytes in all"
        }
    }
}

extension ByteBuffer {
    /// The rest of the buffer as text; bytes that are not UTF-8 become replacement characters.
    func remainingText() -> String { String(decoding: readableBytesView, as: UTF8.self) }

    /// Takes the next raw frame's message (type byte and body) off the buffer.
    ///
    /// - Returns: nil while the frame is incomplete.
    public mutating func readSMQRawMessage(
        limit: Int = SMQSize.maximumFrame
    ) throws(SMQProtocolError) -> ByteBuffer? {
        guard let length = getInteger(at: readerIndex, as: UInt16.self).map(Int.init) else { return nil }
        guard length >= SMQSize.minimumFrame else { throw .badLength(length) }
        guard length <= limit else { throw .tooLong(length, limit: limit) }
        guard readableBytes >= length, var frame = readSlice(length: length) else { return nil }
        frame.moveReaderIndex(forwardBy: 2)
        return frame
    }
}
