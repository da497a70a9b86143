import DeviceCore
import Testing

@Suite struct QuietPeriodDebouncerTests {
    static func ms(_ count: Int64) -> MonotonicTime { MonotonicTime(nanoseconds: count * 1_000_000) }

    @Test func reportsOnceTheLevelWasQuiet() {
        var debouncer = QuietPeriodDebouncer(period: .milliseconds(10), level: false)
        debouncer.edge(to: true, at: Self.ms(100))
        #expect(debouncer.deadline == Self.ms(110))
        #expect(debouncer.fire(at: Self.ms(109)) == nil)
        let change = debouncer.fire(at: Self.ms(112))
        #expect(change?.level == true)
        #expect(change?.time == Self.ms(110))
        #expect(debouncer.reported)
        #expect(debouncer.deadline == nil)
        #expect(debouncer.fire(at: Self.ms(200)) == nil)
    }

    @Test func bouncesStartThePeriodAgain() {
        var debouncer = QuietPeriodDebouncer(period: .milliseconds(10), level: false)
        for (time, level) in [(0, true), (3, false), (5, true), (9, false), (12, true)] {
            debouncer.edge(to: level, at: Self.ms(Int64(time)))
            #expect(debouncer.fire(at: Self.ms(Int64(time))) == nil)
        }
        #expect(debouncer.fire(at: Self.ms(21)) == nil)
        #expect(debouncer.fire(at: Self.ms(22))?.level == true)
    }

    @Test func aSpikeThatReturnsIsNothing() {
        var debouncer = QuietPeriodDebouncer(period: .milliseconds(10), level: true)
        debouncer.edge(to: false, at: Self.ms(0))
        debouncer.edge(to: true, at: Self.ms(4))
        #expect(debouncer.fire(at: Self.ms(30)) == nil)
        #expect(debouncer.deadline == nil)
    }

    @Test func aReleaseRightAfterAPressIsNotLost() {
        // What "ignore edges for a while after one" gets wrong: the release falls into the ignored time.
        var debouncer = QuietPeriodDebouncer(period: .milliseconds(10), level: false)
        debouncer.edge(to: true, at: Self.ms(0))
        #expect(debouncer.fire(at: Self.ms(10))?.level == true)
        debouncer.edge(to: false, at: Self.ms(11))
        #expect(debouncer.fire(at: Self.ms(21))?.level == false)
    }

    @Test func withoutAPeriodEveryEdgeCounts() {
        var debouncer = QuietPeriodDebouncer(period: .zero, level: false)
        debouncer.edge(to: true, at: Self.ms(1))
        #expect(debouncer.fire(at: Self.ms(1))?.level == true)
        debouncer.edge(to: false, at: Self.ms(1))
        #expect(debouncer.fire(at: Self.ms(1))?.level == false)
    }
}
