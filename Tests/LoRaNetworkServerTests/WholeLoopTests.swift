import DeviceCore
import DeviceProtocols
import DeviceSimulator
import Testing

@testable import LoRaNetworkServer

/// Devices, air, concentrator and network in virtual time.
@Suite struct WholeLoopTests {
    /// So near that nothing is weak.
    private func near(_ count: Int, interval: Duration = .seconds(30)) -> [VirtualDeviceSettings] {
        VirtualDeviceSettings.fleet(count, seed: 5, interval: interval, radius: 300)
    }

    @Test func tenDevicesJoinAndAreAnswered() throws {
        var gateway = try PerfectGateway(near(10))
        try gateway.run(.seconds(3600))
        let devices = gateway.world.devices
        #expect(devices.allSatisfy { $0.isJoined })
        #expect(devices.filter { $0.joinRequests > 0 }.count == 5)
        // Each of them has heard from its network in both windows, and its own payload.
        #expect(devices.allSatisfy { $0.downlinksRX1 > 0 && $0.downlinksRX2 > 0 && $0.echoes > 0 })
        #expect(devices.allSatisfy { $0.wrongMIC == 0 })
        let classC = devices.filter { $0.deviceClass == .c }
        #expect(classC.count == 2)
        #expect(classC.allSatisfy { $0.downlinksClassC > 10 })
        #expect(devices.filter { $0.deviceClass == .a }.allSatisfy { $0.downlinksClassC == 0 })
        #expect(devices.map(\.acknowledgements).reduce(0, +) > 0)
        // What did not arrive is known: most of it came while the concentrator sent, which takes 1.5 s with SF12.
        let counters = gateway.server.counters
        let sent = devices.map(\.uplinks).reduce(0, +)
        let air = gateway.world.airCounters
        let lost = air.collided + air.tooWeak + air.noDemodulator + air.whileSending + air.notInPlan + air.stopped
        #expect(air.sent == air.heard + air.badCRC + lost)
        #expect(counters.data > sent * 3 / 4)
        #expect(counters.data + lost + air.badCRC >= sent)
        #expect(counters.wrongMIC == 0)
    }

    @Test func theSameSeedGivesTheSameWorld() throws {
        var results: [[VirtualDeviceState]] = []
        for _ in 0..<2 {
            var gateway = try PerfectGateway(near(10))
            try gateway.run(.seconds(600))
            results.append(gateway.world.devices)
        }
        #expect(results[0] == results[1])
        var settings = VirtualConcentratorSettings()
        settings.seed = 2
        var other = try PerfectGateway(near(10), settings: settings)
        try other.run(.seconds(600))
        #expect(other.world.devices != results[0])
    }

    @Test func everyRegionsDevicesJoin() throws {
        for region in Region.all {
            var devices = VirtualDeviceSettings.fleet(4, seed: 2, region: region, radius: 300)
            for index in devices.indices { devices[index].confirmedShare = 1 }
            var gateway = try PerfectGateway(devices)
            try gateway.run(.seconds(600))
            let states = gateway.world.devices
            #expect(states.allSatisfy { $0.isJoined }, "\(region)")
            #expect(states.allSatisfy { $0.acknowledgements > 0 }, "\(region)")
            #expect(states.allSatisfy { $0.downlinksRX1 > 0 && $0.downlinksRX2 > 0 }, "\(region)")
        }
    }

    @Test func theCounterGoesRoundWithoutAGap() throws {
        var settings = VirtualConcentratorSettings()
        settings.counterStart = (1 << 32) - 60_000_000
        var gateway = try PerfectGateway(near(10), settings: settings)
        try gateway.run(.seconds(600))
        #expect(gateway.counts.contains { $0 < 1 << 32 } && gateway.counts.contains { $0 > 1 << 32 })
        #expect(zip(gateway.counts, gateway.counts.dropFirst()).allSatisfy { $0 <= $1 })
        let air = gateway.world.counters
        #expect(air.failed == 0)
        #expect(gateway.world.devices.allSatisfy { $0.downlinks > 0 })
        #expect(gateway.world.handOver.least ?? 0 >= 29_000)
        #expect(gateway.world.handOver.greatest ?? 0 <= 31_000)
    }

    /// Five hours of a thousand devices, in which the counter goes round four times.
    @Test func aThousandDevicesForHours() throws {
        let devices = VirtualDeviceSettings.fleet(1000, seed: 9, interval: .seconds(900), radius: 3000)
        var settings = VirtualConcentratorSettings()
        settings.counterStart = (1 << 32) - 1_000_000
        var gateway = try PerfectGateway(devices, settings: settings) { $0.echoEvery = 10 }
        var greatest = (events: 0, frames: 0)
        for _ in 0..<60 {
            try gateway.run(.seconds(300))
            greatest.events = max(greatest.events, gateway.world.load.events)
            greatest.frames = max(greatest.frames, gateway.world.load.frames)
        }
        #expect(gateway.world.counter >> 32 == 5)
        let states = gateway.world.devices
        #expect(states.filter { $0.isJoined }.count > 900)
        #expect(states.map(\.uplinks).reduce(0, +) > 15_000)
        // One event for each device, two for each frame on the air, and no more after hours than at first.
        #expect(greatest.events < 5000)
        #expect(greatest.frames < 500)
    }
}
