import DeviceCore
import DeviceProtocols
import Glibc

/// Socket addresses, and what every socket is given.
enum LuaAddress {
    static func endpoint(_ address: sockaddr_storage) -> Endpoint? {
        withUnsafeBytes(of: address) { bytes in
            switch Int32(address.ss_family) {
            case AF_INET:
                let raw = bytes.loadUnaligned(as: sockaddr_in.self)
                let octets = withUnsafeBytes(of: raw.sin_addr) { Array($0) }
                return IPAddress(bytes: octets).map { Endpoint($0, port: Int(UInt16(bigEndian: raw.sin_port))) }
            case AF_INET6:
                let raw = bytes.loadUnaligned(as: sockaddr_in6.self)
                let octets = withUnsafeBytes(of: raw.sin6_addr) { Array($0) }
                return IPAddress(bytes: octets).map { Endpoint($0, port: Int(UInt16(bigEndian: raw.sin6_port))) }
            default: return nil
            }
        }
    }

    /// Calls something with the address as the kernel wants it.
    static func with(
        _ address: IPAddress, port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        if address.isIPv4 {
            var raw = sockaddr_in()
            raw.sin_family = sa_family_t(AF_INET)
            raw.sin_port = UInt16(truncatingIfNeeded: port).bigEndian
            withUnsafeMutableBytes(of: &raw.sin_addr) { $0.copyBytes(from: address.bytes) }
            return withUnsafePointer(to: &raw) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }
        var raw = sockaddr_in6()
        raw.sin6_family = sa_family_t(AF_INET6)
        raw.sin6_port = UInt16(truncatingIfNeeded: port).bigEndian
        withUnsafeMutableBytes(of: &raw.sin6_addr) { $0.copyBytes(from: address.bytes) }
        return withUnsafePointer(to: &raw) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in6>.size))
            }
        }
    }

    /// A socket of an address's family.
    static func socket(for address: IPAddress, stream: Bool) throws -> Int32 {
        let kind = Int32(stream ? SOCK_STREAM.rawValue : SOCK_DGRAM.rawValue)
        let descriptor = Glibc.socket(address.isIPv4 ? AF_INET : AF_INET6, kind, 0)
        guard descriptor >= 0 else { throw LuaError("no socket: \(SystemError.text(errno))") }
        do { try prepare(descriptor) } catch {
            close(descriptor)
            throw error
        }
        return descriptor
    }

    /// Closed in children, never blocking, and without Nagle's delay.
    static func prepare(_ descriptor: Int32) throws {
        let flags = fcntl(descriptor, F_GETFL)
        guard fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0, fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) == 0 else {
            throw LuaError("no socket: \(SystemError.text(errno))")
        }
        set(descriptor, IPPROTO_TCP, TCP_NODELAY, 1)
    }

    @discardableResult
    static func set(_ descriptor: Int32, _ level: Int, _ option: Int32, _ value: Int32) -> Bool {
        var value = value
        return setsockopt(descriptor, Int32(level), option, &value, socklen_t(MemoryLayout<Int32>.size)) == 0
    }
}
