public import NIOCore

/// WebSocket by hand (RFC 6455), so that tests can also send what no library sends.
public enum WebSocketBytes {
    /// A frame's opcode.
    public enum Opcode: UInt8, Sendable {
        /// The next part of a message.
        case continuation = 0
        /// A text.
        case text = 1
        /// A binary message.
        case binary = 2
        /// The closing handshake.
        case close = 8
        /// "Are you there".
        case ping = 9
        /// The answer to a ping.
        case pong = 10
    }

    /// The request that turns a connection into a WebSocket.
    public static func request(
        path: String = "/smq.lsp", host: String = "127.0.0.1", headers: [String] = []
    ) -> String {
        var lines = [
            "GET \(path) HTTP/1.1", "Host: \(host)", "Upgrade: websocket", "Connection: Upgrade",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13",
        ]
        lines += headers
        return lines.joined(separator: "\r\n") + "\r\n\r\n"
    }

    /// The value that proves that the other end has understood that request (RFC 6455, section 1.3).
    public static let accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

    /// A client's frame.
    public static func frame(
        _ opcode: Opcode, _ payload: ByteBuffer, isLast: Bool = true, isMasked: Bool = true
    ) -> ByteBuffer {
        var frame = ByteBuffer()
        frame.writeInteger(opcode.rawValue | (isLast ? 0x80 : 0))
        let mask: [UInt8] = isMasked ? [0x11, 0x22, 0x33, 0x44] : []
        let flag: UInt8 = isMasked ? 0x80 : 0
        let count = payload.readableBytes
        switch count {
        case ..<126: frame.writeInteger(UInt8(count) | flag)
        case ..<65536:
            frame.writeInteger(126 | flag)
            frame.writeInteger(UInt16(count))
        default:
            frame.writeInteger(127 | flag)
            frame.writeInteger(UInt64(count))
        }
        frame.writeBytes(mask)
        if isMasked {
            frame.writeBytes(payload.readableBytesView.enumerated().map { $1 ^ mask[$0 % 4] })
        } else {
            frame.writeImmutableBuffer(payload)
        }
        return frame
    }

    /// Takes a whole frame of a server off a buffer.
    public static func takeFrame(_ buffer: inout ByteBuffer) -> (opcode: Opcode, payload: ByteBuffer)? {
        var rest = buffer
        guard let first = rest.readInteger(as: UInt8.self), let opcode = Opcode(rawValue: first & 0x0F),
            var length = rest.readInteger(as: UInt8.self).map(Int.init)
        else { return nil }
        if length == 126 {
            guard let long = rest.readInteger(as: UInt16.self) else { return nil }
            length = Int(long)
        } else if length == 127 {
            guard let long = rest.readInteger(as: UInt64.self) else { return nil }
            length = Int(long)
        }
        guard let payload = rest.readSlice(length: length) else { return nil }
        buffer = rest
        return (opcode, payload)
    }
}

extension RawConnection {
    /// Connects and becomes a WebSocket.
    public static func webSocket(
        port: Int, path: String = "/smq.lsp", headers: [String] = []
    ) async throws -> RawConnection {
        let connection = try await connect(port: port)
        try await connection.send(WebSocketBytes.request(path: path, host: "127.0.0.1:\(port)", headers: headers))
        let response = try await connection.take(through: "\r\n\r\n")
        guard response.hasPrefix("HTTP/1.1 101"), response.contains(WebSocketBytes.accept) else {
            throw Late(description: "no WebSocket: \(response)")
        }
        return connection
    }

    /// Takes the next frame as soon as it has come.
    public func takeFrame() async throws -> (opcode: WebSocketBytes.Opcode, payload: ByteBuffer) {
        try await take { WebSocketBytes.takeFrame(&$0) }
    }
}
