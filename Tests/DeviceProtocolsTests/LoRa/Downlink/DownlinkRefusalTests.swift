import DeviceProtocols
import Testing

/// Every refusal, at the border where it begins.
@Suite struct DownlinkRefusalTests {
    private typealias Bench = DownlinkBench

    private func bench(_ change: (inout DownlinkSettings) -> Void = { _ in }, region: Region? = .eu868) -> Bench {
        var settings = Bench.settings(region)
        change(&settings)
        return Bench(settings)
    }

    @Test func tooLate() {
        var bench = bench()
        for count in [0, 1, bench.now - 1, bench.now, bench.now + 12_499] {
            #expect(bench.request(.count(count)).refusal == .tooLate, "\(count)")
        }
        #expect(bench.request(.count(bench.now + 12_500)).acceptance?.count == bench.now + 12_500)
    }

    /// Semtech's forwarder says TOO_EARLY to a time that is past.
    @Test func aCounterThatIsPastIsTooLate() {
        for wraps: UInt64 in [0, 1, 2, 1000] {
            for offset: UInt64 in [0, 1, 5_000_000, 1 << 31, (1 << 32) - 1, (1 << 32) - 20_000] {
                var bench = bench()
                bench.now = wraps << 32 + offset
                let low = UInt32(truncatingIfNeeded: bench.now)
                for back: UInt32 in [1, 1000, 40_000, 60_000_000, 1 << 30, 1 << 31] {
                    #expect(bench.request(.counter(low &- back)).refusal == .tooLate, "\(bench.now) \(back)")
                }
                #expect(bench.request(.counter(low)).refusal == .tooLate)
                #expect(bench.request(.counter(low &+ 12_499)).refusal == .tooLate)
                #expect(bench.request(.counter(low &+ 12_500)).acceptance?.count == bench.now + 12_500)
                #expect(bench.request(.counter(low &+ 512_000_000)).acceptance?.count == bench.now + 512_000_000)
                #expect(bench.request(.counter(low &+ 512_000_001)).refusal == .tooEarly)
                #expect(bench.request(.counter(low &+ 0x7FFF_FFFF)).refusal == .tooEarly)
            }
        }
    }

    @Test func tooEarly() {
        var bench = bench()
        #expect(bench.request(.count(bench.now + 512_000_001)).refusal == .tooEarly)
        #expect(bench.request(.count(.max)).refusal == .tooEarly)
        #expect(bench.request(.count(bench.now + 512_000_000)).acceptance != nil)
    }

    @Test func collisionsWithFramesThatWait() throws {
        var bench = bench()
        let first = try #require(bench.request(.count(bench.now + 1_000_000), id: 1).acceptance)
        let start = first.count
        let end = start + first.airtime
        // The same again: a server that sends twice.
        #expect(bench.request(.count(start), id: 2).refusal == .collisionPacket)
        #expect(bench.request(.count(end + 19_999), id: 3).refusal == .collisionPacket)
        #expect(bench.request(.count(start - first.airtime - 19_999), id: 4).refusal == .collisionPacket)
        #expect(bench.request(.count(end + 20_000), id: 5).acceptance != nil)
        #expect(bench.request(.count(start - first.airtime - 20_000), id: 6).acceptance != nil)
        // Between the two there is no room.
        #expect(bench.request(.count(start + 5_000), id: 7).refusal == .collisionPacket)
        // Another chain is another sender.
        #expect(bench.request(.count(start), id: 8, Bench.frame(chain: 2)).acceptance != nil)
    }

    @Test func collisionsWithTheFrameOnTheAir() throws {
        var bench = bench()
        let frame = Bench.frame(12, bytes: 17)
        let first = try #require(bench.request(.count(bench.now + 100_000), frame).acceptance)
        bench.run(until: first.count + 10_000)
        #expect(bench.status(0) == .emitting)
        #expect(bench.request(.count(bench.now + 20_000), id: 2).refusal == .collisionPacket)
        #expect(bench.request(.count(first.count + first.airtime + 19_999), id: 3).refusal == .collisionPacket)
        #expect(bench.request(.count(first.count + first.airtime + 20_000), id: 4).acceptance != nil)
    }

