/// What a log will take on the disk once the records in memory are written: they fill segments in a known way, so the
/// byte cap can be kept to the byte before anything is written.
struct SpacePlan: Sendable {
    /// Bytes of all segments, each rounded up.
    private(set) var cost = 0
    /// Bytes in the segment that the next record goes into; 0 when it begins one.
    private(set) var tail = 0

    init(cost: Int = 0, tail: Int = 0) {
        self.cost = cost
        self.tail = tail
    }

    /// Bytes on the disk of a segment of some length.
    static func rounded(_ bytes: Int) -> Int { (bytes + 4095) / 4096 * 4096 }

    /// What it is after one more record.
    func adding(_ bytes: Int, segmentBytes: Int) -> SpacePlan {
        if tail == 0 || tail + bytes > segmentBytes { return SpacePlan(cost: cost + Self.rounded(bytes), tail: bytes) }
        return SpacePlan(cost: cost - Self.rounded(tail) + Self.rounded(tail + bytes), tail: tail + bytes)
    }
}
