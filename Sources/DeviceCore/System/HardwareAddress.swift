import Glibc

/// The network card's address (MAC) that tells this machine from others.
package enum HardwareAddress {
    /// The address of the first network card by name that is hardware, not a bridge or a tunnel; among those, one that
    /// the maker gave, because a locally administered address may be a random one that changes.
    package static func find(_ directory: String = "/sys/class/net") -> [UInt8]? {
        var best: (rank: Int, bytes: [UInt8])?
        for name in SystemFile.names(in: directory) where name != "lo" {
            guard let text = try? SystemFile.text("\(directory)/\(name)/address") else { continue }
            let bytes = text.split(separator: ":").compactMap { UInt8($0, radix: 16) }
            guard bytes.count == 6, let first = bytes.first, bytes.contains(where: { $0 != 0 }) else { continue }
            let isUniversal = first & 0x02 == 0
            let isHardware = access("\(directory)/\(name)/device", F_OK) == 0
            let rank = (isUniversal ? 2 : 0) + (isHardware ? 1 : 0)
            if rank > best?.rank ?? -1 { best = (rank, bytes) }
        }
        return best?.bytes
    }
}
