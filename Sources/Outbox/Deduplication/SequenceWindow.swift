/// What was seen of one run of numbers: the lowest and the highest, and a bit for each of the 1024 up to the highest.
struct SequenceWindow: Sendable, Hashable {
    /// Numbers that the window tells apart.
    static let size = 1024
    private static let words = size / 64

    private(set) var lowest: UInt64
    private(set) var highest: UInt64
    /// Bit `number % 1024` says whether `number`, one of the last 1024, was seen.
    private(set) var bits: [UInt64]

    init(first number: UInt64) {
        lowest = number
        highest = number
        bits = [UInt64](repeating: 0, count: Self.words)
        set(number)
    }

    /// A window as it was stored; nil when the count of words is wrong.
    init?(lowest: UInt64, highest: UInt64, bits: [UInt64]) {
        guard bits.count == Self.words, lowest <= highest else { return nil }
        self.lowest = lowest
        self.highest = highest
        self.bits = bits
    }

    /// Whether a number belongs to this run: it lies within, or less than a window away from its end.
    func reaches(_ number: UInt64) -> Bool {
        if number > highest { return number - highest < UInt64(Self.size) }
        return number >= lowest || !isBelow(number)
    }

    /// Whether a number is too old to be told apart.
    func isBelow(_ number: UInt64) -> Bool { number < highest && highest - number >= UInt64(Self.size) }

    /// Whether a number was seen or is below the window.
    func contains(_ number: UInt64) -> Bool {
        if number > highest { return false }
        if isBelow(number) { return true }
        return bits[Self.word(number)] & Self.bit(number) != 0
    }

    /// Notes a number; returns whether that changed anything.
    mutating func insert(_ number: UInt64) -> Bool {
        if contains(number) { return false }
        if number > highest {
            if number - highest >= UInt64(Self.size) {
                for index in bits.indices { bits[index] = 0 }
            } else {
                var skipped = highest + 1
                while skipped < number {
                    bits[Self.word(skipped)] &= ~Self.bit(skipped)
                    skipped += 1
                }
            }
            highest = number
        }
        lowest = min(lowest, number)
        set(number)
        return true
    }

    private mutating func set(_ number: UInt64) { bits[Self.word(number)] |= Self.bit(number) }
    private static func word(_ number: UInt64) -> Int { Int(number % UInt64(size)) / 64 }
    private static func bit(_ number: UInt64) -> UInt64 { 1 << (number % 64) }
}
