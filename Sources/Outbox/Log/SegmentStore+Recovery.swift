import DeviceCore
import Glibc

extension SegmentStore {
    /// Reads all segments once and keeps every intact record; returns the next segment's generation.
    ///
    /// Memory: one window of 64 KiB (1 MiB where records are so large) and some words for each segment.
    func recover() throws(DeviceError) -> UInt32 {
        recovery.damagedAcknowledgements = acknowledgements.damaged
        let names = try StateDirectory.names(in: directory.path).compactMap { SegmentName($0) }
            .sorted { $0.generation < $1.generation }
        // A newer segment has the right to all numbers from its first on: an older one that has them too is what a
        // failed sync left.
        var limit = RecordFormat.maximumSequence
        var found: [Segment] = []
        for name in names.reversed() {
            found.append(Segment(name: name, bytes: 0, last: limit - 1))
            limit = min(limit, name.first)
        }
        found.reverse()
        for index in found.indices {
            try recover(found[index], isNewest: index == found.count - 1)
        }
        let first = names.map(\.first).min()
        storedThrough = max(segments.last?.last ?? 0, settled.last, (names.map(\.first).max() ?? 1) - 1)
        durableThrough = storedThrough
        // Likewise the name of a segment that was begun just before the kill.
        if !segments.isEmpty { try directory.sync() }
        settleGaps(from: first ?? storedThrough + 1)
        removeSettled()
        recovery.waiting = storedThrough - min(storedThrough, settled.count)
        recovery.lost = counters.lost
        return (names.last?.generation).map { $0 + 1 } ?? 0
    }

    private func recover(_ candidate: Segment, isNewest: Bool) throws(DeviceError) {
        var segment = candidate
        let path = path(segment)
        do {
            let file = try StoreFile(path, flags: O_RDWR, calls: configuration.calls)
            let size = try file.size()
            var scanner = RecordScanner(
                file, size: size, seed: segment.name.seed, first: segment.name.first, last: candidate.last)
            segment.last = segment.name.first - 1
            while let record = scanner.next() {
                if record.sequence > segment.last + 1 {
                    counters.lost += settle(segment.last + 1...record.sequence - 1)
                }
                segment.last = record.sequence
                segment.note(expires: record.expires)
            }
            segment.bytes = scanner.end
            recovery.damagedBytes += UInt64(scanner.skipped)
            // What follows the last record of an older segment may be the records of a newer one, from before a sync
            // failed.
            if size > scanner.end {
                recovery.truncatedBytes += UInt64(size - scanner.end)
                try? file.truncate(to: scanner.end)
            }
            // After kill -9 its last records may be in the kernel's memory only. They count as durable from here on.
            if isNewest { try file.sync() }
        }
        if segment.isEmpty {
            // It holds nothing; only its name may have been worth something, and `storedThrough` has taken that.
            try? StoreFile.remove(path)
            return
        }
        segments.append(segment)
    }

    /// Numbers that no file has and nobody acknowledged were lost. They are counted once and then settled.
    private func settleGaps(from first: UInt64) {
        // Segments before the first were deleted because all of their records were settled.
        if first > settled.lowWater + 1 { _ = settle(settled.lowWater + 1...first - 1) }
        var next = first
        for segment in segments {
            if segment.name.first > next { counters.lost += settle(next...segment.name.first - 1) }
            next = max(next, segment.last + 1)
        }
        if next <= storedThrough { counters.lost += settle(next...storedThrough) }
        flushAcknowledgements()
    }
}
