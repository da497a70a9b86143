extension RadioPlan {
    /// A plan for a gateway that nobody has configured: the region's usual eight channels, a standard LoRa channel and,
    /// where the region has it, FSK; both chains around the channels' middle, the first one sends.
    public init(_ region: Region) {
        let hertz = region.gatewayChannels.map(\.hertz)
        let lowest = hertz.min() ?? 0
        let highest = hertz.max() ?? 0
        // A chain hears 0.8 MHz or so: each takes the half of the channels around its centre.
        let width = highest - lowest
        let centres = width > 800_000 ? [lowest + width / 4, highest - width / 4] : [lowest + width / 2]
        func chain(_ frequency: RadioFrequency) -> UInt8 {
            let distances = centres.map { max($0, frequency.hertz) - min($0, frequency.hertz) }
            return UInt8(distances.firstIndex(of: distances.min() ?? 0) ?? 0)
        }
        var channels = region.gatewayChannels.enumerated().map { index, frequency in
            RadioChannel(
                ifChain: UInt8(index), rfChain: chain(frequency), frequency: frequency,
                modem: .multiSF(spreadingFactors: 7...12))
        }
        let standard = region.gatewayStandardChannel
        if case .lora(let rate)? = region.modulation(standard.dataRates.lowerBound) {
            channels.append(
                RadioChannel(
                    ifChain: 8, rfChain: chain(standard.frequency), frequency: standard.frequency, modem: .lora(rate)))
        }
        if let first = region.gatewayChannels.first, region.dataRate(.fsk(bitRate: 50_000), .up) != nil {
            channels.append(
                RadioChannel(
                    ifChain: 9, rfChain: chain(first), frequency: first, modem: .fsk(bitRate: 50_000, bandwidth: 125)))
        }
        self.init(
            rfChains: centres.enumerated().map { index, centre in
                RadioRFChain(
                    frequency: RadioFrequency(hertz: centre), transmitRange: index == 0 ? region.frequencies : nil)
            },
            channels: channels)
    }
}
