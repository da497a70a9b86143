import NIOCore
import Outbox

/// What a receiver sends to the publisher of `.endToEnd` messages: their envelopes, one after the other.
///
/// It is published to the message's publisher (its ETID), with the sub-topic ``subtopic``.
enum AcknowledgementMessage {
    /// The sub-topic's name. Messages to this client with it are not the application's.
    static let subtopic = "devicesdk/ack"
    /// Envelopes in one message, at most, when this client sends it: 24 kB.
    static let maximumCount = 1_000

    /// The messages that acknowledge some ids, and how many each of them does.
    static func encode(_ ids: [MessageID]) -> [(ByteBuffer, Int)] {
        stride(from: 0, to: ids.count, by: maximumCount).map { start in
            var bytes: [UInt8] = []
            let part = ids[start..<min(start + maximumCount, ids.count)]
            bytes.reserveCapacity(part.count * Envelope.byteCount)
            for id in part { Envelope(id: id, flags: .endToEnd).encode(into: &bytes) }
            return (ByteBuffer(bytes: bytes), part.count)
        }
    }

    /// The ids in a message, up to the first 24 bytes that are no envelope.
    static func decode(_ payload: ByteBuffer) -> [MessageID] {
        var payload = payload
        var ids: [MessageID] = []
        while let bytes = payload.readSlice(length: Envelope.byteCount),
            let envelope = Envelope(decoding: bytes.readableBytesView)
        {
            ids.append(envelope.id)
        }
        return ids
    }
}
