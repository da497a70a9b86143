import DeviceCore

/// What the log was told about records that it need not send again.
struct Acknowledgement: Sendable {
    var id: RecordID
    /// All older records too.
    var isCumulative: Bool
}

extension SegmentStore {
    /// Takes acknowledgements in, and deletes the segments that they end.
    func acknowledge(_ all: [Acknowledgement]) {
        guard !all.isEmpty else { return }
        for acknowledgement in all {
            let id = acknowledgement.id
            // Said again: nothing to do.
            if id.sequence <= settled.lowWater { continue }
            guard epoch(of: id.sequence) == id.epoch else {
                counters.ignoredAcknowledgements += 1
                continue
            }
            let first = acknowledgement.isCumulative ? settled.lowWater + 1 : id.sequence
            if let count = settled.insert(first...id.sequence, limit: configuration.maximumRanges) {
                counters.acknowledged += count
                if count > 0 { note(first...id.sequence) }
            } else {
                counters.forgottenAcknowledgements += 1
            }
        }
        flushAcknowledgements()
        removeSettled()
    }

    /// The epoch of a record that the log holds, or held in a segment that is still there.
    ///
    /// An acknowledgement from before a power failure may name a number that another record has now.
    private func epoch(of sequence: UInt64) -> UInt32? {
        if let segment = segments.last(where: { $0.name.first <= sequence }), sequence <= segment.last {
            return segment.name.epoch
        }
        if let first = backlog.first, let last = backlog.last, first.sequence <= sequence, sequence <= last.sequence {
            return epoch
        }
        return nil
    }

    /// Settles numbers for the log's own reasons; returns how many were not.
    func settle(_ range: ClosedRange<UInt64>) -> UInt64 {
        let count = settled.insert(range) ?? 0
        if count > 0 { note(range) }
        return count
    }

    private func note(_ range: ClosedRange<UInt64>) {
        if let last = unflushed.last, last.upperBound < range.lowerBound, last.upperBound + 1 == range.lowerBound {
            unflushed[unflushed.count - 1] = last.lowerBound...range.upperBound  // safe: it has a last one
        } else {
            unflushed.append(range)
        }
    }

    /// Writes what was settled into the journal, without waiting for the disk: what a power failure takes from it is
    /// sent again.
    func flushAcknowledgements() {
        guard !unflushed.isEmpty || isJournalIncomplete else { return }
        let ranges = unflushed
        unflushed = []
        do {
            if isJournalIncomplete || acknowledgements.bytes > journalLimit {
                var all = settled.ranges
                if settled.lowWater > 0 { all.insert(1...settled.lowWater, at: 0) }
                let bytes = encode(all)
                try acknowledgements.replace(with: bytes)
                journalLimit = max(Self.leastJournalLimit, Int64(bytes.count) * 4)
            } else {
                try acknowledgements.append(encode(ranges))
            }
            isJournalIncomplete = false
        } catch {
            isJournalIncomplete = true
            counters.failures += 1
        }
    }

    private func encode(_ ranges: [ClosedRange<UInt64>]) -> [UInt8] {
        var bytes: [UInt8] = []
        for range in ranges {
            acknowledgements.encode(into: &bytes) {
                $0.appendBigEndian(range.lowerBound)
                $0.appendBigEndian(range.upperBound)
            }
        }
        return bytes
    }

    /// Deletes segments whose records are all settled.
    func removeSettled() {
        var isJournalDurable: Bool?
        var index = 0
        while index < segments.count - (active == nil ? 0 : 1) {
            let segment = segments[index]
            guard settled.containsAll(segment.name.first...max(segment.name.first, segment.last)) else {
                index += 1
                continue
            }
            // That a segment in the middle was deleted on purpose, or the only one, only the journal can tell at the
            // next start. The oldest, which goes most often, waits for no disk.
            if index > 0 || segments.count == 1, isJournalDurable == nil {
                isJournalDurable = !isJournalIncomplete && (try? acknowledgements.sync()) != nil
            }
            guard index == 0 || isJournalDurable == true, (try? remove(at: index)) != nil else {
                index += 1
                continue
            }
        }
    }

    func remove(at index: Int) throws(DeviceError) {
        let segment = segments[index]  // safe: callers pass an index that they just used
        try StoreFile.remove(path(segment))
        if reader?.generation == segment.name.generation { reader = nil }
        segments.remove(at: index)
    }

    /// Settles segments whose records have all expired, the active one included.
    func removeExpired() throws(DeviceError) {
        let now = configuration.time() / 1000
        for segment in segments {
            guard let latest = segment.latestExpiry, !segment.isEmpty, Int64(latest) <= now else { continue }
            if segment.name == segments.last?.name, active != nil { try closeActive() }
            counters.expired += settle(segment.name.first...segment.last)
        }
        flushAcknowledgements()
        removeSettled()
    }
}