    @Test func queueFull() {
        var bench = bench { $0.trustsServer = true }
        for number in 0..<UInt64(32) {
            let outcome = bench.request(.count(bench.now + 1_000_000 + number * 1_000_000), id: number)
            #expect(outcome.acceptance != nil)
        }
        let outcome = bench.request(.count(bench.now + 100_000_000), id: 99)
        #expect(outcome.refusal == .queueFull)
        #expect(outcome.txpkAck == GWMPTxpkAck(error: .collisionPacket))
        #expect(bench.request(.immediately, id: 100).refusal == .queueFull)
        #expect(bench.request(.count(bench.now + 1_000_000), Bench.frame(chain: 2)).acceptance != nil)
    }

    @Test func chains() {
        var bench = bench()
        // A chain that never sends, one that is off, and numbers from outside.
        for chain: UInt8 in [1, 3, 200, 255] {
            #expect(bench.request(.immediately, Bench.frame(chain: chain)).refusal == .txChain)
        }
        var settings = Bench.settings()
        settings.plan.rfChains[0].isEnabled = false
        var off = Bench(settings)
        #expect(off.request(.immediately).refusal == .txChain)
    }

    @Test func frequencies() {
        var bench = bench {
            $0.plan.rfChains[0].transmitRange = .init(hertz: 868_000_000)...(.init(hertz: 869_600_000))
        }
        // Outside of the radio's range, at its borders, and in a gap between the law's bands.
        for hertz: UInt32 in [0, 867_999_999, 869_600_001, 868_650_000, .max] {
            #expect(bench.request(.immediately, Bench.frame(hertz: hertz)).refusal == .txFrequency, "\(hertz)")
        }
        #expect(bench.request(.immediately, Bench.frame(hertz: 868_000_000)).acceptance != nil)
        #expect(bench.request(.immediately, Bench.frame(hertz: 869_600_000)).acceptance != nil)
        // A trusted server may use the gap; the radio's range stays.
        var trusting = self.bench { $0.trustsServer = true }
        #expect(trusting.request(.immediately, Bench.frame(hertz: 868_650_000)).acceptance != nil)
        #expect(trusting.request(.immediately, Bench.frame(hertz: 859_000_000)).refusal == .txFrequency)
    }

    @Test func modulationsAndLengths() {
        var bench = bench()
        for (factor, bandwidth): (UInt8, UInt16) in [(4, 125), (13, 125), (0, 125), (7, 0), (7, 62), (7, 1625)] {
            #expect(bench.request(.immediately, Bench.frame(factor, bandwidth)).refusal == .unsupported)
        }
        #expect(bench.request(.immediately, Bench.frame(bytes: 256)).refusal == .unsupported)
        var off = Bench.frame()
        off.codingRate = .off
        #expect(bench.request(.immediately, off).refusal == .unsupported)
        var fsk = Bench.frame()
        for bitRate: UInt32 in [0, 499, 250_001, .max] {
            fsk.modulation = .fsk(bitRate: bitRate)
            #expect(bench.request(.immediately, fsk).refusal == .unsupported)
        }
        fsk.modulation = .fsk(bitRate: 50_000)
        for deviation: UInt32 in [0, 999, 255_001, .max] {
            fsk.frequencyDeviation = deviation
            #expect(bench.request(.immediately, fsk).refusal == .unsupported)
        }
        fsk.frequencyDeviation = 25_000
        #expect(bench.request(.immediately, fsk).acceptance != nil)
    }

    @Test func preamblesAreAsLongAsTheModemNeeds() throws {
        var bench = bench()
        var frame = Bench.frame()
        frame.preamble = 0
        let short = try #require(bench.request(.immediately, frame).acceptance)
        frame.preamble = 6
        #expect(short.airtime == TimeOnAir.microseconds(of: frame))
    }

