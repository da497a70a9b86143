extension Region {
    /// Europe, 863 to 870 MHz (RP002-1.0.3, section 2.4; ETSI EN 300 220-2 V3.2.1, table B.1).
    ///
    /// Frequencies between the bands belong to alarms and the like: a gateway must not send there.
    public static let eu868 = Region(
        "EU868", aliases: ["EU863", "EU863-870"], 863_000_000...870_000_000,
        [
            .lora(12, 125, 59), .lora(11, 125, 59), .lora(10, 125, 59), .lora(9, 125, 123),
            .lora(8, 125, 250), .lora(7, 125, 250), .lora(7, 250, 250), .fsk(250),
            .lrFHSS(58), .lrFHSS(123), .lrFHSS(58), .lrFHSS(123),
        ],
        uplink: [
            RegionChannel(868_100_000, 0...5), RegionChannel(868_300_000, 0...5), RegionChannel(868_500_000, 0...5),
        ],
        rx1: [
            [0, 0, 0, 0, 0, 0],
            [1, 0, 0, 0, 0, 0],
            [2, 1, 0, 0, 0, 0],
            [3, 2, 1, 0, 0, 0],
            [4, 3, 2, 1, 0, 0],
            [5, 4, 3, 2, 1, 0],
            [6, 5, 4, 3, 2, 1],
            [7, 6, 5, 4, 3, 2],
            [1, 0, 0, 0, 0, 0],
            [2, 1, 0, 0, 0, 0],
            [1, 0, 0, 0, 0, 0],
            [2, 1, 0, 0, 0, 0],
        ],
        rx2: (869_525_000, 0), deviceEIRP: 16,
        bands: [
            RegionBand(863_000_000, 865_000_000, dutyCycle: 1, eirp: 16),
            RegionBand(865_000_000, 868_000_000, dutyCycle: 10, eirp: 16),
            RegionBand(868_000_000, 868_600_000, dutyCycle: 10, eirp: 16),
            RegionBand(868_700_000, 869_200_000, dutyCycle: 1, eirp: 16),
            RegionBand(869_400_000, 869_650_000, dutyCycle: 100, eirp: 29),
            RegionBand(869_700_000, 870_000_000, dutyCycle: 10, eirp: 16),
        ],
        beacon: RegionBeacon([869_525_000], dataRate: 3),
        gateway: [
            868_100_000, 868_300_000, 868_500_000, 867_100_000, 867_300_000, 867_500_000, 867_700_000, 867_900_000,
        ],
        standard: RegionChannel(868_300_000, 6...6))

    /// India, 865 to 867 MHz (RP002-1.0.3, section 2.11).
    public static let in865 = Region(
        "IN865", aliases: ["IN865-867"], 865_000_000...867_000_000,
        [
            .lora(12, 125, 59), .lora(11, 125, 59), .lora(10, 125, 59), .lora(9, 125, 123),
            .lora(8, 125, 250), .lora(7, 125, 250), nil, .fsk(250),
        ],
        uplink: [
            RegionChannel(865_062_500, 0...5), RegionChannel(865_402_500, 0...5), RegionChannel(865_985_000, 0...5),
        ],
        rx1: [
            [0, 0, 0, 0, 0, 0, 1, 2],
            [1, 0, 0, 0, 0, 0, 2, 3],
            [2, 1, 0, 0, 0, 0, 3, 4],
            [3, 2, 1, 0, 0, 0, 4, 5],
            [4, 3, 2, 1, 0, 0, 5, 5],
            [5, 4, 3, 2, 1, 0, 5, 5],
            [],
            // There is no data rate 6 to fall to.
            [7, 5, 5, 4, 3, 2, 7, 7],
        ],
        rx2: (866_550_000, 2), deviceEIRP: 30,
        bands: [RegionBand(865_000_000, 867_000_000, eirp: 30)],
        beacon: RegionBeacon([866_550_000], dataRate: 4),
        gateway: [
            865_062_500, 865_402_500, 865_985_000, 865_232_500, 865_572_500, 865_742_500, 866_175_000, 866_375_000,
        ],
        standard: RegionChannel(865_985_000, 5...5))
}
