public import DeviceProtocols

/// What a virtual device is like.
public struct VirtualDeviceSettings: Hashable, Sendable {
    /// Its numbers and keys, which its network has to know too.
    public var device: LoRaWANDevice
    /// Its region.
    public var region: Region
    /// The channels on which it joins, and to begin with also sends data: of those that all devices of the region
    /// have, those that a gateway there usually hears.
    public var channels: [RadioFrequency]
    /// Time from one uplink to the next; each is up to a tenth shorter or longer. The receive windows, which last 2 s,
    /// and the duty cycle make it longer.
    public var interval: Duration = .seconds(30)
    /// When it begins, after the world's beginning; nil: within the first interval.
    public var begin: Duration?
    /// The share of uplinks that want an acknowledgement, 0 to 1.
    public var confirmedShare = 0.2
    /// Bytes of payload, at least 4: a counter and filling.
    public var payloadLength = 12
    /// The port of its data, 1 to 223.
    public var port: UInt8 = 10
    /// Metres to the concentrator.
    public var distance: Double
    /// Its spreading factor; nil: the fastest that leaves 5 dB over what is needed.
    public var spreadingFactor: UInt8?
    /// Radiated power in dBm.
    public var power = 14.0
    /// Whether it keeps the region's duty cycle.
    public var keepsDutyCycle = true
    /// Times that a confirmed uplink is sent again before it is given up.
    public var repetitions = 3

    /// A device with the defaults.
    public init(_ device: LoRaWANDevice, region: Region = .eu868, distance: Double) {
        self.device = device
        self.region = region
        self.distance = distance
        channels = region.uplinkChannels.map(\.frequency).filter(region.gatewayChannels.contains)
    }
}
