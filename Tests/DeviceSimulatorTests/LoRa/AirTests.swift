import DeviceCore
import DeviceProtocols
import Testing

@testable import DeviceSimulator

/// The virtual concentrator's ears, frame by frame.
@Suite struct AirTests {
    /// A frame as a test wants it, 100 dBm above what matters unless it says otherwise.
    private struct Sent {
        var start: UInt64
        var factor: UInt8 = 7
        var hertz: UInt32 = 868_100_000
        var strength = -80.0
    }

    private struct Heard: Equatable {
        var number: UInt8
        var crc: CRCStatus
    }

    private func frame(_ number: Int, _ sent: Sent) -> AirFrame {
        let modulation = LoRaModulation.lora(LoRaDataRate(spreadingFactor: sent.factor, bandwidth: 125))
        let payload = [UInt8](repeating: UInt8(number), count: 20)
        return AirFrame(
            number: UInt64(number), start: sent.start, frequency: RadioFrequency(hertz: sent.hertz),
            modulation: modulation, codingRate: .fourFifths, strength: sent.strength, payload: payload,
            duration: TimeOnAir.microseconds(bytes: 20, modulation: modulation))
    }

    /// Plays frames and the concentrator's own transmissions in their order.
    private func play(
        _ sent: [Sent], sending: [ClosedRange<UInt64>] = [], demodulators: Int = 16, plan: RadioPlan = RadioPlan(.eu868)
    ) -> (heard: [Heard], counters: VirtualAirCounters) {
        var receiver = VirtualReceiver(demodulators: demodulators, link: RadioLink())
        receiver.listen(plan, at: 0)
        var queue = EventQueue<(inout VirtualReceiver, inout SplitMix64) -> RadioUplink?>()
        for (number, one) in sent.enumerated() {
            let frame = frame(number, one)
            queue.add(
                { receiver, _ in
                    _ = receiver.begin(frame, isGhost: false); return nil
                }, at: frame.start)
            queue.add(
                { receiver, _ in
                    receiver.lock(frame.number); return nil
                }, at: frame.lock)
            queue.add({ receiver, random in receiver.end(frame.number, random: &random) }, at: frame.end)
        }
        for times in sending {
            queue.add(
                { receiver, _ in
                    receiver.fallSilent(.sending); return nil
                }, at: times.lowerBound)
            queue.add(
                { receiver, _ in
                    receiver.resume(at: times.upperBound); return nil
                }, at: times.upperBound)
        }
        var random = SplitMix64(seed: 1)
        var heard: [Heard] = []
        while let (_, event) = queue.popFirst(until: .max) {
            if let uplink = event(&receiver, &random) {
                heard.append(Heard(number: UInt8(majority(uplink.payload)), crc: uplink.crc))
            }
        }
        #expect(receiver.trackedCount == 0)
        return (heard, receiver.counters)
    }

    private func majority(_ payload: [UInt8]) -> UInt8 {
        Dictionary(grouping: payload) { $0 }.max { $0.value.count < $1.value.count }?.key ?? 0xFF
    }

    @Test func framesOfSeveralChannelsAndFactorsAtOnce() {
        let sent = [
            Sent(start: 0), Sent(start: 10, factor: 9), Sent(start: 20, factor: 12),
            Sent(start: 30, hertz: 868_300_000), Sent(start: 40, hertz: 867_900_000),
        ]
        let (heard, counters) = play(sent)
        #expect(Set(heard.map(\.number)) == [0, 1, 2, 3, 4])
        #expect(heard.allSatisfy { $0.crc == .ok })
        #expect(counters.sent == 5)
        #expect(counters.heard == 5)
    }

    @Test func equalFramesDestroyEachOther() {
        let (heard, counters) = play([Sent(start: 0), Sent(start: 500)])
        #expect(heard == [])
        #expect(counters.collided == 2)
    }

