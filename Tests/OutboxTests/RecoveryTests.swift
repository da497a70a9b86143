import Glibc
import TestSupport
import Testing

@testable import Outbox

/// Whatever a crash or a bad disk left: everything readable is kept, nothing else is invented.
@Suite struct RecoveryTests {
    /// Two segments of four records; where each record lies; all files.
    private struct Written {
        let files: [String: [UInt8]]
        let segments: [(name: String, places: [(sequence: UInt64, bytes: Range<Int>)])]
    }

    private static func write(to path: String) throws -> Written {
        var segments: [(name: String, places: [(sequence: UInt64, bytes: Range<Int>)])] = []
        do {
            let store = try Logs.store(path)
            for numbers in [UInt64(1)...4, 5...8] {
                try Logs.append(numbers, to: store)
                let name = try #require(store.segments.last?.name.text)
                var end = 0
                segments.append(
                    (
                        name,
                        numbers.map { number in
                            let start = end
                            end += RecordFormat.headerBytes + Logs.payload(number).count
                            return (number, start..<end)
                        }
                    ))
                try store.closeActive()
            }
        }
        return Written(files: try TemporaryDirectory.snapshot(path), segments: segments)
    }

    private static func expect(
        _ numbers: some Sequence<UInt64>, in path: String, next: UInt64? = nil,
        _ check: (OutboxRecovery) -> Void = { _ in }
    ) throws {
        do {
            let store = try Logs.store(path, epoch: 2)
            check(store.recovery)
            let entries = try Logs.all(store)
            #expect(entries.map(\.id) == numbers.map { RecordID(epoch: 1, sequence: $0) })
            #expect(entries.allSatisfy { $0.payload == Logs.payload($0.id.sequence) })
            #expect(store.recovery.waiting == UInt64(entries.count))
            // It goes on with a number that nobody has.
            let new = store.storedThrough + 1
            if let next { #expect(new == next) }
            #expect(entries.allSatisfy { $0.id.sequence < new })
            try Logs.append(new...new, to: store)
            #expect(try Logs.all(store).last?.id == RecordID(epoch: 2, sequence: new))
        }
        // The next start finds no more damage to count.
        let again = try Logs.store(path, epoch: 3)
        #expect(again.recovery.lost == 0 && again.recovery.truncatedBytes == 0)
    }

    @Test func newestSegmentCutAtEveryByte() throws {
        let directory = try TemporaryDirectory()
        let path = directory("log")
        let written = try Self.write(to: path)
        let newest = written.segments[1]
        let bytes = try #require(written.files[newest.name])
        for cut in 0...bytes.count {
            var files = written.files
            files[newest.name] = Array(bytes[..<cut])
            try TemporaryDirectory.restore(files, to: path)
            let whole = newest.places.filter { $0.bytes.upperBound <= cut }
            let end = whole.last?.bytes.upperBound ?? 0
            try Self.expect(Array(1...4) + whole.map(\.sequence), in: path, next: 5 + UInt64(whole.count)) { recovery in
                #expect(recovery.truncatedBytes == UInt64(cut - end) && recovery.lost == 0)
            }
        }
    }

    @Test func olderSegmentCutAtEveryByteLosesCountedRecordsOnly() throws {
        let directory = try TemporaryDirectory()
        let path = directory("log")
        let written = try Self.write(to: path)
        let older = written.segments[0]
        let bytes = try #require(written.files[older.name])
        for cut in 0...bytes.count {
            var files = written.files
            files[older.name] = Array(bytes[..<cut])
            try TemporaryDirectory.restore(files, to: path)
            let whole = older.places.filter { $0.bytes.upperBound <= cut }
            try Self.expect(whole.map(\.sequence) + Array(5...8), in: path, next: 9) { recovery in
                #expect(recovery.lost == UInt64(4 - whole.count))
            }
        }
    }

    @Test(arguments: [0, 1]) func everyFlippedByteCostsOneRecord(segment: Int) throws {
        let directory = try TemporaryDirectory()
        let path = directory("log")
        let written = try Self.write(to: path)
        let (name, places) = written.segments[segment]
        for place in places {
            for index in place.bytes {
                for mask in [UInt8(0xFF), 0x01, 0x80] {
                    var files = written.files
                    files[name]?[index] ^= mask
                    try TemporaryDirectory.restore(files, to: path)
                    try Self.expect((1...8).filter { $0 != place.sequence }, in: path) { recovery in
                        // Damage at the very end looks like a torn write: it is cut, and its bytes are told.
                        if place.sequence == 8 {
                            #expect(recovery.lost == 0 && recovery.truncatedBytes == UInt64(place.bytes.count))
                        } else {
                            #expect(recovery.lost == 1)
                            #expect(recovery.damagedBytes + recovery.truncatedBytes == UInt64(place.bytes.count))
                        }
                    }
                }
            }
        }
    }

    @Test func everyFlippedByteOfTheAcknowledgementsRepeatsAtMostOne() throws {
        let directory = try TemporaryDirectory()
        let path = directory("log")
        _ = try Self.write(to: path)
        do {
            let store = try Logs.store(path, epoch: 2)
            for number in [UInt64(2), 4, 7] {
                store.acknowledge([Acknowledgement(id: .init(epoch: 1, sequence: number), isCumulative: false)])
            }
        }
        let files = try TemporaryDirectory.snapshot(path)
        let bytes = try #require(files[SegmentStore.acknowledgedName])
        #expect(bytes.count == 60)
        for index in bytes.indices {
            var damaged = files
            damaged[SegmentStore.acknowledgedName]?[index] ^= 0x10
            try TemporaryDirectory.restore(damaged, to: path)
            let back: UInt64 = [2, 4, 7][index / 20]
            try Self.expect([1, 2, 3, 4, 5, 6, 7, 8].filter { ![2, 4, 7].contains($0) || $0 == back }, in: path) {
                #expect($0.damagedAcknowledgements == 1)
            }
        }
        for cut in 0...bytes.count {
            var torn = files
            torn[SegmentStore.acknowledgedName] = Array(bytes[..<cut])
            try TemporaryDirectory.restore(torn, to: path)
            let gone = [UInt64(2), 4, 7].prefix(cut / 20)
            try Self.expect((1...8).filter { !gone.contains($0) }, in: path)
        }
    }

    @Test func aMissingSegmentIsCounted() throws {
        let directory = try TemporaryDirectory()
        let path = directory("log")
        do {
            let store = try Logs.store(path)
            for numbers in [UInt64(1)...4, 5...8, 9...10] {
                try Logs.append(numbers, to: store)
                try store.closeActive()
            }
            unlink(store.path(store.segments[1]))
        }
        try Self.expect([1, 2, 3, 4, 9, 10], in: path) { #expect($0.lost == 4) }
    }

    @Test func strangersAndRandomContentAreHarmless() throws {
        let directory = try TemporaryDirectory()
        for round in 0..<200 {
            let path = directory("log\(round)")
            try #require(mkdir(path, 0o700) == 0)
            for _ in 0..<3 {
                let name = SegmentName(
                    first: .random(in: 1...50), epoch: 1, generation: .random(in: 0...9), salt: .random(in: 0...9))
                let bytes = (0..<Int.random(in: 0...300)).map { _ in UInt8.random(in: 0...3) }
                try TemporaryDirectory.write(bytes, to: path + "/" + name.text)
            }
            let strangers = [
                "x.records", "----.records", "acknowledged.new", "0000000000000001-00000001-ffffffff-0.records",
            ]
            for name in strangers {
                try TemporaryDirectory.write([1, 2, 3], to: path + "/" + name)
            }
            let junk = (0..<57).map { _ in UInt8.random(in: 0 ... .max) }
            try TemporaryDirectory.write(junk, to: path + "/" + SegmentStore.acknowledgedName)
            let store = try Logs.store(path)
            #expect(try Logs.all(store).isEmpty)
            let next = store.storedThrough + 1
            try Logs.append(next...next, to: store)
            #expect(try Logs.all(store).map(\.id.sequence) == [next])
        }
    }

    /// A payload that looks like a record of the log must not become one when the record around it is damaged.
    @Test func aPayloadCannotPassForARecord() throws {
        let directory = try TemporaryDirectory()
        let path = directory("log")
        var inner: [UInt8] = []
        let guess = SegmentName(first: 1, epoch: 1, generation: 0, salt: 0)
        RecordFormat.append(PendingRecord(sequence: 2, expires: 0, payload: [66]), seed: guess.seed, to: &inner)
        let file: String
        do {
            let store = try Logs.store(path)
            store.backlog = [PendingRecord(sequence: 1, expires: 0, payload: inner)]
            try store.writeBacklog()
            try store.sync()
            file = try #require(store.segments.first.map { store.path($0) })
        }
        var bytes = try TemporaryDirectory.read(file)
        bytes[3] ^= 1
        try TemporaryDirectory.write(bytes, to: file)
        #expect(try Logs.all(Logs.store(path)).isEmpty)
    }

    @Test func pagesThatCannotBeReadCostTheirRecordsOnly() throws {
        let directory = try TemporaryDirectory()
        let path = directory("log")
        do {
            let store = try Logs.store(path)
            for number in UInt64(1)...300 {
                let payload = [UInt8](repeating: 1, count: 80)
                store.backlog.append(PendingRecord(sequence: number, expires: 0, payload: payload))
            }
            try store.writeBacklog()
            try store.sync()
        }
        var configuration = Logs.configuration()
        // The second page of every file fails, as a bad sector does.
        configuration.calls.read = { file, buffer, offset in
            let bad = Int64(4096)..<8192
            if bad.contains(offset) {
                errno = EIO
                return -1
            }
            let count = offset < bad.lowerBound ? min(buffer.count, Int(bad.lowerBound - offset)) : buffer.count
            return pread(file, buffer.baseAddress, count, off_t(offset))
        }
        let store = try Logs.store(path, epoch: 2, configuration)
        let touched = UInt64(8191 / 100 - 4096 / 100 + 1)
        #expect(store.recovery.lost == touched)
        #expect(try Logs.all(store).count == 300 - Int(touched))
    }
}
