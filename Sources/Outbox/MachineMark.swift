import DeviceCore

/// A number that tells this machine from another with a copy of its disk.
///
/// The installation's id (`/etc/machine-id`) tells two installations apart, not two cards that were written from one
/// image. So the board's own serial number goes into it, or, where there is none, its network card's address.
enum MachineMark {
    /// The number; the same at each start. 0 where the machine has nothing of the kind: copies are then not noticed.
    ///
    /// - Parameter root: put before the paths of the system's files.
    static func current(root: String = "") -> UInt64 {
        let serials = ["/proc/device-tree/serial-number", "/sys/class/dmi/id/product_uuid"]
        let serial = serials.lazy.compactMap { try? SystemFile.text(root + $0) }.first { !$0.isEmpty }
        let hardware = serial.map { Array($0.utf8) } ?? HardwareAddress.find(root + "/sys/class/net") ?? []
        let installation = (try? SystemFile.text(root + "/etc/machine-id")) ?? ""
        guard !hardware.isEmpty || !installation.isEmpty else { return 0 }
        // FNV-1a: no secret is made of it, and a stranger who can write the directory can do as he likes anyway.
        return (hardware + [0] + Array(installation.utf8)).reduce(0xCBF2_9CE4_8422_2325) {
            ($0 ^ UInt64($1)) &* 0x100_0000_01B3
        }
    }
}
