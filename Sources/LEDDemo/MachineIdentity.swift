import DeviceCore

/// What tells this device from others.
enum MachineIdentity {
    /// The unique id for brokers.
    ///
    /// A real board uses its MAC address, as the public demo does: after a power cut it comes back as itself and takes
    /// its old place at once. A simulated board may run several times on a machine, so it is another one each time.
    static func uid(isSimulated: Bool, directory: String = "/sys/class/net") -> [UInt8] {
        let mac = HardwareAddress.find(directory) ?? (0..<6).map { _ in UInt8.random(in: 0...255) }
        return isSimulated ? mac + (0..<4).map { _ in UInt8.random(in: 0...255) } : mac
    }
}
