import DeviceCore
import Testing

@testable import LoRaGateway

@Suite struct CounterExtensionTests {
    private func time(_ microseconds: Int64) -> MonotonicTime { MonotonicTime(nanoseconds: microseconds * 1000) }

    @Test func itGoesOnThroughManyWraps() {
        var counter = CounterExtension()
        var real: UInt64 = 0xFFFF_F000
        var now: Int64 = 0
        #expect(counter.extend(UInt32(truncatingIfNeeded: real), at: time(now)) == real)
        for _ in 0..<50 {
            // Twenty minutes at a time, with a host's clock that is 20 ppm off.
            real += 1_200_000_000
            now += 1_200_024_000
            #expect(counter.extend(UInt32(truncatingIfNeeded: real), at: time(now)) == real)
        }
        #expect(counter.restarts == 0)
        // A frame that comes late is older, not 71 minutes newer.
        #expect(counter.extend(UInt32(truncatingIfNeeded: real - 300_000), at: time(now)) == real - 300_000)
        #expect(counter.guess(at: time(now + 5)).map { $0 >= real - 300_000 } == true)
    }

    @Test func aRestartGoesOnUpwards() {
        var counter = CounterExtension()
        let before = counter.extend(3_000_000_000, at: time(0))
        let after = counter.extend(1_000, at: time(1_000_000))
        #expect(after > before && UInt32(truncatingIfNeeded: after) == 1_000)
        #expect(counter.restarts == 1)
        #expect(counter.extend(2_001_000, at: time(3_000_000)) == after + 2_000_000)
    }
}
