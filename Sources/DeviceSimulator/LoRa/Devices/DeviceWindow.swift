import DeviceProtocols

/// A time in which a device listens.
struct DeviceWindow: Hashable, Sendable {
    enum Kind: Hashable, Sendable {
        case first
        case second
        case continuous
    }

    var kind: Kind
    var opens: UInt64
    var closes: UInt64
    var frequency: RadioFrequency
    var modulation: LoRaModulation

    /// How far from its due time a frame may begin, in microseconds: what crystals are worth after seconds.
    static let margin: UInt64 = 2000

    /// A window for a frame that begins at a time: five symbols of its preamble are enough.
    init(_ kind: Kind, at time: UInt64, frequency: RadioFrequency, modulation: LoRaModulation) {
        self.kind = kind
        opens = time > Self.margin ? time - Self.margin : 0
        closes = time + Self.margin + 5 * Self.symbol(modulation)
        self.frequency = frequency
        self.modulation = modulation
    }

    /// A window that never closes.
    init(continuous frequency: RadioFrequency, _ modulation: LoRaModulation) {
        kind = .continuous
        opens = 0
        closes = .max
        self.frequency = frequency
        self.modulation = modulation
    }

    /// Whether a frame that begins at a time is heard.
    func hears(_ downlink: RadioDownlink, start: UInt64) -> Bool {
        let symbol = Self.symbol(modulation)
        let spare = symbol * UInt64(downlink.preamble > 5 ? downlink.preamble - 5 : 0)
        return downlink.frequency == frequency && downlink.modulation == modulation && downlink.invertsPolarity
            && start + spare >= opens && closes >= 5 * symbol && start <= closes - 5 * symbol
    }

    /// The time of a symbol, with FSK of a byte, in microseconds.
    private static func symbol(_ modulation: LoRaModulation) -> UInt64 {
        switch modulation {
        case .lora(let rate):
            (UInt64(1) << UInt64(min(rate.spreadingFactor, 12))) * 1000 / UInt64(max(1, rate.bandwidth))
        case .fsk(let bitRate): 8_000_000 / UInt64(max(1, bitRate))
        }
    }
}

/// A frame that a device puts on the air.
struct DeviceTransmission: Sendable {
    var frequency: RadioFrequency
    var modulation: LoRaModulation
    /// Radiated power in dBm.
    var power: Double
    var payload: [UInt8]
    /// Time on air in microseconds.
    var duration: UInt64
}
