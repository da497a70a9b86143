import DeviceProtocols
import Testing

@Suite struct TimeOnAirTests {
    static func lora(_ factor: UInt8, _ bandwidth: UInt16) -> LoRaModulation {
        .lora(LoRaDataRate(spreadingFactor: factor, bandwidth: bandwidth))
    }

    /// Measured with Semtech's HAL where its formula is right.
    @Test(
        arguments: [
            (7, 125, 13, true, 46_336), (7, 125, 23, true, 61_696), (7, 250, 23, true, 30_848),
            (12, 125, 23, true, 1_482_752), (12, 125, 17, false, 1_155_072), (8, 500, 33, false, 33_408),
            (9, 125, 23, true, 205_824), (10, 125, 23, true, 370_688), (11, 125, 23, true, 823_296),
            // The HAL says 452.6 ms here.
            (12, 500, 33, true, 411_648),
        ] as [(UInt8, UInt16, Int, Bool, UInt64)])
    func checkedValues(_ factor: UInt8, _ bandwidth: UInt16, _ bytes: Int, _ hasCRC: Bool, _ expected: UInt64) {
        #expect(
            TimeOnAir.microseconds(
                bytes: bytes, modulation: Self.lora(factor, bandwidth), format: TimeOnAir.Format(hasCRC: hasCRC))
                == expected)
    }

    /// A symbol of 16 ms and more: SF11 and SF12 at 125 kHz, SF12 at 250 kHz, nothing at 500 kHz.
    @Test func lowDataRateFollowsTheSymbol() {
        for bandwidth: UInt16 in [125, 250, 500] {
            for factor: UInt8 in 5...12 {
                let isLow = bandwidth == 125 && factor >= 11 || bandwidth == 250 && factor == 12
                let rate = LoRaDataRate(spreadingFactor: factor, bandwidth: bandwidth)
                #expect(TimeOnAir.isLowDataRate(rate) == isLow, "\(rate)")
            }
        }
        // 62.5 kHz is named 62.
        #expect(TimeOnAir.isLowDataRate(LoRaDataRate(spreadingFactor: 10, bandwidth: 62)))
        #expect(!TimeOnAir.isLowDataRate(LoRaDataRate(spreadingFactor: 9, bandwidth: 62)))
    }

    /// The formula again, with floating point as in AN1200.13.
    @Test func integersAgreeWithTheFormula() {
        for factor: UInt8 in 7...12 {
            for bandwidth: UInt16 in [125, 250, 500] {
                for bytes in [0, 1, 12, 51, 222, 255] {
                    for rate in LoRaCodingRate.allCases where rate != .off {
                        for (hasCRC, isImplicit) in [(true, false), (false, false), (false, true)] {
                            let sf = Double(factor)
                            let symbol = Double(1 << Int(factor)) / Double(bandwidth) * 1000
                            let low = symbol >= 16_000 ? 1.0 : 0
                            let bits = 8 * Double(bytes) - 4 * sf + 28 + (hasCRC ? 16 : 0) - (isImplicit ? 20 : 0)
                            let blocks = (bits / (4 * (sf - 2 * low))).rounded(.up)
                            let payload = 8 + max(0, blocks * Double(rate.parityBits + 4))
                            let expected = (8 + 4.25 + payload) * symbol
                            let found = TimeOnAir.microseconds(
                                bytes: bytes, modulation: Self.lora(factor, bandwidth),
                                format: TimeOnAir.Format(
                                    codingRate: rate, hasCRC: hasCRC, isImplicitHeader: isImplicit))
                            #expect(found == UInt64(expected), "SF\(factor)BW\(bandwidth) \(bytes)")
                        }
                    }
                }
            }
        }
    }

    /// SX1261/2 data sheet, section 6.1.4: 6.25 symbols of sync word, and no 8 in the numerator.
    @Test func shortSpreadingFactors() {
        // SF6 at 125 kHz, 16 bytes, CRC: ceil((128 - 24 + 16 + 20) / 24) = 6 blocks of 5, 8 + 6.25 + 8 + 30 symbols of
        // 512 us.
        #expect(TimeOnAir.microseconds(bytes: 16, modulation: Self.lora(6, 125)) == 26_752)
        // SF5: ceil((128 - 20 + 36) / 20) = 8 blocks, 62.25 symbols of 256 us.
        #expect(TimeOnAir.microseconds(bytes: 16, modulation: Self.lora(5, 125)) == 15_936)
    }

    @Test func fskCountsBytes() {
        // 5 + 3 + 1 + 12 + 2 bytes at 50 kbit/s.
        let format = TimeOnAir.Format(preamble: 5)
        #expect(TimeOnAir.microseconds(bytes: 12, modulation: .fsk(bitRate: 50_000), format: format) == 3_680)
        let bare = TimeOnAir.Format(preamble: 5, hasCRC: false, isImplicitHeader: true)
        #expect(TimeOnAir.microseconds(bytes: 12, modulation: .fsk(bitRate: 50_000), format: bare) == 3_200)
    }

    @Test func nothingThatAFrameSaysOverflows() {
        for factor: UInt8 in [0, 4, 5, 12, 13, 255] {
            for bandwidth: UInt16 in [0, 1, 7, 125, 1625, .max] {
                for preamble: UInt16 in [0, .max] {
                    for bytes in [Int.min, 0, 255, Int.max] {
                        _ = TimeOnAir.microseconds(
                            bytes: bytes, modulation: Self.lora(factor, bandwidth),
                            format: TimeOnAir.Format(codingRate: .off, preamble: preamble))
                    }
                }
            }
        }
        #expect(TimeOnAir.microseconds(bytes: 255, modulation: .fsk(bitRate: 0)) > 0)
        // More than a frame carries counts as what it carries.
        #expect(
            TimeOnAir.microseconds(bytes: 1000, modulation: Self.lora(7, 125))
                == TimeOnAir.microseconds(bytes: 255, modulation: Self.lora(7, 125)))
    }

    @Test func aDownlinkBringsItsFormat() {
        let downlink = RadioDownlink(
            count: nil, frequency: RadioFrequency(hertz: 869_525_000), modulation: Self.lora(12, 125), power: 14,
            payload: [UInt8](repeating: 0, count: 17))
        #expect(TimeOnAir.microseconds(of: downlink) == 1_155_072)
    }
}
