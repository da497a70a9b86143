import DeviceCore
import Glibc

/// Tells systemd how the service is doing (sd_notify(3)): a datagram to the unix socket that `NOTIFY_SOCKET` names.
/// Does nothing where there is none.
struct SystemdNotifier: Sendable {
    private let path: String?
    /// How often systemd wants to hear that the service is alive (`WATCHDOG_USEC`); nil for not.
    let watchdog: Duration?

    init(environment: (String) -> String? = { name in getenv(name).map { String(cString: $0) } }) {
        // A path, or @ and a name in the abstract namespace.
        path = environment("NOTIFY_SOCKET").flatMap { $0.hasPrefix("/") || $0.hasPrefix("@") ? $0 : nil }
        // WATCHDOG_PID names the process that is meant, when it is not any.
        let isMeant = environment("WATCHDOG_PID").map { Int32($0) == getpid() } ?? true
        let microseconds = environment("WATCHDOG_USEC").flatMap { Int64($0) } ?? 0
        watchdog = isMeant && microseconds > 0 ? .microseconds(microseconds) : nil
    }

    /// Sends lines such as `READY=1`. Never blocks for long and never fails: who does not listen is not told.
    func send(_ lines: String...) {
        guard let path, path.utf8.count < 108 else { return }
        let file = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard file >= 0 else { return }
        defer { close(file) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var name = Array(path.utf8)
        if name.first == UInt8(ascii: "@") { name[0] = 0 }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + name.count)
        let text = Array(lines.joined(separator: "\n").utf8)
        _ = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                text.withUnsafeBytes { sendto(file, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT), generic, length) }
            }
        }
    }
}
