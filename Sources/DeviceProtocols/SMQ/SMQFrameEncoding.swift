public import NIOCore

/// Encoders of SMQ messages: each appends one whole frame to a buffer, for either framing.
///
/// The caller keeps names and payloads within ``SMQSize``; what does not fit is not written and `false` comes back.
extension ByteBuffer {
    /// Appends the head of a message whose body has `bodyLength` bytes. WebSocket heads are a server's: unmasked.
    @inline(__always)
    mutating func writeSMQHead(_ type: SMQMessageType, bodyLength: Int, framing: SMQFraming) -> Bool {
        guard bodyLength + SMQSize.minimumFrame <= SMQSize.maximumFrame else { return false }
        switch framing {
        case .raw:
            writeInteger(UInt16(truncatingIfNeeded: bodyLength + 3))
        case .webSocket:
            writeInteger(UInt8(0x82))
            let length = bodyLength + 1
            if length < 126 {
                writeInteger(UInt8(truncatingIfNeeded: length))
            } else {
                writeInteger(UInt8(126))
                writeInteger(UInt16(truncatingIfNeeded: length))
            }
        }
        writeInteger(type.rawValue)
        return true
    }

    /// A message without a body: ping, pong, disconnect without a reason.
    @discardableResult
    public mutating func writeSMQ(_ type: SMQMessageType, framing: SMQFraming = .raw) -> Bool {
        writeSMQHead(type, bodyLength: 0, framing: framing)
    }

    /// A message that is a text: subscribe, create, createsub, disconnect with a reason.
    @discardableResult
    public mutating func writeSMQ(_ type: SMQMessageType, text: String, framing: SMQFraming = .raw) -> Bool {
        guard writeSMQHead(type, bodyLength: text.utf8.count, framing: framing) else { return false }
        writeString(text)
        return true
    }

    /// A message that is one id: unsubscribe, observe, unobserve.
    @discardableResult
    public mutating func writeSMQ(_ type: SMQMessageType, id: UInt32, framing: SMQFraming = .raw) -> Bool {
        guard writeSMQHead(type, bodyLength: 4, framing: framing) else { return false }
        writeInteger(id)
        return true
    }

    /// Init: version 1, the seed, the client's address.
    @discardableResult
    public mutating func writeSMQInit(seed: UInt32, address: String, framing: SMQFraming = .raw) -> Bool {
        guard writeSMQHead(.initialize, bodyLength: 5 + address.utf8.count, framing: framing) else { return false }
        writeInteger(UInt8(1))
        writeInteger(seed)
        writeString(address)
        return true
    }

    /// Connect. Version 2, which the vendor's C client sends, carries the largest frame that the client can take.
    ///
    /// - Returns: false when the unique id or the credentials are longer than 255 bytes or all do not fit a frame.
    @discardableResult
    public mutating func writeSMQConnect(
        version: UInt8 = 1, maximumFrame: UInt16 = 0, uid: some Collection<UInt8>,
        credentials: some Collection<UInt8>, information: String, framing: SMQFraming = .raw
    ) -> Bool {
        guard uid.count <= SMQSize.maximumUID, credentials.count <= SMQSize.maximumUID else { return false }
        let extra = version == 2 ? 2 : 0
        let length = 3 + extra + uid.count + credentials.count + information.utf8.count
        guard writeSMQHead(.connect, bodyLength: length, framing: framing) else { return false }
        writeInteger(version)
        if version == 2 { writeInteger(maximumFrame) }
        writeInteger(UInt8(truncatingIfNeeded: uid.count))
        writeBytes(uid)
        writeInteger(UInt8(truncatingIfNeeded: credentials.count))
        writeBytes(credentials)
        writeString(information)
        return true
    }

    /// Connack: code, the client's ETID (0 when refused), a reason.
    @discardableResult
    public mutating func writeSMQConnack(
        _ code: SMQConnackCode, etid: UInt32, reason: String = "", framing: SMQFraming = .raw
    ) -> Bool {
        guard writeSMQHead(.connack, bodyLength: 5 + reason.utf8.count, framing: framing) else { return false }
        writeInteger(code.rawValue)
        writeInteger(etid)
        writeString(reason)
        return true
    }

    /// Suback, createack or createsuback: status (0 accepted, 1 denied), id (0 when denied), the name.
    @discardableResult
    public mutating func writeSMQAck(
        _ type: SMQMessageType, accepted: Bool, id: UInt32, name: ByteBuffer, framing: SMQFraming = .raw
    ) -> Bool {
        guard writeSMQHead(type, bodyLength: 5 + name.readableBytes, framing: framing) else { return false }
        writeInteger(UInt8(accepted ? 0 : 1))
        writeInteger(accepted ? id : 0)
        writeImmutableBuffer(name)
        return true
    }

    /// Publish, or one fragment of a publish.
    @discardableResult
    public mutating func writeSMQPublish(
        _ type: SMQMessageType = .publish, to destination: UInt32, from publisher: UInt32, subtopic: UInt32,
        payload: ByteBuffer, framing: SMQFraming = .raw
    ) -> Bool {
        guard writeSMQHead(type, bodyLength: 12 + payload.readableBytes, framing: framing) else { return false }
        writeMultipleIntegers(destination, publisher, subtopic)
        writeImmutableBuffer(payload)
        return true
    }

    /// Change: the subscriber count of an observed id.
    @discardableResult
    public mutating func writeSMQChange(id: UInt32, subscribers: UInt32, framing: SMQFraming = .raw) -> Bool {
        guard writeSMQHead(.change, bodyLength: 8, framing: framing) else { return false }
        writeMultipleIntegers(id, subscribers)
        return true
    }
}
