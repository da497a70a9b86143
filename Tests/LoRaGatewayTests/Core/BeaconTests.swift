import DeviceCore
import DeviceProtocols
import TestSupport
import Testing

@testable import LoRaGateway

@Suite struct BeaconTests {
    private let beacon = GatewayConfiguration.Beacon(
        frequency: RadioFrequency(hertz: 869_525_000), rate: LoRaDataRate(spreadingFactor: 9, bandwidth: 125),
        power: 14,
        information: 0)

    @Test func eachIsPlannedOnce() throws {
        var scheduler = BeaconScheduler(try #require(BeaconPlan(beacon, position: nil)))
        let planned = scheduler.next(now: 1_280_000_100, rfChain: 0)
        let first = try #require(planned)
        #expect(first.timing == .beacon(gpsMicroseconds: 1_408_001_500))
        #expect(first.frame.payload.count == 17 && first.frame.isImplicitHeader && !first.frame.invertsPolarity)
        // RFU, then the seconds, lowest byte first (LoRaWAN 1.0.3, section 15.2).
        #expect(Array(first.frame.payload.prefix(6)) == [0, 0, 0x80, 0x05, 0, 0])
        let again = scheduler.next(now: 1_290_000_000, rfChain: 0)
        #expect(again == nil)
        // Half a second before its time it is too late to begin.
        let late = scheduler.next(now: 1_535_500_000, rfChain: 0)
        #expect(late == nil)
        let next = scheduler.next(now: 1_536_000_000, rfChain: 0)
        #expect(next?.timing == .beacon(gpsMicroseconds: 1_664_001_500))
        var none = beacon
        none.rate.spreadingFactor = 11
        #expect(BeaconPlan(none, position: nil) == nil)
    }

    @Test func theRadioSendsThemAtItsGPSTime() async throws {
        // The radio's clock is at 1 s when GPS time is 8 s before a beacon's; the next would be 128 s later.
        let reference = RadioTimeReference(count: 1_000_000, gpsTime: 128_000_000 * 10 - 8_000_000)
        try await GatewayRig.run([], radio: TestRadio(reference: reference)) { rig in
            let beacon = beacon
            _ = try await rig.get { core in
                if let plan = BeaconPlan(beacon, position: nil) { core.send(plan) }
                return true
            }
            try await eventually("one waits or is on its way") {
                try await rig.get { $0.desk.queue.counters.requested } > 0
            }
            let first: UInt64 = 1_000_000 + 8_000_000 + 1_500
            // A machine so busy that the next one was planned instead, which is two minutes away, tells nothing.
            guard rig.radio.now() < first - 1_000_000 else { return }
            try await eventually("it is handed over, or was refused as too late on a busy machine") {
                let refused = try await rig.get {
                    $0.desk.queue.counters.refused.count + $0.desk.queue.counters.failed.count
                }
                return rig.radio.sent.count == 1 || refused > 0
            }
            // On a machine that was too busy for the first, a later one.
            if let sent = rig.radio.sent.first {
                let late = (sent.count ?? 0) &- first
                #expect(late % 128_000_000 == 0)
            }
        }
    }
}
