public import DeviceProtocols

/// What a virtual device has done and seen.
public struct VirtualDeviceState: Hashable, Sendable {
    /// The device.
    public var devEUI: EUI64
    /// When it listens.
    public var deviceClass: LoRaWANDevice.Class
    /// Its address, once it has a session.
    public var devAddr: DevAddr?
    /// Its spreading factor.
    public var spreadingFactor: UInt8 = 7

    /// Requests to join.
    public var joinRequests: UInt64 = 0
    /// Sessions granted.
    public var joinAccepts: UInt64 = 0
    /// Data frames sent, without repetitions.
    public var uplinks: UInt64 = 0
    /// Of these, confirmed ones.
    public var confirmedUplinks: UInt64 = 0
    /// Of these, those whose acknowledgement arrived.
    public var acknowledgements: UInt64 = 0
    /// Confirmed frames sent again.
    public var repetitions: UInt64 = 0
    /// Confirmed frames given up after the last repetition.
    public var unacknowledged: UInt64 = 0

    /// Frames of its network in the first receive window.
    public var downlinksRX1: UInt64 = 0
    /// In the second.
    public var downlinksRX2: UInt64 = 0
    /// At another time, with class C.
    public var downlinksClassC: UInt64 = 0
    /// Downlinks with the payload of the last uplink.
    public var echoes: UInt64 = 0
    /// Downlinks with MAC commands, which virtual devices do not carry out.
    public var macCommands: UInt64 = 0
    /// Frames with a wrong integrity code: a wrong key, or a replay.
    public var wrongMIC: UInt64 = 0
    /// Frames for other devices, and what is no LoRaWAN.
    public var foreign: UInt64 = 0
    /// Frames too weak to be read.
    public var tooWeak: UInt64 = 0

    /// All frames of its network.
    public var downlinks: UInt64 { downlinksRX1 + downlinksRX2 + downlinksClassC }
    /// Whether it has a session.
    public var isJoined: Bool { devAddr != nil }

    init(_ device: LoRaWANDevice) {
        devEUI = device.devEUI
        deviceClass = device.deviceClass
    }
}
