import DeviceCore
import DeviceProtocols
import DeviceTransport
import TestSupport
import Testing

@testable import DeviceSimulator

/// The virtual concentrator as a program sees it: a radio on a clock.
@Suite struct VirtualConcentratorTests {
    private let clock = ManualClock()

    /// Devices with a session that send with SF7 from near by, as often as their windows let them: every 2.1 s.
    private func devices(_ count: Int = 1, deviceClass: LoRaWANDevice.Class = .a) -> [VirtualDeviceSettings] {
        let personalized = VirtualDeviceSettings.fleet(2 * count, interval: .seconds(1), radius: 100).filter {
            if case .personalized = $0.device.activation { true } else { false }
        }
        return personalized.enumerated().map { number, settings in
            var settings = settings
            settings.device.deviceClass = deviceClass
            settings.keepsDutyCycle = false
            settings.confirmedShare = 0
            settings.spreadingFactor = 7
            settings.begin = .milliseconds(100 * (number + 1))
            return settings
        }
    }

    private func quiet() -> VirtualConcentratorSettings {
        var settings = VirtualConcentratorSettings()
        settings.ghostsPerHour = 0
        return settings
    }

    private func make(
        _ devices: [VirtualDeviceSettings], _ settings: VirtualConcentratorSettings? = nil
    ) -> VirtualConcentrator {
        VirtualConcentrator(
            settings ?? quiet(), devices: devices, crypto: OpenSSLCrypto(), clock: DeviceClock(clock))
    }

    private let plan = RadioPlan(.eu868)

    /// A frame of the network for the first device, with the application's payload "hi".
    private func downlink(
        to settings: VirtualDeviceSettings, count: UInt64?, fCnt: UInt32 = 0, power: Int8 = 14,
        inverted: Bool = true
    ) throws -> RadioDownlink {
        guard case .personalized(let address, let keys) = settings.device.activation else {
            throw DeviceError(.invalidArgument, "the device has no session")
        }
        let data = LoRaWANData(.unconfirmedDown, devAddr: address, fCnt: 0, port: 5, payload: Array("hi".utf8))
        let sealed = try LoRaWANSecurity(OpenSSLCrypto()).seal(data, fCnt: fCnt, keys: keys)
        return RadioDownlink(
            count: count, frequency: Region.eu868.rx2Frequency,
            modulation: .lora(LoRaDataRate(spreadingFactor: 12, bandwidth: 125)), power: power,
            invertsPolarity: inverted, payload: sealed.bytes)
    }

    @Test func hearsOnARunningClock() async throws {
        let radio = VirtualConcentrator(quiet(), devices: devices(3), crypto: OpenSSLCrypto())
        try await radio.start(plan)
        var counts: [UInt64] = []
        for await uplink in radio.uplinks {
            #expect(uplink.crc == .ok)
            #expect(uplink.count <= radio.now())
            counts.append(uplink.count)
            if counts.count == 6 { break }
        }
        #expect(counts == counts.sorted())
        await radio.stop()
        #expect(radio.counters.received >= 6)
    }

    @Test func nothingHappensUntilTheClockIsMoved() async throws {
        let radio = make(devices())
        try await radio.start(plan)
        await clock.waitForSleepers()
        #expect(radio.counters.received == 0)
        async let first = radio.uplinks.first { _ in true }
        clock.advance(by: .seconds(1))
        let uplink = try #require(await first)
        #expect(uplink.crc == .ok)
        // Sent at 100 ms, and 25 bytes with SF7 take 61.696 ms.
        #expect(uplink.count == 100_000 + 61_696)
        #expect(uplink.receivedAt == .zero + .seconds(1))
        await radio.stop()
        #expect(clock.sleeperCount == 0)
    }

