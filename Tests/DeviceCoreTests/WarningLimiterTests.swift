import DeviceCore
import Testing

@Suite struct WarningLimiterTests {
    private func time(_ seconds: Int64) -> MonotonicTime { MonotonicTime(nanoseconds: seconds * 1_000_000_000) }

    @Test func oneOfAKindInTheIntervalAndTheRestCounted() {
        var limiter = WarningLimiter<String>(every: .seconds(60))
        #expect(limiter.admit("a", at: time(0)) == 0)
        #expect(limiter.admit("a", at: time(1)) == nil)
        #expect(limiter.admit("b", at: time(1)) == 0)
        #expect(limiter.admit("a", at: time(59)) == nil)
        #expect(limiter.admit("a", at: time(60)) == 2)
        #expect(limiter.admit("a", at: time(61)) == nil)
        #expect(limiter.admit("a", at: time(500)) == 1)
    }
}
