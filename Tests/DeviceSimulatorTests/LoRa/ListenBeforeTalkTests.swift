import DeviceCore
import DeviceProtocols
import DeviceTransport
import Testing

@testable import DeviceSimulator

/// The virtual concentrator listens before it talks.
@Suite struct ListenBeforeTalkTests {
    /// A device that sends with SF12 at 1 s, for more than a second, on a channel of its own.
    private func world(
        _ listening: ListenBeforeTalk?, distance: Double = 10, at hertz: UInt32 = 868_100_000
    ) throws -> LoRaWorld {
        var settings = VirtualConcentratorSettings()
        settings.ghostsPerHour = 0
        settings.link.shadowing = 0
        settings.link.fading = 0
        var devices = VirtualDeviceSettings.fleet(2, interval: .seconds(600), radius: 100).filter {
            if case .personalized = $0.device.activation { true } else { false }
        }
        for index in devices.indices {
            devices[index].begin = .seconds(1)
            devices[index].spreadingFactor = 12
            devices[index].distance = distance
            devices[index].channels = [RadioFrequency(hertz: hertz)]
            devices[index].keepsDutyCycle = false
        }
        var world = LoRaWorld(settings, devices: Array(devices.prefix(1)), crypto: OpenSSLCrypto())
        var plan = RadioPlan(.eu868)
        plan.listenBeforeTalk = listening
        try world.start(plan)
        return world
    }

    private func downlink(at count: UInt64, hertz: UInt32 = 868_100_000) -> RadioDownlink {
        RadioDownlink(
            count: count, frequency: RadioFrequency(hertz: hertz),
            modulation: .lora(LoRaDataRate(spreadingFactor: 7, bandwidth: 125)), power: 14, payload: [1, 2, 3, 4])
    }

    /// What becomes of a frame that is to be sent then.
    private func sends(_ world: LoRaWorld, _ downlink: RadioDownlink) throws -> Bool {
        var world = world
        let start = try #require(downlink.count)
        world.advance(to: start - 20_000)
        try world.transmit(downlink)
        #expect(world.transmitStatus(rfChain: 0) == .scheduled)
        world.advance(to: start + 5_000)
        let status = world.transmitStatus(rfChain: 0)
        world.advance(to: start + 5_000_000)
        let isSent = status == .emitting
        #expect(isSent || status == .channelBusy)
        #expect(world.counters.transmitted == (isSent ? 1 : 0))
        #expect(world.counters.channelBusy == (isSent ? 0 : 1) && world.counters.failed == (isSent ? 0 : 1))
        // The chain takes the next frame in any case.
        try world.transmit(self.downlink(at: start + 6_000_000, hertz: downlink.frequency.hertz))
        world.advance(to: start + 6_005_000)
        #expect(world.transmitStatus(rfChain: 0) == .emitting)
        world.advance(to: start + 9_000_000)
        #expect(world.load.frames <= 1, "no more is remembered than the last one")
        return isSent
    }

    @Test func aStrongFrameOnTheChannelKeepsItFromSending() throws {
        let listening = ListenBeforeTalk(rssiTarget: -80)
        #expect(try !sends(world(listening), downlink(at: 1_500_000)))
        // Before and after the frame, on another channel, from far away, and without listening.
        #expect(try sends(world(listening), downlink(at: 900_000)))
        #expect(try sends(world(listening), downlink(at: 3_500_000)))
        #expect(try sends(world(listening), downlink(at: 1_500_000, hertz: 868_500_000)))
        #expect(try sends(world(listening, distance: 3_000), downlink(at: 1_500_000)))
        #expect(try sends(world(nil), downlink(at: 1_500_000)))
    }

    /// The offset of the listening chip, and channels beside that overlap.
    @Test func strengthAndBandwidthCount() throws {
        let channel = ListenBeforeTalk.Channel(
            frequency: RadioFrequency(hertz: 868_200_000), bandwidth: 250, scanTime: 128)
        let wide = ListenBeforeTalk(rssiTarget: -80, channels: [channel])
        #expect(try !sends(world(wide), downlink(at: 1_500_000, hertz: 868_200_000)))
        let narrow = ListenBeforeTalk(
            rssiTarget: -80,
            channels: [.init(frequency: RadioFrequency(hertz: 868_300_000), scanTime: 128)])
        #expect(try sends(world(narrow), downlink(at: 1_500_000, hertz: 868_300_000)))
        let deafer = ListenBeforeTalk(rssiTarget: -80, rssiOffset: -60)
        #expect(try sends(world(deafer), downlink(at: 1_500_000)))
    }

    /// It listens for so long before the start: a frame that has just ended counts.
    @Test func theScanTimeCounts() throws {
        var probe = try world(nil)
        probe.advance(to: 4_000_000)
        let end = try #require(probe.takeUplinks().first?.count)
        for (scan, after, isSent) in [(UInt16(5000), UInt64(3_000), false), (5000, 6_000, true), (128, 3_000, true)] {
            let listening = ListenBeforeTalk(rssiTarget: -80, scanTime: scan)
            #expect(try sends(world(listening), downlink(at: end + after)) == isSent, "\(scan) \(after)")
        }
    }

    @Test func aFrameThatIsNotAmongTheChannelsIsRefused() throws {
        let channel = ListenBeforeTalk.Channel(
            frequency: RadioFrequency(hertz: 868_100_000), scanTime: 128, longestFrame: 20_000)
        var world = try world(ListenBeforeTalk(rssiTarget: -80, channels: [channel]))
        #expect(throws: DeviceError.self) { try world.transmit(downlink(at: 500_000, hertz: 868_300_000)) }
        #expect(throws: DeviceError.self) { try world.transmit(downlink(at: 500_000)) }
        #expect(world.counters.refused == 2)
    }
}
