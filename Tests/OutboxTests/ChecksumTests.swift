import Testing

@testable import Outbox

@Suite struct ChecksumTests {
    /// RFC 3720 appendix B.4, and the check value of the CRC catalogue.
    @Test func knownVectors() {
        #expect(CRC32C.of("123456789".utf8) == 0xE306_9283)
        #expect(CRC32C.of([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
        #expect(CRC32C.of([UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
        #expect(CRC32C.of((0..<32).map { UInt8($0) }) == 0x46DD_794E)
        #expect(CRC32C.of((0..<32).reversed().map { UInt8($0) }) == 0x113F_DB5C)
        let command: [UInt8] =
            [0x01, 0xC0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0, 0, 0, 0x04, 0, 0, 0, 0, 0x14]
            + [0, 0, 0, 0x18, 0x28, 0, 0, 0, 0, 0, 0, 0, 0x02, 0, 0, 0, 0, 0, 0, 0]
        #expect(CRC32C.of(command) == 0xD996_3A56)
        #expect(CRC32C.of([UInt8]()) == 0)
    }

    @Test func anyCutGivesTheSameValue() {
        let bytes = (0..<100).map { UInt8(truncatingIfNeeded: $0 &* 37) }
        let whole = CRC32C.of(bytes)
        for cut in 0...100 {
            #expect(CRC32C.of(bytes[cut...], continuing: CRC32C.of(bytes[..<cut])) == whole)
        }
    }
}
