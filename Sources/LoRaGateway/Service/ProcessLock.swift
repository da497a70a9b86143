import DeviceCore
import Glibc

/// Lets one gateway run at a time in a state directory. The kernel frees the lock when its process ends, however it
/// ends.
final class ProcessLock: Sendable {
    private let file: Int32

    /// Makes the directory where it is missing, and takes the lock.
    ///
    /// - Throws: `.busy` with the holder's number and name, `.permission`, `.io`.
    init(directory: String) throws(DeviceError) {
        try Self.make(directory)
        let path = directory + "/gateway.lock"
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else {
            throw DeviceError(
                errno == EACCES || errno == EROFS ? .permission : .io,
                "cannot open \(path): \(SystemError.text(errno))",
                hint: "Choose another directory by STATE_DIRECTORY, or check who owns it")
        }
        while flock(file, LOCK_EX | LOCK_NB) != 0 {
            if errno == EINTR { continue }
            let isHeld = errno == EWOULDBLOCK
            let reason = SystemError.text(errno)
            let holder = (try? SystemFile.text(path)) ?? ""
            close(file)
            guard isHeld else { throw DeviceError(.io, "cannot lock \(path): \(reason)") }
            throw DeviceError(
                .busy, "another gateway runs here: \(Self.describe(holder))",
                hint: "Stop it (systemctl stop loragateway), or set STATE_DIRECTORY to another directory")
        }
        self.file = file
        // Only for the message above: that it cannot be written on a full disk is no reason to refuse.
        let pid = Array("\(getpid())\n".utf8)
        if ftruncate(file, 0) == 0 { _ = pid.withUnsafeBytes { pwrite(file, $0.baseAddress, $0.count, 0) } }
    }

    deinit {
        flock(file, LOCK_UN)
        close(file)
    }

    private static func describe(_ holder: String) -> String {
        guard let pid = Int(holder) else { return "process unknown" }
        let name = (try? SystemFile.text("/proc/\(pid)/comm")) ?? "?"
        return "process \(pid) (\(name.printable))"
    }

    private static func make(_ path: String) throws(DeviceError) {
        var built = ""
        for part in path.split(separator: "/") {
            built += "/\(part)"
            guard mkdir(path.hasPrefix("/") ? built : String(built.dropFirst()), 0o700) != 0 else { continue }
            guard errno == EEXIST || errno == EISDIR || errno == EROFS || errno == EACCES else {
                throw DeviceError(.io, "cannot make the directory \(built): \(SystemError.text(errno))")
            }
        }
    }
}
