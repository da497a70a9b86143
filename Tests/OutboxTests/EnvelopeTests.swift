import Testing

@testable import Outbox

@Suite struct EnvelopeTests {
    static let vector: [UInt8] = [
        0xD5, 0x01, 0x01, 0x00, 0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF, 0x00, 0x00, 0x00, 0x2A,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x02,
    ]
    static let id = MessageID(source: 0x0123_4567_89AB_CDEF, epoch: 42, sequence: 65538)

    @Test func vectors() {
        let envelope = Envelope(id: Self.id, flags: .endToEnd)
        #expect(envelope.encoded == Self.vector)
        #expect(Envelope(decoding: Self.vector) == envelope)
        #expect(Envelope(decoding: Self.vector + Array("payload".utf8)) == envelope)
        #expect(Self.id.description == "0123456789abcdef/42/65538")
    }

    @Test func extremes() {
        for id in [MessageID(source: 0, epoch: 0, sequence: 0), MessageID(source: .max, epoch: .max, sequence: .max)] {
            let envelope = Envelope(id: id, flags: Envelope.Flags(rawValue: 0xFF))
            #expect(envelope.encoded.count == Envelope.byteCount)
            #expect(Envelope(decoding: envelope.encoded) == envelope)
        }
    }

    @Test func whatIsNone() {
        for length in 0..<Envelope.byteCount { #expect(Envelope(decoding: Self.vector.prefix(length)) == nil) }
        for index in 0..<2 {
            var bytes = Self.vector
            bytes[index] ^= 0x10
            #expect(Envelope(decoding: bytes) == nil)
        }
    }

    @Test func reservedBitsAreIgnored() {
        var bytes = Self.vector
        bytes[3] = 0xFF
        #expect(Envelope(decoding: bytes)?.id == Self.id)
    }

    @Test func randomBytesNeverTrap() {
        for _ in 0..<2000 {
            var bytes = (0..<Int.random(in: 0...40)).map { _ in UInt8.random(in: 0 ... .max) }
            if Bool.random(), bytes.count >= 2 { bytes.replaceSubrange(0..<2, with: [0xD5, 0x01]) }
            let isLong = bytes.count >= 24 && bytes[0] == 0xD5 && bytes[1] == 0x01
            #expect((Envelope(decoding: bytes) != nil) == isLong)
        }
    }
}
