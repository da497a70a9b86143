import Glibc

/// The addresses under which other machines know this one.
public enum LANAddresses {
    /// IPv4 addresses of all cards that are up, without loopback.
    public static var addresses: [String] {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else { return [] }
        defer { freeifaddrs(list) }
        var found: [String] = []
        var next = list
        while let card = next {
            next = card.pointee.ifa_next
            guard let address = card.pointee.ifa_addr, address.pointee.sa_family == AF_INET,
                card.pointee.ifa_flags & UInt32(IFF_LOOPBACK) == 0
            else { continue }
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            let size = socklen_t(MemoryLayout<sockaddr_in>.size)
            guard getnameinfo(address, size, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0 else {
                continue
            }
            found.append(String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))
        }
        return found
    }
}

extension ListenAddress {
    /// The addresses under which others reach a listener: its own, or all of the machine's when it listens on all.
    public var reachable: [ListenAddress] {
        guard host == "0.0.0.0" || host == "::" else { return [self] }
        let hosts = LANAddresses.addresses
        return (hosts.isEmpty ? ["127.0.0.1"] : hosts).map { ListenAddress(host: $0, port: port) }
    }
}
