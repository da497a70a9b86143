import DeviceCore
import Glibc

/// Ports that nobody listens on.
enum FreePort {
    /// The first port of a range that is free on all the addresses.
    ///
    /// - Throws: ``DeviceError`` `busy`.
    static func first(of ports: ClosedRange<Int>, on hosts: [String]) throws(DeviceError) -> Int {
        for port in ports where hosts.allSatisfy({ isFree(port, on: $0) }) { return port }
        throw DeviceError(
            .busy,
            "no port from \(ports.lowerBound) to \(ports.upperBound) is free on \(hosts.joined(separator: " and "))",
            hint: "See who listens with: ss -ltnp")
    }

    private static func isFree(_ port: Int, on host: String) -> Bool {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(truncatingIfNeeded: port).bigEndian
        guard inet_pton(AF_INET, host, &address.sin_addr) == 1 else { return false }
        let file = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard file >= 0 else { return false }
        defer { close(file) }
        // As listeners set it: what is left of old connections is no hindrance.
        var yes: Int32 = 1
        setsockopt(file, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(file, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
