import DeviceCore
import Glibc

/// Opens the device files of buses, with errors that say what to do.
enum BusFile {
    /// A file of `directory` whose name begins with one of the prefixes.
    static func names(in directory: String, prefixes: [String]) -> [String] {
        SystemFile.names(in: directory).filter { name in prefixes.contains { name.hasPrefix($0) } }
    }

    /// Opens a device file.
    ///
    /// - Parameters:
    ///   - group: the group that may open it on Debian and Raspberry Pi OS.
    ///   - absent: what to do when it is not there.
    static func open(
        _ path: String, flags: Int32, group: String, absent: @autoclosure () -> String
    ) throws(DeviceError) -> Int32 {
        while true {
            let file = Glibc.open(path, flags | O_CLOEXEC | O_NOCTTY)
            if file >= 0 { return file }
            switch errno {
            case EINTR: continue
            case EACCES, EPERM:
                throw DeviceError(
                    .permission, "no permission to open \(path)",
                    hint: "Add yourself to the group \(group) with `sudo usermod -aG \(group) $USER`, then log in again"
                )
            case ENOENT, ENXIO, ENODEV: throw DeviceError(.notFound, "there is no \(path)", hint: absent())
            case EBUSY: throw DeviceError(.busy, "\(path) is in use by another program", hint: "Stop that program")
            default: throw DeviceError(.io, "cannot open \(path): \(SystemError.text(errno))")
            }
        }
    }
}
