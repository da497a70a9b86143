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

    /// Where peers choose the kinds, their number has a limit; those without a place are counted with the next.
    @Test func kindsThatPeersChoose() {
        var limiter = WarningLimiter<Int>(every: .seconds(60), kinds: 3)
        for kind in 0..<3 { #expect(limiter.admit(kind, at: time(Int64(kind))) == 0) }
        #expect(limiter.admit(3, at: time(10)) == nil)
        #expect(limiter.admit(4, at: time(10)) == nil)
        #expect(limiter.admit(1, at: time(20)) == nil)
        #expect(limiter.admit(3, at: time(60)) == 2)
        // Nothing is lost of what was held back.
        #expect(limiter.admit(5, at: time(62)) == 1)
    }
}
