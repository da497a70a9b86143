package import DeviceCore
import Glibc
import NIOCore

extension ListenAddress {
    /// Why it is not possible to listen here, and what to do.
    ///
    /// - Parameters:
    ///   - tool: the command that lists who listens: `ss -ltnp` for TCP, `ss -lunp` for UDP.
    ///   - flag: the flag by which another port is chosen.
    package func explain(_ error: any Error, tool: String, flag: String = "--listen") -> DeviceError {
        switch (error as? IOError)?.errnoCode {
        case EADDRINUSE:
            return DeviceError(
                .busy, "another program already listens on \(self)",
                hint: "Choose another port with \(flag), or find the program with: \(tool) 'sport = :\(port)'")
        case EACCES:
            return DeviceError(
                .permission, "this user may not listen on \(self)", hint: "Ports from 1024 need no special right")
        case EADDRNOTAVAIL:
            return DeviceError(
                .unavailable, "this machine has no address \(host)", hint: "See its addresses with: ip address")
        default:
            return DeviceError(
                .unavailable, "cannot listen on \(self)", hint: "Write ADDR:PORT with an address of this machine",
                cause: error)
        }
    }
}
