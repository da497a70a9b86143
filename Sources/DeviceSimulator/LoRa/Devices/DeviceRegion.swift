import DeviceProtocols

/// What a virtual device knows of its region.
struct DeviceRegion: Sendable {
    /// Channels on which a device may ask to join, and to begin with also send data.
    var channels: [RadioFrequency]
    /// Uplink data rates by spreading factor with 125 kHz, slowest first: their indexes.
    var dataRates: [UInt8: LoRaModulation]
    var rx2: (frequency: RadioFrequency, dataRate: UInt8)
    /// Part of the time that a device may send, as one in so many.
    var dutyCycleDivisor: UInt64

    static let eu868 = DeviceRegion(
        channels: [868_100_000, 868_300_000, 868_500_000].map { RadioFrequency(hertz: $0) },
        dataRates: Dictionary(
            uniqueKeysWithValues: (0...5).map { index in
                (UInt8(index), .lora(LoRaDataRate(spreadingFactor: UInt8(12 - index), bandwidth: 125)))
            }),
        rx2: (RadioFrequency(hertz: 869_525_000), 0), dutyCycleDivisor: 100)

    func dataRate(spreadingFactor: UInt8) -> UInt8 {
        dataRates.first { $0.value == .lora(LoRaDataRate(spreadingFactor: spreadingFactor, bandwidth: 125)) }?.key ?? 0
    }

    func rx1(frequency: RadioFrequency, dataRate: UInt8, offset: UInt8) -> (RadioFrequency, LoRaModulation)? {
        dataRates[dataRate > offset ? dataRate - offset : 0].map { (frequency, $0) }
    }
}
