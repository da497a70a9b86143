import Testing

@testable import Outbox

/// Sets of numbers against the obvious model.
@Suite struct SequenceTests {
    @Test func rangesEqualASet() {
        for _ in 0..<60 {
            var ranges = SequenceRanges()
            var model: Set<UInt64> = []
            for _ in 0..<80 {
                let first = UInt64.random(in: 1...100)
                let range = first...(first + UInt64.random(in: 0...6))
                let before = model.count
                let missing = UInt64(range.count { !model.contains($0) })
                #expect(ranges.missing(in: range) == missing)
                model.formUnion(range)
                #expect(ranges.insert(range) == UInt64(model.count - before))
                #expect(ranges.count == UInt64(model.count))
                #expect(ranges.last == model.max())
            }
            for number in UInt64(1)...110 { #expect(ranges.contains(number) == model.contains(number)) }
            let lowWater = (UInt64(1)...).first { !model.contains($0) }
            #expect(ranges.lowWater + 1 == lowWater)
            for _ in 0..<200 {
                let first = UInt64.random(in: 1...100)
                let range = first...(first + UInt64.random(in: 0...9))
                #expect(ranges.containsAll(range) == range.allSatisfy { model.contains($0) })
            }
            #expect(zip(ranges.ranges, ranges.ranges.dropFirst()).allSatisfy { $0.upperBound + 1 < $1.lowerBound })
        }
    }

    @Test func aLimitOnRangesRefusesOnlyNewOnes() {
        var ranges = SequenceRanges()
        for number in [UInt64(10), 20] { #expect(ranges.insert(number...number, limit: 2) == 1) }
        #expect(ranges.insert(40...40, limit: 2) == nil)
        #expect(ranges.count == 2)
        #expect(ranges.insert(11...11, limit: 2) == 1)
        #expect(ranges.insert(1...9, limit: 2) == 9)
        #expect(ranges.lowWater == 11)
        #expect(ranges.insert(40...40, limit: 2) == 1)
    }

    @Test func extremeNumbers() {
        var ranges = SequenceRanges()
        let last = RecordFormat.maximumSequence
        #expect(ranges.insert(last...last) == 1)
        #expect(ranges.insert(1...last) == last - 1)
        #expect(ranges.lowWater == last)
        var window = SequenceWindow(first: .max)
        #expect(window.contains(.max))
        #expect(window.contains(0))
        let changed = window.insert(.max - 1)
        #expect(changed)
        window = SequenceWindow(first: 0)
        let jumped = window.insert(.max)
        #expect(jumped)
        #expect(!window.contains(.max - 1))
    }

    /// Random walks with steps back and forth, small and larger than the window.
    @Test func windowEqualsASet() {
        for _ in 0..<20 {
            var at = UInt64.random(in: 5000...6000)
            var window = SequenceWindow(first: at)
            var model: Set<UInt64> = [at]
            for _ in 0..<2000 {
                let step = [3, 40, 1500].randomElement().map { Int64.random(in: -$0...$0) } ?? 0
                at = UInt64(max(1, Int64(at) + step + 1))
                let isKnown = model.contains(at) || window.isBelow(at)
                #expect(window.contains(at) == isKnown)
                #expect(window.insert(at) == !isKnown)
                model.insert(at)
            }
        }
    }
}
