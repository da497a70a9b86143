/// CRC-32C (Castagnoli, reflected polynomial 0x82F63B78; RFC 3720 appendix B.4), eight bytes at a time by tables.
///
/// Tables and not the processor's instruction: at gigabytes a second it is never what a log on an SD card waits for.
struct CRC32C {
    private var register: UInt32

    /// Continues from the value of earlier bytes; 0 begins anew.
    init(continuing value: UInt32 = 0) { register = ~value }

    /// The checksum of what was taken in so far.
    var value: UInt32 { ~register }

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        var crc = register
        Self.tables.withUnsafeBufferPointer { table in
            var index = 0
            while index &+ 8 <= bytes.count {
                // safe: eight bytes are left; every table index is below 2048
                let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self))
                let low = UInt32(truncatingIfNeeded: word) ^ crc
                let high = UInt32(truncatingIfNeeded: word >> 32)
                crc =
                    table[1792 &+ Int(low & 0xFF)] ^ table[1536 &+ Int((low >> 8) & 0xFF)]
                    ^ table[1280 &+ Int((low >> 16) & 0xFF)] ^ table[1024 &+ Int(low >> 24)]
                crc ^=
                    table[768 &+ Int(high & 0xFF)] ^ table[512 &+ Int((high >> 8) & 0xFF)]
                    ^ table[256 &+ Int((high >> 16) & 0xFF)] ^ table[Int(high >> 24)]
                index &+= 8
            }
            while index < bytes.count {
                crc = table[Int((crc ^ UInt32(bytes[index])) & 0xFF)] ^ (crc >> 8)
                index &+= 1
            }
        }
        register = crc
    }

    /// The checksum of some bytes after those of `value`.
    static func of(_ bytes: some Sequence<UInt8>, continuing value: UInt32 = 0) -> UInt32 {
        var crc = CRC32C(continuing: value)
        Array(bytes).withUnsafeBytes { crc.update($0) }
        return crc.value
    }

    /// Eight tables of 256: the n-th moves a byte n places further.
    private static let tables: [UInt32] = {
        var tables = [UInt32](repeating: 0, count: 2048)
        for byte in 0..<256 {
            var crc = UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? (crc >> 1) ^ 0x82F6_3B78 : crc >> 1 }
            tables[byte] = crc
        }
        for index in 256..<2048 {
            let previous = tables[index - 256]
            tables[index] = (previous >> 8) ^ tables[Int(previous & 0xFF)]
        }
        return tables
    }()
}
