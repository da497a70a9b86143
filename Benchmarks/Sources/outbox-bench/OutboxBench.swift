import Glibc

/// Appends records durably to the outbox's log and to SQLite, by turns, and prints records a second and bytes written to
/// the disk for each byte of payload.
///
///     outbox-bench [--directory PATH] [--rounds 5] [--seconds 1] [--bytes 200]
@main
enum OutboxBench {
    static func main() async {
        do {
            let options = try Options(Array(CommandLine.arguments.dropFirst()))
            guard mkdir(options.directory, 0o700) == 0 else {
                throw BenchError("cannot make the directory \(options.directory) (it must not exist)")
            }
            defer { removeAll(options.directory) }
            try await run(options)
        } catch {
            print("outbox-bench: \(error)")
            exit(1)
        }
    }

    private static func run(_ options: Options) async throws {
        var results: [Int: [String: [Sample]]] = [:]
        for round in 0..<options.rounds {
            for batch in [1, 10, 100] {
                // By turns, and each first as often: what else the machine does meets both alike.
                let stores: [any Store.Type] =
                    round % 2 == 0 ? [LogStore.self, SQLiteStore.self] : [SQLiteStore.self, LogStore.self]
                for type in stores {
                    let directory = "\(options.directory)/\(type.name)-\(batch)-\(round)"
                    guard mkdir(directory, 0o700) == 0 else { throw BenchError("cannot make \(directory)") }
                    let store = try await type.open(directory)
                    let sample = try await measure(store, batch, options)
                    try await store.close()
                    removeAll(directory)
                    results[batch, default: [:]][type.name, default: []].append(sample)
                }
            }
        }
        print(
            "\(options.bytes)-byte records, \(options.rounds) rounds of \(options.seconds) s, median (lowest to highest)\n"
        )
        print("| records per sync | store | records/s | syncs/s | bytes written per payload byte |")
        print("| --- | --- | --- | --- | --- |")
        for batch in [1, 10, 100] {
            for name in [LogStore.name, SQLiteStore.name] {
                let samples = results[batch]?[name] ?? []
                let cells = [
                    spread(samples.map(\.rate), digits: 0),
                    spread(samples.map { $0.rate / Double(batch) }, digits: 0),
                    spread(samples.map(\.amplification), digits: 2),
                ]
                print("| \(batch) | \(name) | " + cells.joined(separator: " | ") + " |")
            }
        }
        if results.values.contains(where: { $0.values.contains { $0.contains { $0.amplification == 0 } } }) {
            print("\nNo bytes were written: \(options.directory) is in memory. Choose a directory on a disk.")
        }
    }

    private static func measure(_ store: any Store, _ batch: Int, _ options: Options) async throws -> Sample {
        let payload = (0..<options.bytes).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        // Files, caches and, for SQLite, the first pages of the table.
        for _ in 0..<3 { try await store.append(payload, count: batch) }
        let bytes = try writtenBytes()
        let start = ContinuousClock.now
        var records = 0
        while ContinuousClock.now - start < .seconds(options.seconds) {
            try await store.append(payload, count: batch)
            records += batch
        }
        let (seconds, attoseconds) = (ContinuousClock.now - start).components
        let time = Double(seconds) + Double(attoseconds) / 1e18
        let written = Double(try writtenBytes() - bytes)
        return Sample(rate: Double(records) / time, amplification: written / Double(records * payload.count))
    }

    /// What this process made the kernel write to disks.
    private static func writtenBytes() throws -> Int {
        guard let file = fopen("/proc/self/io", "r") else { throw BenchError("cannot read /proc/self/io") }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 256)
        while fgets(&line, Int32(line.count), file) != nil {
            let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            if text.hasPrefix("write_bytes: "), let number = Int(text.dropFirst(13).prefix { $0.isNumber }) {
                return number
            }
        }
        throw BenchError("/proc/self/io has no write_bytes")
    }

    private static func spread(_ values: [Double], digits: Int) -> String {
        let sorted = values.sorted()
        guard let first = sorted.first, let last = sorted.last else { return "none" }
        let median = sorted[sorted.count / 2]
        return "\(text(median, digits)) (\(text(first, digits)) to \(text(last, digits)))"
    }

    private static func text(_ value: Double, _ digits: Int) -> String {
        guard digits > 0 else { return "\(Int(value.rounded()))" }
        let hundredths = Int((value * 100).rounded())
        let rest = hundredths % 100
        return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest)"
    }

    private static func removeAll(_ path: String) {
        if let directory = opendir(path) {
            var names: [String] = []
            while let entry = readdir(directory) {
                let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                }
                if name != ".", name != ".." { names.append(name) }
            }
            closedir(directory)
            for name in names { removeAll(path + "/" + name) }
        }
        if unlink(path) != 0 { rmdir(path) }
    }
}

struct Sample {
    var rate: Double
    var amplification: Double
}

struct BenchError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

struct Options {
    var directory = "outbox-bench-\(getpid())"
    var rounds = 5
    var seconds = 1
    var bytes = 200

    init(_ arguments: [String]) throws {
        var rest = arguments[...]
        while let name = rest.popFirst() {
            guard let value = rest.popFirst() else { throw BenchError("\(name) needs a value") }
            switch name {
            case "--directory": directory = value
            case "--rounds": rounds = try Self.number(name, value)
            case "--seconds": seconds = try Self.number(name, value)
            case "--bytes": bytes = try Self.number(name, value)
            default: throw BenchError("unknown option \(name): --directory, --rounds, --seconds, --bytes")
            }
        }
    }

    private static func number(_ name: String, _ value: String) throws -> Int {
        guard let number = Int(value), (1...65_000).contains(number) else {
            throw BenchError("\(name) takes a number from 1 to 65000")
        }
        return number
    }
}