    @Test func theStrongerBySixDecibelsIsCaptured() {
        let (heard, counters) = play([Sent(start: 0, strength: -90), Sent(start: 500, strength: -83)])
        #expect(heard == [Heard(number: 1, crc: .ok)])
        #expect(counters.collided == 1)
        let (none, _) = play([Sent(start: 0, strength: -90), Sent(start: 500, strength: -85)])
        #expect(none == [])
    }

    @Test func aLateDisturberSpoilsTheChecksumOnly() {
        // After the header, which is over at 20.5 ms with SF7; the second frame's own preamble is disturbed.
        let (heard, counters) = play([Sent(start: 0), Sent(start: 40_000)])
        #expect(heard == [Heard(number: 0, crc: .bad)])
        #expect(counters.badCRC == 1)
        #expect(counters.collided == 1)
    }

    @Test func aDisturberBeforeThePreamblesLastSymbolsHarmsNobody() {
        let first = frame(0, Sent(start: 0))
        let (heard, _) = play([Sent(start: 0), Sent(start: first.end - 2000)])
        // The second one's first three symbols do without: 3.072 ms.
        #expect(heard.contains(Heard(number: 1, crc: .ok)))
    }

    @Test func otherSpreadingFactorsDisturbOnlyFromFarAbove() {
        let (heard, _) = play([Sent(start: 0, factor: 9, strength: -95), Sent(start: 0, factor: 7, strength: -82)])
        #expect(heard.count == 2)
        let (fewer, counters) = play([
            Sent(start: 0, factor: 9, strength: -110), Sent(start: 20_000, factor: 7, strength: -82),
        ])
        #expect(fewer == [Heard(number: 1, crc: .ok)])
        #expect(counters.collided == 1)
    }

    @Test func belowTheNoiseNothingIsHeard() {
        // Noise is -117 dBm in 125 kHz; SF7 needs -7.5 dB, SF12 -20 dB.
        let (heard, counters) = play([
            Sent(start: 0, strength: -126), Sent(start: 0, factor: 12, hertz: 868_300_000, strength: -132),
        ])
        #expect(heard == [Heard(number: 1, crc: .ok)])
        #expect(counters.tooWeak == 1)
    }

    @Test func demodulatorsAreLimited() {
        let sent = (0..<8).flatMap { channel in
            [UInt8(7), 8, 9].map { factor in
                Sent(start: UInt64(channel), factor: factor, hertz: RadioPlan(.eu868).channels[channel].frequency.hertz)
            }
        }
        let (heard, counters) = play(sent, demodulators: 16)
        #expect(heard.count == 16)
        #expect(counters.noDemodulator == 8)
    }

    @Test func deafWhileItSends() {
        let (heard, counters) = play(
            [
                Sent(start: 0), Sent(start: 100_000), Sent(start: 149_000, hertz: 868_300_000),
                Sent(start: 160_000, hertz: 868_500_000),
            ],
            sending: [110_000...150_000])
        // The third one's preamble is still long enough when the sender ends.
        #expect(heard == [0, 2, 3].map { Heard(number: $0, crc: .ok) })
        #expect(counters.whileSending == 1)
    }

    @Test func whatThePlanDoesNotHaveIsNotHeard() {
        let (heard, counters) = play([Sent(start: 0, hertz: 869_525_000), Sent(start: 0, hertz: 868_110_000)])
        #expect(heard == [Heard(number: 1, crc: .ok)])
        #expect(counters.notInPlan == 1)
        var secret = RadioPlan(.eu868)
        secret.isPublic = false
        #expect(play([Sent(start: 0)], plan: secret).counters.notInPlan == 1)
    }

    @Test func lossGrowsWithDistance() {
        let link = RadioLink()
        #expect(abs(link.loss(metres: 1000) - 128.95) < 1e-9)
        #expect(abs(link.loss(metres: 100) - 105.75) < 1e-9)
        #expect(abs(link.noise(bandwidth: 125_000) + 117.03) < 0.01)
    }
}
