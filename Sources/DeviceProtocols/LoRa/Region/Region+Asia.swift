extension Region {
    /// Asia, groups 1 to 4, which differ by an offset of all frequencies (RP002-1.0.3, section 2.10); another number is
    /// group 1.
    ///
    /// Whether 400 ms are the limit depends on the country; devices assume it until the network says otherwise.
    public static func as923(_ group: Int) -> Region {
        let offset: UInt32 =
            switch group {
            case 2: 1_800_000
            case 3: 6_600_000
            case 4: 5_900_000
            default: 0
            }
        let name = "AS923-\((2...4).contains(group) ? group : 1)"
        return Region(
            name, aliases: name == "AS923-1" ? ["AS923", "AS923JP", "AS923-JP", "AS1"] : [], 915_000_000...928_000_000,
            [
                .lora(12, 125, 59, dwell: 0), .lora(11, 125, 59, dwell: 0), .lora(10, 125, 123, dwell: 19),
                .lora(9, 125, 123, dwell: 61), .lora(8, 125, 250, dwell: 133), .lora(7, 125, 250), .lora(7, 250, 250),
                .fsk(250),
            ],
            uplink: [RegionChannel(923_200_000 - offset, 0...5), RegionChannel(923_400_000 - offset, 0...5)],
            rx1: [
                [0, 0, 0, 0, 0, 0, 1, 2],
                [1, 0, 0, 0, 0, 0, 2, 3],
                [2, 1, 0, 0, 0, 0, 3, 4],
                [3, 2, 1, 0, 0, 0, 4, 5],
                [4, 3, 2, 1, 0, 0, 5, 5],
                [5, 4, 3, 2, 1, 0, 5, 5],
                [5, 5, 4, 3, 2, 1, 5, 5],
                [5, 5, 5, 4, 3, 2, 5, 5],
            ],
            rx1WithDwell: [
                [2, 2, 2, 2, 2, 2, 2, 2],
                [2, 2, 2, 2, 2, 2, 2, 3],
                [2, 2, 2, 2, 2, 2, 3, 4],
                [3, 2, 2, 2, 2, 2, 4, 5],
                [4, 3, 2, 2, 2, 2, 5, 5],
                [5, 4, 3, 2, 2, 2, 5, 5],
                [5, 5, 4, 3, 2, 2, 5, 5],
                [5, 5, 5, 4, 3, 2, 5, 5],
            ],
            rx2: (923_200_000 - offset, 2), deviceEIRP: 16,
            bands: [RegionBand(915_000_000, 928_000_000, eirp: 16)],
            uplinkDwell: 400_000,
            downlinkDwell: DownlinkDwell(limit: 400_000, widest: 1625, isOptional: true),
            beacon: RegionBeacon([923_400_000 - offset], dataRate: 3),
            gateway: (0..<8).map { (group == 1 ? 922_000_000 : 922_600_000) - offset + 200_000 * UInt32($0) },
            standard: RegionChannel((group == 1 ? 922_100_000 : 922_700_000) - offset, 6...6))
    }

    /// South Korea, 920.9 to 923.3 MHz (RP002-1.0.3, section 2.12): listen before talk, 4 s at most, gateways 23 dBm.
    public static let kr920 = Region(
        "KR920", aliases: ["KR920-923"], 920_900_000...923_300_000,
        [
            .lora(12, 125, 59), .lora(11, 125, 59), .lora(10, 125, 59), .lora(9, 125, 123), .lora(8, 125, 250),
            .lora(7, 125, 250),
        ],
        uplink: [
            RegionChannel(922_100_000, 0...5), RegionChannel(922_300_000, 0...5), RegionChannel(922_500_000, 0...5),
        ],
        rx1: [
            [0, 0, 0, 0, 0, 0],
            [1, 0, 0, 0, 0, 0],
            [2, 1, 0, 0, 0, 0],
            [3, 2, 1, 0, 0, 0],
            [4, 3, 2, 1, 0, 0],
            [5, 4, 3, 2, 1, 0],
        ],
        rx2: (921_900_000, 0), deviceEIRP: 14,
        bands: [RegionBand(920_900_000, 923_300_000, eirp: 23)],
        uplinkDwell: 4_000_000,
        downlinkDwell: DownlinkDwell(limit: 4_000_000, widest: 1625, isOptional: false),
        beacon: RegionBeacon([923_100_000], dataRate: 3),
        gateway: (0..<7).map { 922_100_000 + 200_000 * $0 } + [921_900_000],
        standard: RegionChannel(922_100_000, 5...5))
}
