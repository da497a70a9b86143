/// A device as its network knows it: what is typed in when one is registered.
public struct LoRaWANDevice: Hashable, Sendable {
    /// How a device gets its session.
    public enum Activation: Hashable, Sendable {
        /// Over the air: it joins with this key (AppKey).
        case overTheAir(LoRaWANKey)
        /// By personalization: address and session keys are in it from the start.
        case personalized(DevAddr, LoRaWANSessionKeys)
    }

    /// When a device listens.
    public enum Class: String, Hashable, Sendable {
        /// In two windows after each frame it has sent.
        case a = "A"
        /// Always, when it does not send.
        case c = "C"
    }

    /// The device's number.
    public var devEUI: EUI64
    /// The join server's number.
    public var joinEUI: EUI64
    /// How it gets its session.
    public var activation: Activation
    /// When it listens.
    public var deviceClass: Class

    /// Makes a device.
    public init(devEUI: EUI64, joinEUI: EUI64, activation: Activation, deviceClass: Class = .a) {
        self.devEUI = devEUI
        self.joinEUI = joinEUI
        self.activation = activation
        self.deviceClass = deviceClass
    }
}
