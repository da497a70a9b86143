// What follows from the tables.
extension Region {
    /// A data rate's modulation; nil for a number that means nothing here and for LR-FHSS.
    public func modulation(_ dataRate: UInt8) -> LoRaModulation? { definition(dataRate)?.modulation }

    /// A data rate's description; nil for a number that means nothing here.
    public func definition(_ dataRate: UInt8) -> RegionDataRate? {
        dataRates.indices.contains(Int(dataRate)) ? dataRates[Int(dataRate)] : nil  // safe: looked up
    }

    /// The number of a modulation for that direction; nil when the region does not have it.
    public func dataRate(_ modulation: LoRaModulation, _ direction: LoRaWANDirection) -> UInt8? {
        let wrong: RegionDataRate.Use = direction == .up ? .down : .up
        return dataRates.firstIndex { $0?.modulation == modulation && $0?.use != wrong }.map { UInt8($0) }
    }

    /// The first receive window's data rate; nil for an uplink's data rate or an offset that the region does not have.
    public func rx1DataRate(uplink: UInt8, offset: UInt8, hasDwell: Bool = false) -> UInt8? {
        let table = hasDwell ? rx1DataRatesWithDwell ?? rx1DataRates : rx1DataRates
        guard table.indices.contains(Int(uplink)), table[Int(uplink)].indices.contains(Int(offset)) else { return nil }
        return table[Int(uplink)][Int(offset)]  // safe: looked up
    }

    /// The first receive window's frequency. In regions with downlink channels, nil for a frequency that is no uplink
    /// channel.
    public func rx1Frequency(uplink: RadioFrequency) -> RadioFrequency? {
        guard !downlinkChannels.isEmpty else { return uplink }
        guard let channel = uplinkChannels.firstIndex(where: { $0.frequency == uplink }) else { return nil }
        return downlinkChannels[channel % downlinkChannels.count]  // safe: below the count
    }

    /// The place of a frequency's band in ``bands``; nil when it lies in none.
    public func bandIndex(of frequency: RadioFrequency) -> Int? {
        bands.firstIndex {
            $0.lowest <= frequency && (frequency < $0.end || (frequency == $0.end && $0.end == frequencies.upperBound))
        }
    }

    /// The longest downlink of a modulation in microseconds; nil without limit.
    public func longestDownlink(_ modulation: LoRaModulation) -> UInt64? {
        guard let downlinkDwell else { return nil }
        if case .lora(let rate) = modulation, rate.bandwidth > downlinkDwell.widest { return nil }
        return downlinkDwell.limit
    }

    /// The beacon's frequency at a beacon's time in seconds of GPS time (RP002-1.0.3, section 2.5.8).
    public func beaconFrequency(atGPSSecond second: UInt64) -> RadioFrequency? {
        guard !beacon.frequencies.isEmpty else { return nil }
        return beacon.frequencies[Int(second / 128 % UInt64(beacon.frequencies.count))]  // safe: below the count
    }
}
