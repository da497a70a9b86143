import DeviceProtocols
import Testing

/// Every cell of the regional table, written here a second time, as rules where the regions' own tables are numbers.
@Suite struct RegionTests {
    private static func mhz(_ number: Double) -> RadioFrequency { RadioFrequency(megahertz: number) ?? .init(hertz: 0) }

    private static func lora(_ factor: UInt8, _ bandwidth: UInt16) -> LoRaModulation {
        .lora(LoRaDataRate(spreadingFactor: factor, bandwidth: bandwidth))
    }

    @Test func namesAndAliases() {
        #expect(
            Region.all.map(\.name) == [
                "EU868", "US915", "AU915", "AS923-1", "AS923-2", "AS923-3", "AS923-4", "IN865", "KR920",
            ])
        for region in Region.all {
            #expect(Region(named: region.name.lowercased()) == region)
            for alias in region.aliases { #expect(Region(named: alias) == region) }
        }
        #expect(Region(named: "EU863") == .eu868 && Region(named: "US902") == .us915)
        #expect(Region(named: "AS923") == .as923(1) && Region(named: "AS923JP") == .as923(1))
        #expect(Region(named: "XX999") == nil && Region(named: "") == nil)
    }

    @Test(arguments: [
        ("EU868", 863.0, 870.0), ("US915", 902, 928), ("AU915", 915, 928), ("AS923-1", 915, 928), ("AS923-2", 915, 928),
        ("AS923-3", 915, 928), ("AS923-4", 915, 928), ("IN865", 865, 867), ("KR920", 920.9, 923.3),
    ])
    func ranges(_ name: String, _ low: Double, _ high: Double) throws {
        let region = try #require(Region(named: name))
        #expect(region.frequencies == Self.mhz(low)...Self.mhz(high))
        // Everything that the region names lies within.
        let named =
            region.uplinkChannels.map(\.frequency) + region.downlinkChannels + region.gatewayChannels
            + region.beacon.frequencies + [region.rx2Frequency, region.gatewayStandardChannel.frequency]
        for frequency in named { #expect(region.frequencies.contains(frequency), "\(frequency)") }
        // And may be sent on.
        for frequency in region.downlinkChannels + region.beacon.frequencies + [region.rx2Frequency] {
            #expect(region.bandIndex(of: frequency) != nil, "\(frequency)")
        }
    }

    @Test(arguments: [
        ("EU868", [868.1, 868.3, 868.5], UInt8(0)...5), ("AS923-1", [923.2, 923.4], 0...5),
        ("AS923-2", [921.4, 921.6], 0...5), ("AS923-3", [916.6, 916.8], 0...5), ("AS923-4", [917.3, 917.5], 0...5),
        ("IN865", [865.0625, 865.4025, 865.985], 0...5), ("KR920", [922.1, 922.3, 922.5], 0...5),
    ])
    func joinChannels(_ name: String, _ channels: [Double], _ rates: ClosedRange<UInt8>) throws {
        let region = try #require(Region(named: name))
        #expect(region.uplinkChannels.map(\.frequency) == channels.map(Self.mhz))
        #expect(region.uplinkChannels.allSatisfy { $0.dataRates == rates })
        #expect(region.downlinkChannels == [])
        for channel in region.uplinkChannels {
            #expect(region.rx1Frequency(uplink: channel.frequency) == channel.frequency)
        }
    }

    @Test(
        arguments: [
            ("US915", 902_300_000, 903_000_000, UInt8(0)...3, UInt8(4)),
            ("AU915", 915_200_000, 915_900_000, UInt8(0)...5, UInt8(6)),
        ] as [(String, UInt32, UInt32, ClosedRange<UInt8>, UInt8)])
    func wideBandChannels(
        _ name: String, _ first: UInt32, _ firstWide: UInt32, _ rates: ClosedRange<UInt8>, _ wide: UInt8
    ) throws {
        let region = try #require(Region(named: name))
        #expect(region.uplinkChannels.count == 72)
        for (number, channel) in region.uplinkChannels.enumerated() {
            let n = UInt32(number)
            #expect(channel.frequency.hertz == (n < 64 ? first + 200_000 * n : firstWide + 1_600_000 * (n - 64)))
            #expect(channel.dataRates == (n < 64 ? rates : wide...wide))
            // RX1: channel modulo 8.
            #expect(region.rx1Frequency(uplink: channel.frequency)?.hertz == 923_300_000 + 600_000 * (n % 8))
        }
        #expect(region.rx1Frequency(uplink: RadioFrequency(hertz: first + 1)) == nil)
    }

    @Test(arguments: ["EU868", "AS923-1", "AS923-2", "AS923-3", "AS923-4", "IN865", "KR920"])
    func dataRatesOfOneKind(_ name: String) throws {
        let region = try #require(Region(named: name))
        for number in UInt8(0)...5 {
            #expect(region.modulation(number) == Self.lora(12 - number, 125))
            #expect(region.definition(number)?.use == .both)
        }
        #expect(region.modulation(6) == (name == "IN865" || name == "KR920" ? nil : Self.lora(7, 250)))
        #expect(region.modulation(7) == (name == "KR920" ? nil : .fsk(bitRate: 50_000)))
        for number in UInt8(8)...11 {
            #expect(region.modulation(number) == nil)
            #expect((region.definition(number) != nil) == (name == "EU868"), "LR-FHSS")
        }
        #expect(region.definition(12) == nil && region.definition(255) == nil)
    }

    @Test func dataRatesOfTwoKinds() {
        for (region, slowest) in [(Region.us915, UInt8(10)), (.au915, 12)] {
            let wide = slowest - 7 + 1
            for number in UInt8(0)..<wide {
                #expect(region.modulation(number) == Self.lora(slowest - number, 125))
                #expect(region.definition(number)?.use == .up)
            }
            #expect(region.modulation(wide) == Self.lora(8, 500))
            for number in UInt8(8)...13 {
                #expect(region.modulation(number) == Self.lora(20 - number, 500))
                #expect(region.definition(number)?.use == .down)
            }
            // SF8BW500 is up as well as down, under two numbers.
            #expect(region.dataRate(Self.lora(8, 500), .up) == wide)
            #expect(region.dataRate(Self.lora(8, 500), .down) == 12)
            #expect(region.dataRate(Self.lora(7, 125), .down) == nil)
            #expect(region.definition(14) == nil)
        }
        #expect(Region.us915.definition(7) == nil)
        #expect(Region.us915.definition(5)?.modulation == nil && Region.us915.definition(6) != nil)
        #expect(Region.au915.definition(7)?.modulation == nil && Region.au915.definition(7) != nil)
    }

    /// RX1's data rate as the rules have it.
    @Test func firstWindow() {
        for up in 0..<16 {
            for offset in 0..<16 {
                func found(_ region: Region, _ hasDwell: Bool = false) -> Int? {
                    region.rx1DataRate(uplink: UInt8(up), offset: UInt8(offset), hasDwell: hasDwell).map { Int($0) }
                }
                // LR-FHSS counts as SF11 and SF10 (RP002-1.0.3, table 12).
                let plain = up < 8 ? up : up % 2 == 0 ? 1 : 2
                #expect(found(.eu868) == (up < 12 && offset < 6 ? max(0, plain - offset) : nil))
                #expect(found(.kr920) == (up < 6 && offset < 6 ? max(0, up - offset) : nil))
                let us = up < 5 ? 10 + up - offset : 5 + up - offset
                #expect(found(.us915) == (up < 7 && offset < 4 ? min(13, max(8, us)) : nil), "\(up) \(offset)")
                let au = up < 7 ? 8 + up - offset : 9 - offset
                #expect(found(.au915) == (up < 8 && offset < 6 ? min(13, max(8, au)) : nil), "\(up) \(offset)")
                let effective = offset < 6 ? offset : 5 - offset
                for group in 1...4 {
                    let isKnown = up < 8 && offset < 8
                    #expect(found(.as923(group)) == (isKnown ? min(5, max(0, up - effective)) : nil))
                    #expect(found(.as923(group), true) == (isKnown ? min(5, max(2, up - effective)) : nil))
                }
                var india: Int? = up < 8 && up != 6 && offset < 8 ? max(0, up - effective) : nil
                if let rate = india { india = up < 6 || rate == 6 ? min(5, rate) : min(7, rate) }
                #expect(found(.in865) == india, "\(up) \(offset)")
            }
        }
    }

    @Test(
        arguments: [
            ("EU868", 869.525, 0), ("US915", 923.3, 8), ("AU915", 923.3, 8), ("AS923-1", 923.2, 2),
            ("AS923-2", 921.4, 2),
            ("AS923-3", 916.6, 2), ("AS923-4", 917.3, 2), ("IN865", 866.55, 2), ("KR920", 921.9, 0),
        ] as [(String, Double, UInt8)])
    func secondWindow(_ name: String, _ frequency: Double, _ rate: UInt8) throws {
        let region = try #require(Region(named: name))
        #expect(region.rx2Frequency == Self.mhz(frequency))
        #expect(region.rx2DataRate == rate)
    }

    @Test(
        arguments: [
            ("EU868", 16), ("US915", 30), ("AU915", 30), ("AS923-1", 16), ("AS923-2", 16), ("AS923-3", 16),
            ("AS923-4", 16), ("IN865", 30), ("KR920", 14),
        ] as [(String, Int8)])
    func devicePower(_ name: String, _ eirp: Int8) throws { #expect(Region(named: name)?.deviceEIRP == eirp) }

    /// What a gateway may radiate, and for how long.
    @Test(
        arguments: [
            (862.999, nil, nil), (863.0, 1, 16), (864.9, 1, 16), (865.0, 10, 16), (867.9, 10, 16), (868.0, 10, 16),
            (868.5, 10, 16), (868.6, nil, nil), (868.65, nil, nil), (868.7, 1, 16), (869.1, 1, 16), (869.2, nil, nil),
            (869.3, nil, nil), (869.4, 100, 29), (869.525, 100, 29), (869.65, nil, nil), (869.7, 10, 16),
            (870.0, 10, 16),
            (870.001, nil, nil),
        ] as [(Double, UInt16?, Int8?)])
    func europeanBands(_ frequency: Double, _ share: UInt16?, _ eirp: Int8?) {
        let band = Region.eu868.bandIndex(of: Self.mhz(frequency)).map { Region.eu868.bands[$0] }
        #expect(band?.dutyCycle == share)
        #expect(band?.eirp == eirp)
    }

    @Test func theTwoBandsAt868AreCountedApart() {
        #expect(Region.eu868.bandIndex(of: Self.mhz(867.9)) != Region.eu868.bandIndex(of: Self.mhz(868.1)))
    }

    @Test(
        arguments: [
            ("US915", 36), ("AU915", 30), ("AS923-1", 16), ("AS923-2", 16), ("AS923-3", 16), ("AS923-4", 16),
            ("IN865", 30),
            ("KR920", 23),
        ] as [(String, Int8)])
    func oneBandElsewhere(_ name: String, _ eirp: Int8) throws {
        let region = try #require(Region(named: name))
        #expect(region.bands.map(\.eirp) == [eirp])
        #expect(region.bands.map(\.dutyCycle) == [nil])
        #expect(region.bandIndex(of: region.frequencies.lowerBound) == 0)
        #expect(region.bandIndex(of: region.frequencies.upperBound) == 0)
        #expect(region.bandIndex(of: RadioFrequency(hertz: region.frequencies.lowerBound.hertz - 1)) == nil)
        #expect(region.bandIndex(of: RadioFrequency(hertz: region.frequencies.upperBound.hertz + 1)) == nil)
    }

    @Test(
        arguments: [
            ("EU868", nil, nil, nil, nil), ("US915", 400_000, 400_000, nil, false), ("AU915", 400_000, nil, nil, nil),
            ("AS923-1", 400_000, 400_000, 400_000, true), ("AS923-2", 400_000, 400_000, 400_000, true),
            ("AS923-3", 400_000, 400_000, 400_000, true), ("AS923-4", 400_000, 400_000, 400_000, true),
            ("IN865", nil, nil, nil, nil), ("KR920", 4_000_000, 4_000_000, 4_000_000, false),
        ] as [(String, UInt64?, UInt64?, UInt64?, Bool?)])
    func dwell(_ name: String, _ up: UInt64?, _ down: UInt64?, _ wide: UInt64?, _ isOptional: Bool?) throws {
        let region = try #require(Region(named: name))
        #expect(region.uplinkDwell == up)
        #expect(region.longestDownlink(Self.lora(9, 125)) == down)
        #expect(region.longestDownlink(Self.lora(9, 500)) == wide)
        #expect(region.downlinkDwell?.isOptional == isOptional)
    }

    @Test(
        arguments: [
            ("EU868", [59, 59, 59, 123, 250, 250, 250, 250, 58, 123, 58, 123], nil),
            ("US915", [19, 61, 133, 250, 250, 58, 133, nil, 61, 137, 250, 250, 250, 250], nil),
            (
                "AU915", [59, 59, 59, 123, 250, 250, 250, 58, 61, 137, 250, 250, 250, 250],
                [0, 0, 19, 61, 133, 250, 250, 58, 61, 137, 250, 250, 250, 250]
            ),
            ("AS923-1", [59, 59, 123, 123, 250, 250, 250, 250], [0, 0, 19, 61, 133, 250, 250, 250]),
            ("AS923-4", [59, 59, 123, 123, 250, 250, 250, 250], [0, 0, 19, 61, 133, 250, 250, 250]),
            ("IN865", [59, 59, 59, 123, 250, 250, nil, 250], nil), ("KR920", [59, 59, 59, 123, 250, 250], nil),
        ] as [(String, [UInt8?], [UInt8?]?)])
    func payloads(_ name: String, _ maximum: [UInt8?], _ withDwell: [UInt8?]?) throws {
        let region = try #require(Region(named: name))
        #expect(region.dataRates.map { $0?.maximumPayload } == maximum)
        #expect(region.dataRates.map { $0?.maximumPayloadWithDwell } == withDwell ?? maximum)
    }

    /// A payload that is allowed with the dwell limit is not on the air for longer than 400 ms.
    @Test func payloadsFitTheDwellTime() {
        for region in [Region.au915, .as923(1), .us915] {
            for rate in region.dataRates.compactMap({ $0 }) {
                guard rate.use != .down, let modulation = rate.modulation, rate.maximumPayloadWithDwell > 0 else {
                    continue
                }
                // MHDR and integrity code besides MACPayload.
                let time = TimeOnAir.microseconds(
                    bytes: Int(rate.maximumPayloadWithDwell) + 5, modulation: modulation)
                #expect(time <= 400_000, "\(region) \(modulation)")
            }
        }
    }

    @Test(
        arguments: [
            ("EU868", 869.525, 3, 9), ("US915", 923.3, 8, 12), ("AU915", 923.3, 8, 12), ("AS923-1", 923.4, 3, 9),
            ("AS923-2", 921.6, 3, 9), ("AS923-3", 916.8, 3, 9), ("AS923-4", 917.5, 3, 9), ("IN865", 866.55, 4, 8),
            ("KR920", 923.1, 3, 9),
        ] as [(String, Double, UInt8, UInt8)])
    func beacons(_ name: String, _ frequency: Double, _ rate: UInt8, _ factor: UInt8) throws {
        let region = try #require(Region(named: name))
        #expect(region.beacon.dataRate == rate)
        #expect(region.beaconFrequency(atGPSSecond: 0) == Self.mhz(frequency))
        guard case .lora(let lora)? = region.modulation(rate) else {
            Issue.record("no LoRa")
            return
        }
        #expect(lora.spreadingFactor == factor)
        #expect(BeaconLayout(spreadingFactor: factor) != nil)
        let count = region.downlinkChannels.isEmpty ? 1 : 8
        let frequencies = (0..<16).map { region.beaconFrequency(atGPSSecond: UInt64($0) * 128) }
        #expect(Set(frequencies).count == count)
        #expect(frequencies[0..<8] == frequencies[8..<16])
    }

    @Test func delays() {
        #expect(Region.receiveDelay == 1_000_000 && Region.joinAcceptDelay == 5_000_000)
    }

    /// A gateway without a configuration hears eight channels, each near enough to its chain's centre.
    @Test func plans() {
        for region in Region.all {
            let plan = RadioPlan(region)
            #expect(plan.channels.filter { $0.ifChain < 8 }.map(\.frequency) == region.gatewayChannels)
            #expect(Set(plan.channels.map(\.ifChain)).count == plan.channels.count)
            #expect(plan.channels.contains { $0.ifChain == 8 })
            for channel in plan.channels {
                let centre = Int64(plan.rfChains[Int(channel.rfChain)].frequency.hertz)
                let width: Int64 = channel.ifChain == 8 && region == .us915 ? 250_000 : 62_500
                // What an SX1302 hears around a chain's centre is 1.6 MHz wide, an SX1301's 0.925 MHz for 125 kHz.
                let reach: Int64 = channel.ifChain < 8 ? 462_500 : 800_000
                #expect(abs(Int64(channel.frequency.hertz) - centre) + width <= reach, "\(region) \(channel)")
            }
            #expect(plan.rfChains.first?.transmitRange == region.frequencies)
        }
    }
}
