import DeviceProtocols
import NIOCore

/// What a record of the outbox's log holds: the message and where it goes, so that another run of the program can send
/// it.
///
/// Version (1), flags (bit 0: end to end), milliseconds since 1970 when it was published (u64), lengths of topic and
/// sub-topic (u16 each; no sub-topic is an empty one), both names, the payload. Big-endian. Of this program only: it
/// never goes to a peer.
struct LoggedRecord: Equatable {
    var topic: String
    var subtopic: String?
    var level: SMQDeliveryLevel
    /// Milliseconds since 1970.
    var published: Int64
    var payload: [UInt8]

    static let headerBytes = 14
    private static let version: UInt8 = 1

    init(topic: String, subtopic: String?, level: SMQDeliveryLevel, published: Int64, payload: [UInt8]) {
        self.topic = topic
        self.subtopic = subtopic
        self.level = level
        self.published = published
        self.payload = payload
    }

    /// Nil for what no version of this program has written.
    init?(decoding bytes: [UInt8]) {
        var buffer = ByteBuffer(bytes: bytes)
        guard buffer.readInteger(as: UInt8.self) == Self.version, let flags = buffer.readInteger(as: UInt8.self),
            let published = buffer.readInteger(as: Int64.self), let topicLength = buffer.readInteger(as: UInt16.self),
            let subtopicLength = buffer.readInteger(as: UInt16.self),
            let topic = buffer.readString(length: Int(topicLength)),
            let subtopic = buffer.readString(length: Int(subtopicLength))
        else { return nil }
        self.topic = topic
        self.subtopic = subtopic.isEmpty ? nil : subtopic
        level = flags & 1 == 0 ? .broker : .endToEnd
        self.published = published
        payload = Array(buffer.readableBytesView)
    }

    var encoded: [UInt8] {
        var bytes: [UInt8] = []
        let subtopic = subtopic ?? ""
        bytes.reserveCapacity(Self.headerBytes + topic.utf8.count + subtopic.utf8.count + payload.count)
        bytes.append(Self.version)
        bytes.append(level == .endToEnd ? 1 : 0)
        withUnsafeBytes(of: published.bigEndian) { bytes.append(contentsOf: $0) }
        for text in [topic, subtopic] {
            // The caller has checked that names fit a frame, which is shorter.
            withUnsafeBytes(of: UInt16(truncatingIfNeeded: text.utf8.count).bigEndian) { bytes.append(contentsOf: $0) }
        }
        bytes.append(contentsOf: topic.utf8)
        bytes.append(contentsOf: subtopic.utf8)
        bytes.append(contentsOf: payload)
        return bytes
    }
}
