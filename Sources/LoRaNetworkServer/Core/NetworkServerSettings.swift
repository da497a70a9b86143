public import DeviceProtocols

/// How a virtual network server answers.
public struct NetworkServerSettings: Hashable, Sendable {
    /// Its region.
    public var region: Region
    /// The devices that it knows; frames of others are counted and not answered.
    public var devices: [LoRaWANDevice]
    /// Every so many data frames of a device are answered with their own payload; 1 for each, 0 for none. Confirmed
    /// frames are acknowledged in any case.
    public var echoEvery: UInt64 = 1
    /// Every so many answers to a device go into the second receive window; 0 for none.
    public var secondWindowEvery: UInt64 = 4
    /// Time between frames to each device of class C; nil for none.
    public var classCInterval: Duration? = .seconds(60)
    /// Seconds from an uplink's end to the first window, 1 to 15.
    public var rxDelay: UInt8 = 1
    /// Power that it asks gateways for, in dBm.
    public var power: Int8 = 14
    /// Whether stations are told to keep the duty cycle. Forwarders are not told: there this server asks for what it
    /// wants.
    public var keepsDutyCycle = true
    /// The network's identifier; 0 is for experiments.
    public var netID: UInt32 = 0

    /// A server with the defaults.
    public init(region: Region, devices: [LoRaWANDevice]) {
        self.region = region
        self.devices = devices
    }
}