    @Test func aStopLosesFramesAndAStartBeginsTheClockAnew() async throws {
        var settings = quiet()
        settings.counterStart = (1 << 32) - 1_000_000
        let radio = make(devices(), settings)
        try await radio.start(plan)
        clock.advance(by: .seconds(10))
        #expect(radio.now() == settings.counterStart + 10_000_000)
        #expect(radio.transmitStatus(rfChain: 0) == .free)
        let before = radio.counters.received
        #expect((4...6).contains(before))
        await radio.stop()
        #expect(radio.transmitStatus(rfChain: 0) == .off)
        clock.advance(by: .seconds(10))
        #expect(radio.now() == settings.counterStart + 10_000_000)
        try await radio.start(plan)
        #expect(radio.counters.received == before)
        #expect(radio.airCounters.stopped >= 4)
        #expect(radio.now() == 0)
        clock.advance(by: .seconds(10))
        #expect(radio.now() == 10_000_000)
        #expect(radio.transmitStatus(rfChain: 0) == .free)
        #expect(radio.counters.received >= before + 4)
        #expect(radio.counters.starts == 2)
        await radio.stop()
    }

    @Test(arguments: [VirtualFault.deaf, .stoppedClock]) func aDeafRadioIsHealedByAStart(_ fault: VirtualFault)
        async throws
    {
        let radio = make(devices())
        try await radio.start(plan)
        clock.advance(by: .seconds(5))
        radio.inject(fault)
        let before = (radio.counters.received, radio.now())
        #expect(before.0 > 0)
        clock.advance(by: .seconds(60))
        #expect(radio.transmitStatus(rfChain: 0) == .free)
        #expect(radio.counters.received == before.0)
        #expect(radio.now() == (fault == .deaf ? before.1 + 60_000_000 : before.1))
        try await radio.start(plan)
        clock.advance(by: .seconds(5))
        #expect(radio.transmitStatus(rfChain: 0) == .free)
        #expect(radio.counters.received > before.0)
        #expect(radio.airCounters.deaf > 25)
        await radio.stop()
    }

    @Test func startsFailAsTold() async throws {
        let radio = make(devices())
        radio.inject(.failingStarts(2))
        for _ in 0..<2 {
            await #expect(throws: DeviceError.self) { try await radio.start(plan) }
        }
        try await radio.start(plan)
        #expect(radio.counters.faults == 2)
        #expect(radio.counters.starts == 1)
        await radio.stop()
    }

