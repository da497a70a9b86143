import DeviceProtocols
import Testing

/// Seven hours of a gateway with a thousand devices: the radio's counter wraps six times, duty cycles are reached.
@Suite struct DownlinkLongRunTests {
    @Test func aThousandDevicesForSevenHours() {
        var random = SeededRandom(seed: 1000)
        var settings = DownlinkBench.settings()
        settings.beacons = DownlinkSettings.BeaconTimes(airtime: 152_576)
        // Just below a wrap, so that the first is at once.
        let begin: UInt64 = (1 << 32) - 30_000_000
        var bench = DownlinkBench(settings, now: begin)
        bench.reference = RadioTimeReference(count: begin, gpsTime: 128_000_000 * 9_000_000 + 50_000_000)
        // Each has its data rate and is heard once in five minutes, all together more than three times a second.
        let factors = (0..<1000).map { _ in UInt8.random(in: 7...12, using: &random) }
        let end = begin + 7 * 3_600_000_000
        var requests: UInt64 = 0
        var largest = 0
        while bench.now < end {
            let pause = UInt64.random(in: 0...600_000, using: &random)
            bench.run(until: bench.now + pause) { UInt64.random(in: 0...3_000, using: &random) }
            let factor = factors[Int.random(in: factors.indices, using: &random)]
            // A server answers in the first window or the second, as GWMP does: by the low 32 bits of the uplink's time.
            let uplink = UInt32(truncatingIfNeeded: bench.now)
            bench.run(until: bench.now + UInt64.random(in: 5_000...300_000, using: &random))
            for (delay, factor, hertz) in [
                (1_000_000 as UInt32, factor, UInt32(868_100_000)), (2_000_000, 12, 869_525_000),
            ] {
                requests += 1
                let frame = DownlinkBench.frame(factor, bytes: Int.random(in: 12...40, using: &random), hertz: hertz)
                if bench.request(.counter(uplink &+ delay), id: requests, frame).acceptance != nil { break }
            }
            bench.poll()
            largest = max(largest, bench.queue.count)
        }
        bench.run(until: end + 10_000_000)

        let counters = bench.queue.counters
        #expect(bench.now >> 32 >= 6)
        #expect(counters.requested == requests)
        #expect(counters.requested == counters.accepted + counters.refused.values.reduce(0, +))
        #expect(counters.accepted == counters.emitted + counters.failed.values.reduce(0, +))
        #expect(counters.failed == [:])
        #expect(counters.emitted == UInt64(bench.sent.count) && bench.sent.count > 1_000, "\(bench.sent.count)")
        // Reached, and no time was ever taken for a wrong one.
        #expect((counters.refused[.dutyCycle] ?? 0) > 1_000)
        #expect(counters.refused[.tooLate] == nil && counters.refused[.tooEarly] == nil)
        // Nothing grows with the number of devices or with time.
        #expect(largest <= settings.limit)
        #expect(bench.queue.count == 0 && counters.refused.count <= DownlinkRefusal.allCases.count)
        check(bench.sent)
    }

    /// Never two at once, never over a band's share of any hour.
    private func check(_ sent: [DownlinkBench.Sent]) {
        for (first, second) in zip(sent, sent.dropFirst()) { #expect(first.end <= second.start) }
        #expect(sent.allSatisfy { (10_000...60_000).contains($0.notice) })
        for band in [2, 4] {
            let frames = sent.filter { Region.eu868.bandIndex(of: $0.frame.frequency) == band }
            let budget = band == 2 ? UInt64(36_000_000) : 360_000_000
            #expect(frames.count > 100)
            var oldest = 0
            var used: UInt64 = 0
            for frame in frames {
                used += frame.end - frame.start
                while frames[oldest].end + 3_600_000_000 <= frame.end {
                    used -= frames[oldest].end - frames[oldest].start
                    oldest += 1
                }
                // The oldest may reach out of the hour.
                let outside =
                    (frames[oldest].start + 3_600_000_000 < frame.end)
                    ? frame.end - 3_600_000_000 - frames[oldest].start : 0
                #expect(used - outside <= budget)
            }
        }
    }
}
