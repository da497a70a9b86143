import Glibc

/// Files that are there whole or not at all.
package enum AtomicFile {
    /// Whether ``write(_:to:)`` is possible as far as one can see beforehand: makes the file beside it, and takes it away.
    ///
    /// - Throws: as that does.
    package static func check(_ path: String) throws(DeviceError) {
        let existing = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK)
        if existing >= 0 { close(existing) } else if errno == EISDIR { throw failure(path) }
        let temporary = "\(path).\(getpid()).tmp"
        let file = open(temporary, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
        guard file >= 0 else { throw failure(path) }
        close(file)
        unlink(temporary)
    }

    /// Writes a text beside the file, brings it to the disk, and gives it the file's name.
    ///
    /// - Throws: `io` that names the file and what the system said.
    package static func write(_ text: String, to path: String) throws(DeviceError) {
        let temporary = "\(path).\(getpid()).tmp"
        let file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard file >= 0 else { throw failure(path) }
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                let error = failure(path)
                close(file)
                unlink(temporary)
                throw error
            }
            bytes = bytes.dropFirst(count)
        }
        let isDurable = fsync(file) == 0
        guard close(file) == 0, isDurable, rename(temporary, path) == 0 else {
            let error = failure(path)
            unlink(temporary)
            throw error
        }
    }

    private static func failure(_ path: String) -> DeviceError {
        DeviceError(.io, "cannot write \(path): \(SystemError.text(errno))", hint: "Choose another place")
    }
}
