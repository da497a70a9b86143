/// Reads a segment's records in order, however damaged it is, in memory of a bounded size.
///
/// Where the bytes are no record, it looks on byte by byte for the next one with a larger number and a right checksum.
/// Pages that the disk cannot read are passed over as damaged bytes are.
struct RecordScanner {
    struct Found {
        var sequence: UInt64
        var expires: UInt32
        /// Bytes in the window, until the next call.
        fileprivate(set) var start: Int
        fileprivate(set) var length: Int
    }

    private let file: StoreFile
    private let seed: UInt32
    private var window: [UInt8] = []
    /// Place in the file and length of what the window holds.
    private var windowStart: Int64 = 0
    private var windowCount = 0
    /// Bytes of the file that may hold records.
    private var size: Int64
    /// No record has a larger number.
    private var last: UInt64
    /// No later record has a smaller one.
    private(set) var expected: UInt64
    /// Place of the next byte to look at.
    private var offset: Int64 = 0
    /// Place after the last intact record.
    private(set) var end: Int64 = 0
    /// Bytes before ``end`` that were no record.
    private(set) var skipped: Int64 = 0

    init(_ file: StoreFile, size: Int64, seed: UInt32, first: UInt64, last: UInt64) {
        self.file = file
        self.size = size
        self.seed = seed
        self.last = last
        expected = first
    }

    /// Takes in what was appended meanwhile.
    mutating func extend(size: Int64, last: UInt64) {
        self.size = max(self.size, size)
        self.last = max(self.last, last)
    }

    /// The next intact record, or nil at the end.
    mutating func next() -> Found? {
        var place = offset
        while expected <= last, place <= size - Int64(RecordFormat.headerBytes) {
            guard fill(at: place, RecordFormat.headerBytes) else {
                place = (place / 4096 + 1) * 4096
                continue
            }
            // Looks for a plausible header without leaving the window, which makes the long way through damage short.
            let from = Int(place - windowStart)
            let largest = min(last, expected &+ UInt64(size - place) / UInt64(RecordFormat.headerBytes))
            let hit = window.withUnsafeBytes { bytes -> (at: Int, header: RecordFormat.Header)? in
                let bytes = UnsafeRawBufferPointer(rebasing: bytes[..<windowCount])
                var at = from
                while at <= windowCount - RecordFormat.headerBytes {
                    if let header = RecordFormat.Header(bytes, at: at), header.sequence >= expected,
                        header.sequence <= largest
                    {
                        return (at, header)
                    }
                    at += 1
                }
                return nil
            }
            guard let hit else {
                place = windowStart + Int64(windowCount - RecordFormat.headerBytes + 1)
                continue
            }
            place = windowStart + Int64(hit.at)
            if let found = check(hit.header, at: place) { return found }
            place += 1
        }
        return nil
    }

    private mutating func check(_ header: RecordFormat.Header, at place: Int64) -> Found? {
        let bytes = RecordFormat.headerBytes + header.length
        guard place <= size - Int64(bytes), fill(at: place, bytes) else { return nil }
        let start = Int(place - windowStart)
        let checksum = window.withUnsafeBytes {
            RecordFormat.checksum(UnsafeRawBufferPointer(rebasing: $0[start..<start + bytes]), seed: seed)
        }
        guard checksum == header.checksum else { return nil }
        skipped += place - end
        end = place + Int64(bytes)
        offset = end
        expected = header.sequence + 1
        return Found(
            sequence: header.sequence, expires: header.expires, start: start + RecordFormat.headerBytes,
            length: header.length)
    }

    /// The payload of what ``next()`` just found.
    func payload(_ found: Found) -> [UInt8] { Array(window[found.start..<found.start + found.length]) }

    /// Makes the window hold some bytes; false when they cannot be read.
    private mutating func fill(at place: Int64, _ count: Int) -> Bool {
        if place >= windowStart, place + Int64(count) <= windowStart + Int64(windowCount) { return true }
        let room = max(65536, count)
        if window.count < room { window = [UInt8](repeating: 0, count: room) }
        let want = Int(min(Int64(window.count), size - place))
        windowStart = place
        windowCount = (try? file.read(into: &window, limit: want, at: place)) ?? 0
        return windowCount >= count
    }
}
