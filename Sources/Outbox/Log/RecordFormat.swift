/// A record on its way to the disk.
struct PendingRecord: Sendable {
    var sequence: UInt64
    /// Seconds since 1970; 0 for never.
    var expires: UInt32
    var payload: [UInt8]

    /// Bytes in a segment.
    var fileBytes: Int { RecordFormat.headerBytes + payload.count }
}

/// How a record lies in a segment, big-endian:
///
/// | offset | size | field |
/// | --- | --- | --- |
/// | 0 | 4 | length of the payload |
/// | 4 | 8 | sequence |
/// | 12 | 4 | expiry, seconds since 1970; 0 for never |
/// | 16 | 4 | CRC-32C of the 16 bytes before, the payload and (before both) the segment's seed |
/// | 20 | | payload |
///
/// The seed comes from the file's name, which has a random part: a payload cannot contain what passes for a record.
/// A changed format gets another file name ending.
enum RecordFormat {
    static let headerBytes = 20
    /// The largest payload in any log: what a length above it announces is no record.
    static let maximumPayload = 1 << 20
    /// Far below overflow, and out of reach.
    static let maximumSequence: UInt64 = 1 << 62

    struct Header {
        var length: Int
        var sequence: UInt64
        var expires: UInt32
        var checksum: UInt32

        /// nil where the bytes are too short or no log could have written them.
        init?(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
            guard let length: UInt32 = bytes.bigEndian(at: offset), length <= maximumPayload,
                let sequence: UInt64 = bytes.bigEndian(at: offset + 4),
                let expires: UInt32 = bytes.bigEndian(at: offset + 12),
                let checksum: UInt32 = bytes.bigEndian(at: offset + 16)
            else { return nil }
            self.length = Int(length)
            self.sequence = sequence
            self.expires = expires
            self.checksum = checksum
        }
    }

    static func append(_ record: PendingRecord, seed: UInt32, to buffer: inout [UInt8]) {
        let start = buffer.count
        buffer.appendBigEndian(UInt32(truncatingIfNeeded: record.payload.count))
        buffer.appendBigEndian(record.sequence)
        buffer.appendBigEndian(record.expires)
        var crc = CRC32C(continuing: seed)
        buffer.withUnsafeBytes { crc.update(UnsafeRawBufferPointer(rebasing: $0[start...])) }
        record.payload.withUnsafeBytes { crc.update($0) }
        buffer.appendBigEndian(crc.value)
        buffer.append(contentsOf: record.payload)
    }

    /// The checksum that a record's bytes should have: 16 of the header, then those after the checksum.
    static func checksum(_ record: UnsafeRawBufferPointer, seed: UInt32) -> UInt32 {
        var crc = CRC32C(continuing: seed)
        crc.update(UnsafeRawBufferPointer(rebasing: record[..<16]))
        crc.update(UnsafeRawBufferPointer(rebasing: record[headerBytes...]))
        return crc.value
    }
}