    @Test func dwellTime() {
        // SF10, 33 bytes: 452.6 ms.
        let long = Bench.frame(10, bytes: 33, hertz: 923_300_000)
        let short = Bench.frame(10, bytes: 17, hertz: 923_300_000)
        for region in [Region.as923(1), .us915] {
            var bench = bench(region: region)
            #expect(bench.request(.immediately, long).refusal == .dwellTime, "\(region)")
            #expect(bench.request(.immediately, short).acceptance != nil)
            var trusting = self.bench({ $0.trustsServer = true }, region: region)
            #expect(trusting.request(.immediately, long).acceptance != nil)
        }
        // What some countries do without can be switched off, what all have cannot.
        var relaxed = bench({ $0.keepsOptionalDwell = false }, region: .as923(2))
        #expect(relaxed.request(.immediately, long).acceptance != nil)
        var strict = bench({ $0.keepsOptionalDwell = false }, region: .us915)
        #expect(strict.request(.immediately, long).refusal == .dwellTime)
        // In the US it is for 125 kHz.
        #expect(strict.request(.immediately, Bench.frame(12, 500, bytes: 61, hertz: 923_300_000)).acceptance != nil)
        var korea = bench(region: .kr920)
        #expect(korea.request(.immediately, Bench.frame(12, bytes: 255, hertz: 922_100_000)).refusal == .dwellTime)
        #expect(korea.request(.immediately, Bench.frame(12, bytes: 59, hertz: 922_100_000)).acceptance != nil)
    }

    @Test func aHostilePreambleIsNotSent() {
        var bench = bench({ $0.trustsServer = true }, region: nil)
        var frame = Bench.frame(12)
        frame.preamble = .max
        #expect(bench.request(.immediately, frame).refusal == .dwellTime)
    }

    @Test func gpsUnlocked() {
        var bench = bench()
        #expect(bench.request(.gps(microseconds: 1_000_000_000)).refusal == .gpsUnlocked)
        #expect(bench.request(.beacon(gpsMicroseconds: 1_000_000_000)).refusal == .gpsUnlocked)
        bench.reference = RadioTimeReference(count: bench.now, gpsTime: 1_000_000_000)
        #expect(bench.request(.gps(microseconds: 1_001_000_000)).acceptance?.count == bench.now + 1_000_000)
        // Before the radio's clock began, and beyond its end.
        #expect(bench.request(.gps(microseconds: 0)).refusal == .tooLate)
        #expect(bench.request(.gps(microseconds: .max)).refusal == .tooEarly)
    }

    @Test func everyRefusalHasAWordAndASentence() {
        let words: [DownlinkRefusal: String] = [
            .tooLate: "TOO_LATE", .tooEarly: "TOO_EARLY", .collisionPacket: "COLLISION_PACKET",
            .collisionBeacon: "COLLISION_BEACON", .queueFull: "COLLISION_PACKET", .txChain: "TX_FREQ",
            .txFrequency: "TX_FREQ", .gpsUnlocked: "GPS_UNLOCKED", .dutyCycle: "DUTY_CYCLE_OVERFLOW",
            .dwellTime: "UNKNOWN", .unsupported: "UNKNOWN",
        ]
        for refusal in DownlinkRefusal.allCases {
            #expect(refusal.reason.description == words[refusal])
            #expect(!refusal.description.isEmpty)
        }
    }

    @Test func refusalsAreCounted() {
        var bench = bench()
        bench.request(.count(0))
        bench.request(.count(0))
        bench.request(.immediately, Bench.frame(chain: 200))
        bench.request(.immediately)
        #expect(bench.queue.counters.requested == 4)
        #expect(bench.queue.counters.accepted == 1)
        #expect(bench.queue.counters.refused == [.tooLate: 2, .txChain: 1])
    }
}
