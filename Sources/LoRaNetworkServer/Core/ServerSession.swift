import DeviceCore
import DeviceProtocols

/// A device's session as the virtual network server keeps it.
struct ServerSession {
    let device: LoRaWANDevice
    let devAddr: DevAddr
    let keys: LoRaWANSessionKeys
    /// The next counter that has not been used, up and down.
    var expected: UInt32 = 0
    var downlinkCounter: UInt32 = 0
    /// The last frame, to know it again.
    var lastFrame: LoRaWANData?
    var lastHeardAt: MonotonicTime?
    /// Where the device was heard last.
    var gateway: EUI64?
    /// New data frames, and answers to any.
    var frames: UInt64 = 0
    var answers: UInt64 = 0
}
