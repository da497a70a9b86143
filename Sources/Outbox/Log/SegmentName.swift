/// What a segment's name says: `<first sequence>-<epoch>-<generation>-<salt>.records`, hexadecimal.
///
/// It is in the name and not in the file, because names are not torn or flipped as content is. Generations order
/// segments even where two begin with the same sequence, which happens when a sync fails and its records are written
/// again.
struct SegmentName: Hashable {
    var first: UInt64
    var epoch: UInt32
    var generation: UInt32
    var salt: UInt32

    static let suffix = ".records"

    init(first: UInt64, epoch: UInt32, generation: UInt32, salt: UInt32) {
        self.first = first
        self.epoch = epoch
        self.generation = generation
        self.salt = salt
    }

    /// nil for every other file's name.
    init?(_ name: String) {
        guard name.hasSuffix(Self.suffix) else { return nil }
        let parts = name.dropLast(Self.suffix.count).split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 4, let first = UInt64(parts[0], radix: 16), first >= 1,
            first < RecordFormat.maximumSequence, let epoch = UInt32(parts[1], radix: 16),
            let generation = UInt32(parts[2], radix: 16), generation < .max, let salt = UInt32(parts[3], radix: 16)
        else { return nil }
        self.init(first: first, epoch: epoch, generation: generation, salt: salt)
        guard text == name else { return nil }
    }

    /// The file's name.
    var text: String {
        Self.digits(first, 16) + "-" + Self.digits(epoch, 8) + "-" + Self.digits(generation, 8) + "-"
            + Self.digits(salt, 8) + Self.suffix
    }

    /// What the checksums of its records begin with.
    var seed: UInt32 {
        var bytes: [UInt8] = []
        bytes.appendBigEndian(first)
        bytes.appendBigEndian(epoch)
        bytes.appendBigEndian(generation)
        bytes.appendBigEndian(salt)
        return CRC32C.of(bytes)
    }

    private static func digits(_ value: some FixedWidthInteger, _ width: Int) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
