import Glibc

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
        guard let folder = opendir(directory) else { return nil }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if !name.hasPrefix("."), name != "lo" { names.append(name) }
        }
        for name in names.sorted() {
            guard let file = fopen("\(directory)/\(name)/address", "r") else { continue }
            defer { fclose(file) }
            var line = [CChar](repeating: 0, count: 64)
            guard fgets(&line, 64, file) != nil else { continue }
            let text = String(decoding: line.prefix { $0 > 0x20 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            let bytes = text.split(separator: ":").compactMap { UInt8($0, radix: 16) }
            if bytes.count == 6, bytes.contains(where: { $0 != 0 }) { return bytes }
        }
        return nil
    }
}
