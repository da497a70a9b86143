import DeviceCore
import Glibc

extension SegmentStore {
    /// Unsettled records from a sequence on, in order. Those that have expired or cannot be read are settled on the
    /// way.
    func read(from sequence: UInt64, limit: Int, bytes: Int) throws(DeviceError) -> [OutboxEntry] {
        defer {
            flushAcknowledgements()
            removeSettled()
        }
        var reading = Reading(
            position: max(sequence, settled.lowWater + 1), limit: max(1, limit), bytes: bytes,
            now: configuration.time() / 1000)
        for segment in segments where segment.last >= reading.position && !segment.isEmpty {
            try read(segment, &reading)
            if reading.isFull { return reading.entries }
        }
        // Not in a file yet: a full disk does not keep records from being sent.
        for record in backlog where record.sequence >= reading.position {
            take(RecordID(epoch: epoch, sequence: record.sequence), record.expires, &reading) { record.payload }
            if reading.isFull { break }
        }
        return reading.entries
    }

    private struct Reading {
        var position: UInt64
        let limit: Int
        var bytes: Int
        let now: Int64
        var entries: [OutboxEntry] = []

        var isFull: Bool { entries.count >= limit || (bytes <= 0 && !entries.isEmpty) }
    }

    private func read(_ segment: Segment, _ reading: inout Reading) throws(DeviceError) {
        var scanner: RecordScanner
        if let reader, reader.generation == segment.name.generation, reader.scanner.expected <= reading.position {
            scanner = reader.scanner
            scanner.extend(size: segment.bytes, last: segment.last)
        } else {
            let file = try StoreFile(path(segment), flags: O_RDONLY, calls: configuration.calls)
            scanner = RecordScanner(
                file, size: segment.bytes, seed: segment.name.seed, first: segment.name.first, last: segment.last)
        }
        reader = nil
        while let record = scanner.next() {
            guard record.sequence >= reading.position else { continue }
            if record.sequence > reading.position {
                miss(reading.position...record.sequence - 1, in: segment, &reading)
                if reading.isFull { return }
            }
            take(RecordID(epoch: segment.name.epoch, sequence: record.sequence), record.expires, &reading) {
                scanner.payload(record)
            }
            if reading.isFull {
                reader = (segment.name.generation, scanner)
                return
            }
        }
        if segment.last >= reading.position {
            miss(reading.position...segment.last, in: segment, &reading)
            if reading.isFull { return }
        }
        reading.position = segment.last + 1
        // The active segment grows: the next read goes on here.
        if active != nil, segment.name == segments.last?.name { reader = (segment.name.generation, scanner) }
    }

    /// Records that are not where they were written. What is not durable yet is in memory too: a sync that is just
    /// failing may have taken it from the file.
    private func miss(_ range: ClosedRange<UInt64>, in segment: Segment, _ reading: inout Reading) {
        if range.lowerBound <= durableThrough {
            lose(range.lowerBound...min(range.upperBound, durableThrough), in: segment)
        }
        for record in unsynced where range.contains(record.sequence) && record.sequence >= reading.position {
            take(RecordID(epoch: epoch, sequence: record.sequence), record.expires, &reading) { record.payload }
            if reading.isFull { return }
        }
    }

    /// Records that were there when the log was opened and cannot be read now.
    private func lose(_ range: ClosedRange<UInt64>, in segment: Segment) {
        let first = max(range.lowerBound, segment.name.first)
        if first <= range.upperBound { counters.lost += settle(first...range.upperBound) }
    }

    private func take(
        _ id: RecordID, _ expires: UInt32, _ reading: inout Reading, payload: () -> [UInt8]
    ) {
        reading.position = id.sequence + 1
        guard !settled.contains(id.sequence) else { return }
        guard expires == 0 || Int64(expires) > reading.now else {
            counters.expired += settle(id.sequence...id.sequence)
            return
        }
        let payload = payload()
        reading.bytes -= payload.count
        reading.entries.append(OutboxEntry(id: id, payload: payload, expires: expires == 0 ? nil : expires))
    }
}
