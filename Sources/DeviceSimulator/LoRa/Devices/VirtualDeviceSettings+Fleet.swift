import DeviceCore
public import DeviceProtocols

extension VirtualDeviceSettings {
    /// Devices of all kinds in a circle around a concentrator: every other one joins over the air, every fifth is of
    /// class C.
    ///
    /// Their keys come from the seed, so that anybody can compute them: only for virtual devices. DevEUIs are locally
    /// administered, addresses are of the experimental network 0.
    ///
    /// - Parameters:
    ///   - plan: what the concentrator listens to: devices send only there, as in a sub-band of US915.
    ///   - radius: of the circle, in metres.
    public static func fleet(
        _ count: Int, seed: UInt64 = 1, region: Region = .eu868, plan: RadioPlan? = nil,
        interval: Duration = .seconds(30), radius: Double = 2000
    ) -> [VirtualDeviceSettings] {
        let heard = plan.map { Set($0.channels.map(\.frequency)) } ?? Set(region.gatewayChannels)
        let channels = region.uplinkChannels.filter { channel in
            guard case .lora(let rate)? = region.modulation(channel.dataRates.lowerBound) else { return false }
            return rate.bandwidth == 125 && heard.contains(channel.frequency)
        }
        var random = SplitMix64(seed: seed ^ 0x10_4A_DE_71CE)
        return (0..<UInt32(clamping: max(0, count))).map { number in
            let activation: LoRaWANDevice.Activation
            if number % 2 == 0 {
                activation = .overTheAir(key(&random))
            } else {
                activation = .personalized(
                    DevAddr(0x0100_0000 &+ number),
                    LoRaWANSessionKeys(network: key(&random), application: key(&random)))
            }
            let device = LoRaWANDevice(
                devEUI: EUI64(0x0200_0000_0000_0001 &+ UInt64(number)), joinEUI: EUI64(0x0200_0000_0000_0000),
                activation: activation, deviceClass: number % 5 == 4 ? .c : .a)
            // As many devices in each part of the circle's area.
            let share = Double.random(in: 0..<1, using: &random).squareRoot()
            var settings = VirtualDeviceSettings(device, region: region, distance: max(10, radius * share))
            if !channels.isEmpty { settings.channels = channels.map(\.frequency) }
            settings.interval = interval
            return settings
        }
    }

    private static func key(_ random: inout SplitMix64) -> LoRaWANKey {
        let bytes = (0..<16).map { _ in UInt8.random(in: .min ... .max, using: &random) }
        // safe: these are 16 bytes
        guard let key = LoRaWANKey(bytes) else { preconditionFailure("a key has 16 bytes") }
        return key
    }
}
