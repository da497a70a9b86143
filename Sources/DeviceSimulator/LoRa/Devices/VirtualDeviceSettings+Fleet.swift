import DeviceCore
import DeviceProtocols

extension VirtualDeviceSettings {
    /// Devices of all kinds in a circle around a concentrator: every other one joins over the air, every fifth is of
    /// class C.
    ///
    /// Their keys come from the seed, so that anybody can compute them: only for virtual devices. DevEUIs are locally
    /// administered, addresses are of the experimental network 0.
    ///
    /// - Parameter radius: of the circle, in metres.
    public static func fleet(
        _ count: Int, seed: UInt64 = 1, interval: Duration = .seconds(30), radius: Double = 2000
    ) -> [VirtualDeviceSettings] {
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
            var settings = VirtualDeviceSettings(device, distance: max(10, radius * share))
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
