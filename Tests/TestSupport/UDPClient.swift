import Glibc

/// A forwarder's socket: blocking, so that a test reads like a session.
public final class UDPClient: Sendable {
    private let file: Int32

    /// A socket on loopback that sends to that port.
    public init(port: Int) throws {
        file = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let status = withUnsafeBytes(of: &address) { bytes in
            bytes.withMemoryRebound(to: sockaddr.self) { pointer in
                connect(file, pointer.baseAddress, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else { throw SocketError(number: errno) }
    }

    deinit { close(file) }

    /// Sends a datagram.
    public func send(_ bytes: [UInt8]) throws {
        guard Glibc.send(file, bytes, bytes.count, 0) == bytes.count else { throw SocketError(number: errno) }
    }

    /// The next datagram, nil when none comes in time.
    public func receive(milliseconds: Int32 = 10_000) -> [UInt8]? {
        var waiting = pollfd(fd: file, events: Int16(POLLIN), revents: 0)
        guard poll(&waiting, 1, milliseconds) > 0 else { return nil }
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = recv(file, &bytes, bytes.count, 0)
        return count < 0 ? nil : Array(bytes.prefix(count))
    }
}

/// What the system said about a socket.
public struct SocketError: Error {
    /// The system's number.
    public var number: Int32
}
