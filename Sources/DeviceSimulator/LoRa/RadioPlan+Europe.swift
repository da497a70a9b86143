public import DeviceProtocols

extension RadioPlan {
    /// What gateways in Europe usually listen to: the three channels of EU868 and five more, LoRa with SF7BW250 at
    /// 868.3 MHz and FSK at 868.8 MHz, as in Semtech's `global_conf.json.sx1250.EU868`.
    public static let europe: RadioPlan = {
        let channels: [(RadioFrequency, chain: UInt8)] = [
            (868_100_000, 1), (868_300_000, 1), (868_500_000, 1), (867_100_000, 0), (867_300_000, 0), (867_500_000, 0),
            (867_700_000, 0), (867_900_000, 0),
        ].map { (RadioFrequency(hertz: $0), $1) }
        let all = channels.enumerated().map { number, channel in
            RadioChannel(
                ifChain: UInt8(number), rfChain: channel.chain, frequency: channel.0,
                modem: .multiSF(spreadingFactors: 5...12))
        }
        return RadioPlan(
            rfChains: [
                RadioRFChain(
                    frequency: RadioFrequency(hertz: 867_500_000), rssiOffset: -215.4,
                    transmitRange: RadioFrequency(hertz: 863_000_000)...RadioFrequency(hertz: 870_000_000)),
                RadioRFChain(frequency: RadioFrequency(hertz: 868_500_000), rssiOffset: -215.4),
            ],
            channels: all + [
                RadioChannel(
                    ifChain: 8, rfChain: 1, frequency: RadioFrequency(hertz: 868_300_000),
                    modem: .lora(LoRaDataRate(spreadingFactor: 7, bandwidth: 250))),
                RadioChannel(
                    ifChain: 9, rfChain: 1, frequency: RadioFrequency(hertz: 868_800_000),
                    modem: .fsk(bitRate: 50_000, bandwidth: 125)),
            ])
    }()
}
