import DeviceCore
import Glibc
import TestSupport

/// A UDP port of loopback that is nobody's until it is released: a server that is not there.
final class ReservedUDPPort: Sendable {
    let port: Int
    private let file: Locked<Int32?>

    init() throws {
        let file = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(file, address, length) == 0 ? getsockname(file, address, &length) : -1
            }
        }
        port = Int(UInt16(bigEndian: address.sin_port))
        self.file = Locked(file)
        guard result == 0 else { throw Late(description: "no port can be reserved") }
    }

    deinit { release() }

    /// Lets a server have it.
    func release() {
        file.withLock { file in
            if let descriptor = file { close(descriptor) }
            file = nil
        }
    }
}
