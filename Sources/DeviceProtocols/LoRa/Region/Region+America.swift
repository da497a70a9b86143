extension Region {
    /// United States, 902 to 928 MHz (RP002-1.0.3, section 2.5; FCC 47 CFR 15.247: 1 W and an antenna of 6 dBi).
    public static let us915 = Region(
        "US915", aliases: ["US902", "US902-928"], 902_000_000...928_000_000,
        [
            .lora(10, 125, 19, .up), .lora(9, 125, 61, .up), .lora(8, 125, 133, .up), .lora(7, 125, 250, .up),
            .lora(8, 500, 250, .up), .lrFHSS(58), .lrFHSS(133), nil,
            .lora(12, 500, 61, .down), .lora(11, 500, 137, .down), .lora(10, 500, 250, .down),
            .lora(9, 500, 250, .down), .lora(8, 500, 250, .down), .lora(7, 500, 250, .down),
        ],
        uplink: wideBand(first: 902_300_000, firstWide: 903_000_000, narrow: 0...3, wide: 4...4),
        downlink: wideBandDownlink,
        rx1: [
            [10, 9, 8, 8],
            [11, 10, 9, 8],
            [12, 11, 10, 9],
            [13, 12, 11, 10],
            [13, 13, 12, 11],
            [10, 9, 8, 8],
            [11, 10, 9, 8],
        ],
        rx2: (923_300_000, 8), deviceEIRP: 30,
        bands: [RegionBand(902_000_000, 928_000_000, eirp: 36)],
        uplinkDwell: 400_000,
        downlinkDwell: DownlinkDwell(limit: 400_000, widest: 125, isOptional: false),
        beacon: RegionBeacon(wideBandDownlink, dataRate: 8),
        gateway: [
            903_900_000, 904_100_000, 904_300_000, 904_500_000, 904_700_000, 904_900_000, 905_100_000, 905_300_000,
        ],
        standard: RegionChannel(904_600_000, 4...4))

    /// Australia, 915 to 928 MHz (RP002-1.0.3, section 2.8).
    public static let au915 = Region(
        "AU915", aliases: ["AU915-928"], 915_000_000...928_000_000,
        [
            .lora(12, 125, 59, .up, dwell: 0), .lora(11, 125, 59, .up, dwell: 0), .lora(10, 125, 59, .up, dwell: 19),
            .lora(9, 125, 123, .up, dwell: 61), .lora(8, 125, 250, .up, dwell: 133), .lora(7, 125, 250, .up),
            .lora(8, 500, 250, .up), .lrFHSS(58),
            .lora(12, 500, 61, .down), .lora(11, 500, 137, .down), .lora(10, 500, 250, .down),
            .lora(9, 500, 250, .down), .lora(8, 500, 250, .down), .lora(7, 500, 250, .down),
        ],
        uplink: wideBand(first: 915_200_000, firstWide: 915_900_000, narrow: 0...5, wide: 6...6),
        downlink: wideBandDownlink,
        rx1: [
            [8, 8, 8, 8, 8, 8],
            [9, 8, 8, 8, 8, 8],
            [10, 9, 8, 8, 8, 8],
            [11, 10, 9, 8, 8, 8],
            [12, 11, 10, 9, 8, 8],
            [13, 12, 11, 10, 9, 8],
            [13, 13, 12, 11, 10, 9],
            [9, 8, 8, 8, 8, 8],
        ],
        rx2: (923_300_000, 8), deviceEIRP: 30,
        bands: [RegionBand(915_000_000, 928_000_000, eirp: 30)],
        uplinkDwell: 400_000,
        beacon: RegionBeacon(wideBandDownlink, dataRate: 8),
        gateway: [
            916_800_000, 917_000_000, 917_200_000, 917_400_000, 917_600_000, 917_800_000, 918_000_000, 918_200_000,
        ],
        standard: RegionChannel(917_500_000, 6...6))

    /// 64 channels of 125 kHz, 200 kHz apart, and eight of 500 kHz, 1.6 MHz apart.
    private static func wideBand(
        first: UInt32, firstWide: UInt32, narrow: ClosedRange<UInt8>, wide: ClosedRange<UInt8>
    ) -> [RegionChannel] {
        (0..<64).map { RegionChannel(first + 200_000 * $0, narrow) }
            + (0..<8).map { RegionChannel(firstWide + 1_600_000 * $0, wide) }
    }

    /// Eight channels of 500 kHz, 600 kHz apart.
    private static let wideBandDownlink: [UInt32] = (0..<8).map { 923_300_000 + 600_000 * $0 }
}