    @Test func aDeviceOfClassCHearsAtAnyTime() async throws {
        let devices = devices(deviceClass: .c)
        let radio = make(devices)
        try await radio.start(plan)
        clock.advance(by: .seconds(5))
        _ = radio.transmitStatus(rfChain: 0)
        let frame = try downlink(to: devices[0], count: radio.now() + 20_000)
        try radio.transmit(frame)
        #expect(radio.transmitStatus(rfChain: 0) == .scheduled)
        #expect(throws: DeviceError.self) {
            var other = frame
            other.rfChain = 1
            try radio.transmit(other)
        }
        clock.advance(by: .milliseconds(21))
        #expect(radio.transmitStatus(rfChain: 0) == .emitting)
        #expect(throws: DeviceError.self) { try radio.transmit(frame) }
        clock.advance(by: .seconds(3))
        #expect(radio.transmitStatus(rfChain: 0) == .free)
        #expect(radio.counters.transmitted == 1)
        #expect(radio.devices[0].downlinks == 1)
        #expect(radio.handOverTimes.least == 20_000)
        // Ever so near, a replayed frame is none.
        try radio.transmit(try downlink(to: devices[0], count: nil))
        clock.advance(by: .seconds(3))
        _ = radio.transmitStatus(rfChain: 0)
        #expect(radio.devices[0].downlinks == 1)
        #expect(radio.devices[0].wrongMIC == 1)
        // What is not inverted is for gateways, and what is too weak for nobody.
        try radio.transmit(try downlink(to: devices[0], count: nil, fCnt: 1, inverted: false))
        clock.advance(by: .seconds(3))
        try radio.transmit(try downlink(to: devices[0], count: nil, fCnt: 1, power: -128))
        clock.advance(by: .seconds(3))
        _ = radio.transmitStatus(rfChain: 0)
        #expect(radio.devices[0].downlinks == 1)
        #expect(radio.devices[0].tooWeak == 1)
        await radio.stop()
    }

    @Test func aFrameWhoseTimeHasPassedIsNeverSent() async throws {
        let devices = devices()
        let radio = make(devices)
        try await radio.start(plan)
        clock.advance(by: .seconds(1))
        try radio.transmit(try downlink(to: devices[0], count: 500_000))
        // The modem needs 1.5 ms.
        try radio.transmit(try downlink(to: devices[0], count: radio.now() + 1000))
        #expect(radio.transmitStatus(rfChain: 0) == .free)
        #expect(radio.counters.accepted == 2)
        #expect(radio.counters.failed == 2)
        #expect(radio.handOverTimes.least == 0)
        // A later frame takes the place of one that waits, as on the chip.
        try radio.transmit(try downlink(to: devices[0], count: radio.now() + 30_000))
        try radio.transmit(try downlink(to: devices[0], count: radio.now() + 40_000))
        #expect(radio.counters.failed == 3)
        radio.abortTransmit(rfChain: 0)
        #expect(radio.counters.failed == 4)
        clock.advance(by: .seconds(3))
        #expect(radio.transmitStatus(rfChain: 0) == .free)
        #expect(radio.counters.transmitted == 0)
        await radio.stop()
        #expect(throws: DeviceError.self) { try radio.transmit(try downlink(to: devices[0], count: nil)) }
    }

    @Test func aFrameThatIsCutOffReachesNobody() async throws {
        let devices = devices(deviceClass: .c)
        let radio = make(devices)
        try await radio.start(plan)
        clock.advance(by: .milliseconds(10))
        for isStopped in [false, true] {
            try radio.transmit(try downlink(to: devices[0], count: nil))
            clock.advance(by: .milliseconds(50))
            #expect(radio.transmitStatus(rfChain: 0) == .emitting)
            if isStopped {
                await radio.stop()
                try await radio.start(plan)
            } else {
                radio.abortTransmit(rfChain: 0)
            }
            #expect(radio.transmitStatus(rfChain: 0) == .free)
        }
        clock.advance(by: .seconds(20))
        _ = radio.transmitStatus(rfChain: 0)
        #expect(radio.devices[0].downlinks == 0)
        #expect(radio.counters.failed == 2)
        // And hears the next one.
        try radio.transmit(try downlink(to: devices[0], count: nil))
        clock.advance(by: .seconds(3))
        _ = radio.transmitStatus(rfChain: 0)
        #expect(radio.devices[0].downlinks == 1)
        await radio.stop()
    }

    @Test func ghostsComeAtTheirRate() async throws {
        var settings = quiet()
        settings.ghostsPerHour = 120
        let radio = make([], settings)
        try await radio.start(plan)
        clock.advance(by: .seconds(36_000))
        #expect(radio.transmitStatus(rfChain: 0) == .free)
        #expect((1000...1400).contains(radio.airCounters.ghosts))
        let frames = try #require(radio.uplinks.takeAll())
        #expect(!frames.isEmpty)
        #expect(frames.allSatisfy { $0.crc != .ok })
        #expect(frames.contains { $0.codingRate == .off })
        await radio.stop()
    }

    @Test func nobodyReadsAndNothingGrows() async throws {
        var settings = quiet()
        settings.uplinkLimit = 10
        let radio = make(devices(), settings)
        try await radio.start(plan)
        clock.advance(by: .seconds(100))
        #expect(radio.transmitStatus(rfChain: 0) == .free)
        #expect(radio.uplinks.count == 10)
        clock.advance(by: .seconds(5))
        #expect(radio.transmitStatus(rfChain: 0) == .free)
        #expect(radio.counters.lost > 0)
        await radio.stop()
    }

    @Test func anEmptyPlanIsRefused() async {
        let radio = make([])
        await #expect(throws: DeviceError.self) { try await radio.start(RadioPlan(rfChains: [], channels: [])) }
    }

    @Test func gpsTimeGoesWithTheCounter() async throws {
        var settings = quiet()
        // 2026-01-01 00:00:18 of GPS time is midnight UTC.
        settings.gpsTime = (1_767_225_600 - 315_964_800 + 18) * 1_000_000
        let radio = make(devices(), settings)
        try await radio.start(plan)
        clock.advance(by: .milliseconds(500))
        let reference = try #require(radio.timeReference)
        #expect(reference.count == 500_000)
        #expect(reference.gpsTime == (settings.gpsTime ?? 0) + 500_000)
        let uplink = try #require(radio.uplinks.takeAll()?.first)
        #expect(uplink.time?.description == "2026-01-01T00:00:00.161696Z")
        await radio.stop()
        #expect(radio.timeReference == nil)
    }
}
