import Glibc

/// Small files of /proc and /sys, without Foundation.
package enum SystemFile {
    /// The first `limit` bytes. Throws `.notFound`, `.permission` or `.io`.
    package static func read(_ path: String, limit: Int = 65536) throws(DeviceError) -> [UInt8] {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw failure("read", path, errno) }
        defer { close(file) }
        var bytes: [UInt8] = []
        // In growing pieces: these files do not tell their size, and the caller's limit is far above it.
        while bytes.count < limit {
            let count = bytes.count
            let room = min(limit - count, max(4096, count))
            bytes.append(contentsOf: repeatElement(0, count: room))
            let got = bytes.withUnsafeMutableBytes { buffer in
                Glibc.read(file, buffer.baseAddress.map { $0 + count }, room)
            }
            let error = errno
            bytes.removeLast(room - max(0, got))
            if got < 0 {
                if error == EINTR { continue }
                throw failure("read", path, error)
            }
            if got == 0 { break }
        }
        return bytes
    }

    /// The text without surrounding white space and NULs.
    package static func text(_ path: String) throws(DeviceError) -> String {
        let bytes = try read(path)
        let isBlank = { (byte: UInt8) in byte <= 0x20 }
        let end = bytes.lastIndex { !isBlank($0) }
        guard let start = bytes.firstIndex(where: { !isBlank($0) }), let end else { return "" }
        return String(decoding: bytes[start...end], as: UTF8.self)  // safe: both are indices of bytes, in order
    }

    /// Replaces the content by one `write`, as sysfs wants it. Throws `.notFound`, `.permission` or `.io`.
    package static func write(_ text: String, to path: String) throws(DeviceError) {
        let file = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC)
        guard file >= 0 else { throw failure("write", path, errno) }
        defer { close(file) }
        let bytes = Array(text.utf8)
        while true {
            let count = bytes.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            if count == bytes.count { return }
            if count < 0, errno == EINTR { continue }
            throw failure("write", path, count < 0 ? errno : EIO)
        }
    }

    /// The names in a directory, sorted; empty where it cannot be read.
    package static func names(in path: String) -> [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    private static func failure(_ verb: String, _ path: String, _ error: Int32) -> DeviceError {
        let code: DeviceError.Code =
            switch error {
            case ENOENT, ENOTDIR, ENODEV, ENXIO: .notFound
            case EACCES, EPERM, EROFS: .permission
            default: .io
            }
        return DeviceError(code, "cannot \(verb) \(path): \(SystemError.text(error))")
    }
}
