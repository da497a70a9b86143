import DeviceCore
import NIOCore

/// Text messages as the package's listener wants them: with their frame head (RFC 6455, section 5.2).
enum WebSocketText {
    /// A message in one frame, which is not masked, as a server's are not.
    static func frame(_ message: JSONValue) -> ByteBuffer {
        let text = message.description
        let length = text.utf8.count
        var frame = ByteBuffer()
        frame.reserveCapacity(length + 10)
        frame.writeInteger(UInt8(0x81))
        switch length {
        case ..<126: frame.writeInteger(UInt8(length))
        case ..<65_536:
            frame.writeInteger(UInt8(126))
            frame.writeInteger(UInt16(length))
        default:
            frame.writeInteger(UInt8(127))
            frame.writeInteger(UInt64(length))
        }
        frame.writeString(text)
        return frame
    }
}
