import DeviceCore
import DeviceProtocols

/// A gateway's EUI where no file says one: the network card's address with FFFE in its middle (EUI-64), as vendors'
/// scripts make it.
enum MachineEUI {
    /// nil on a machine without a network card.
    static func make(_ root: String = "/sys/class/net") -> GatewayEUI? {
        let names = SystemFile.names(in: root).filter { $0 != "lo" }
        // Cards of the machine itself before virtual ones.
        let real = names.filter { !SystemFile.names(in: "\(root)/\($0)/device").isEmpty }
        for name in real + names {
            guard let text = try? SystemFile.text("\(root)/\(name)/address") else { continue }
            let bytes = text.split(separator: ":").compactMap { UInt64($0, radix: 16) }
            guard bytes.count == 6, bytes.contains(where: { $0 != 0 }), bytes.allSatisfy({ $0 < 256 }) else { continue }
            let all = bytes.prefix(3) + [0xFF, 0xFE] + bytes.suffix(3)
            return GatewayEUI(all.reduce(0) { $0 << 8 | $1 })
        }
        return nil
    }
}
