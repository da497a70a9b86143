import DeviceProtocols

/// A frame on its way from a device to the concentrator.
struct AirFrame: Sendable {
    var number: UInt64
    /// World time of the first symbol, in microseconds.
    var start: UInt64
    var frequency: RadioFrequency
    var modulation: LoRaModulation
    var codingRate: LoRaCodingRate
    var crc: CRCStatus = .ok
    /// Strength at the concentrator's antenna in dBm.
    var strength: Double
    /// Symbols of the preamble.
    var preamble: UInt16 = 8
    var payload: [UInt8]
    /// The time on air in microseconds.
    var duration: UInt64

    /// When its last symbol ends.
    var end: UInt64 { start + duration }
    /// When the receiver has to have begun to hear it: five symbols of a preamble are enough.
    var lastChance: UInt64 { start + symbols(Double(preamble > 5 ? preamble - 5 : 0)) }
    /// When preamble and sync word are over and a demodulator is taken.
    var lock: UInt64 { min(end, start + symbols(Double(preamble) + 4.25)) }
    /// When the header is read, without which there is no frame.
    var headerEnd: UInt64 { min(end, lock + symbols(8)) }

    /// The time of so many symbols in microseconds; FSK's bits count as none.
    private func symbols(_ count: Double) -> UInt64 {
        guard case .lora(let rate) = modulation else { return 0 }
        let symbol = Double(UInt64(1) << UInt64(min(rate.spreadingFactor, 12))) * 1000 / Double(max(1, rate.bandwidth))
        return UInt64(count * symbol)
    }

    /// Whether it and another share some of the spectrum.
    func touches(_ other: AirFrame) -> Bool {
        let distance =
            frequency.hertz > other.frequency.hertz
            ? frequency.hertz - other.frequency.hertz : other.frequency.hertz - frequency.hertz
        return Double(distance) < (RadioLink.bandwidth(modulation) + RadioLink.bandwidth(other.modulation)) / 2
    }
}
