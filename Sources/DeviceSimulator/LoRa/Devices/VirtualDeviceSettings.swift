public import DeviceProtocols

/// What a virtual device is like.
public struct VirtualDeviceSettings: Hashable, Sendable {
    /// Its numbers and keys, which its network has to know too.
    public var device: LoRaWANDevice
    /// Time between uplinks; each is up to a tenth shorter or longer. What the duty cycle asks for makes it longer.
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
    public init(_ device: LoRaWANDevice, distance: Double) {
        self.device = device
        self.distance = distance
    }
}
