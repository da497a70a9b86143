import DeviceProtocols

/// Makes scripts of scripts: lines moved, dropped and doubled, words replaced, pieces of another script put in, bytes
/// changed. The same seed gives the same sequence.
struct ScriptMutator {
    private let corpus: [[UInt8]]
    private var generator: SplitMix64

    private static let words = [
        "nil", "true", "false", "0", "-1", "1", "3.7", "1e300", "0/0", "1 << 62", "math.mininteger", "''", "'x'",
        "('x'):rep(1000)", "{}", "function() end", "_ENV", "_G", "app", "print", "error", "pcall",
        "coroutine.yield(true)",
        "ba.sleep(1)", "collectgarbage()", "setmetatable", "while true do end", "do local x <close> = t end", "..", "#",
        "ba.timer(print)", "ba.bytearray.create(8)", "ba.json.null", "ba.socket.udpcon(0)", "coroutine.wrap(f)()",
        "esp32.gpio(4, 'OUT')", "string.format('%d', x)", "s:find('a-b*(c)')", "table.concat(t)", "goto x", "::x::",
        "return", "end", "local", "self", "...", "t[1]", "t.x = t", "xedge.event('wip', f)", "ba.thread.run(f)",
    ]

    init(corpus: [[UInt8]], seed: UInt64) {
        self.corpus = corpus
        generator = SplitMix64(seed: seed)
    }

    /// A number below a limit.
    mutating func random(_ limit: Int) -> Int { limit <= 1 ? 0 : Int.random(in: 0..<limit, using: &generator) }

    /// One of its own scripts every other time: most of a foreign corpus uses what this host does not have.
    private mutating func script() -> [UInt8] {
        guard !corpus.isEmpty else { return [] }
        let limit = random(2) == 0 ? min(corpus.count, Seeds.scripts.count) : corpus.count
        return corpus[random(limit)]  // safe: below count
    }

    /// The next script.
    mutating func next() -> String {
        var lines = script().split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map { Array($0) }
        for _ in 0..<(1 + random(6)) where !lines.isEmpty { mutate(&lines) }
        return String(decoding: Array(lines.joined(separator: [UInt8(ascii: "\n")])), as: UTF8.self)
    }

    private mutating func mutate(_ lines: inout [[UInt8]]) {
        let index = random(lines.count)
        switch random(9) {
        case 0: lines.remove(at: index)
        case 1: lines.insert(lines[index], at: random(lines.count + 1))  // safe: below count
        case 2: lines.swapAt(index, random(lines.count))
        case 3:
            let other = script().split(separator: UInt8(ascii: "\n")).map { Array($0) }
            guard !other.isEmpty else { return }
            let start = random(other.count)
            // safe: in order
            lines.insert(contentsOf: other[start..<min(other.count, start + 1 + random(8))], at: index)
        case 4: lines.insert(Array(Self.words[random(Self.words.count)].utf8), at: index)  // safe: below count
        case 5...7: lines[index] = replaceWord(lines[index])  // safe: below count
        default:
            guard !lines[index].isEmpty else { return }
            let at = random(lines[index].count)
            lines[index][at] = UInt8(truncatingIfNeeded: random(256))  // safe: both below their counts
        }
    }

    private mutating func replaceWord(_ line: [UInt8]) -> [UInt8] {
        var ranges: [Range<Int>] = []
        var start: Int?
        for (index, byte) in (line + [0]).enumerated() {
            let isWord =
                byte == UInt8(ascii: "_") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
            if isWord, start == nil { start = index }
            if !isWord, let first = start {
                ranges.append(first..<index)
                start = nil
            }
        }
        guard !ranges.isEmpty else { return line }
        let range = ranges[random(ranges.count)]  // safe: below count
        return Array(line[..<range.lowerBound]) + Array(Self.words[random(Self.words.count)].utf8)
            + Array(line[range.upperBound...])  // safe: the range lies in the line
    }
}
