/// A set of sequence numbers that is almost "all up to here": a low-water mark, and ranges above it.
struct SequenceRanges: Sendable {
    /// Every number from 1 to this one is in the set.
    private(set) var lowWater: UInt64 = 0
    /// Above ``lowWater`` + 1, sorted, not touching each other.
    private(set) var ranges: [ClosedRange<UInt64>] = []
    /// How many numbers are in the set.
    private(set) var count: UInt64 = 0

    /// The largest number in the set; 0 when it is empty.
    var last: UInt64 { ranges.last?.upperBound ?? lowWater }

    func contains(_ number: UInt64) -> Bool { number <= lowWater || containsAll(number...number) }

    func containsAll(_ range: ClosedRange<UInt64>) -> Bool {
        if range.upperBound <= lowWater { return true }
        let lower = max(range.lowerBound, lowWater &+ 1)
        let index = indexOfFirst(endingAtOrAfter: lower)
        return index < ranges.count && ranges[index].contains(lower) && ranges[index].contains(range.upperBound)
    }

    /// How many numbers of the range are not in the set.
    func missing(in range: ClosedRange<UInt64>) -> UInt64 {
        let lower = max(range.lowerBound, lowWater &+ 1)
        guard lower <= range.upperBound else { return 0 }
        var missing = range.upperBound - lower + 1
        for present in ranges[indexOfFirst(endingAtOrAfter: lower)...] {
            guard present.lowerBound <= range.upperBound else { break }
            missing -= min(present.upperBound, range.upperBound) - max(present.lowerBound, lower) + 1
        }
        return missing
    }

    /// Adds a range of numbers from 1; returns how many were not in the set. Where that takes more than `limit` ranges
    /// it does nothing and returns nil.
    mutating func insert(_ range: ClosedRange<UInt64>, limit: Int = .max) -> UInt64? {
        let added = missing(in: range)
        guard added > 0 else { return 0 }
        var lower = max(range.lowerBound, lowWater + 1)
        var upper = range.upperBound
        // Ranges that overlap or touch become one with it.
        let start = indexOfFirst(endingAtOrAfter: lower - 1)
        var end = start
        while end < ranges.count, ranges[end].lowerBound <= upper || ranges[end].lowerBound - 1 == upper {
            lower = min(lower, ranges[end].lowerBound)
            upper = max(upper, ranges[end].upperBound)
            end += 1
        }
        if lower <= lowWater + 1 {
            lowWater = upper
            ranges.removeSubrange(start..<end)
        } else {
            guard end > start || ranges.count < limit else { return nil }
            ranges.replaceSubrange(start..<end, with: CollectionOfOne(lower...upper))
        }
        count += added
        return added
    }

    private func indexOfFirst(endingAtOrAfter number: UInt64) -> Int {
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].upperBound < number { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
