import DeviceCore

/// What tells this device from others.
enum MachineIdentity {
    /// The unique id for brokers.
    ///
    /// A real board uses its MAC address, as the public demo does: after a power cut it comes back as itself and takes
    /// its old place at once. A simulated board may run several times on a machine, so it is another one each time.
    static func uid(isSimulated: Bool, directory: String = "/sys/class/net") -> [UInt8] {
        let mac = macAddress(directory) ?? (0..<6).map { _ in UInt8.random(in: 0...255) }
        return isSimulated ? mac + (0..<4).map { _ in UInt8.random(in: 0...255) } : mac
    }

    /// The address of the first real network card by name.
    private static func macAddress(_ directory: String) -> [UInt8]? {
        for name in SystemFile.names(in: directory) where name != "lo" {
            guard let text = try? SystemFile.text("\(directory)/\(name)/address") else { continue }
            let bytes = text.split(separator: ":").compactMap { UInt8($0, radix: 16) }
            if bytes.count == 6, bytes.contains(where: { $0 != 0 }) { return bytes }
        }
        return nil
    }
}
