import DeviceCore
import Glibc

/// A directory that only this user can read, and that goes with the program.
struct PrivateDirectory: Sendable {
    let path: String

    /// Makes one in `$TMPDIR`, or in /tmp.
    ///
    /// - Throws: ``DeviceError`` `io`.
    init() throws(DeviceError) {
        let parent = Environment.value("TMPDIR") ?? "/tmp"
        var template = Array("\(parent)/leddemo-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw DeviceError(
                .io, "cannot make a directory in \(parent): \(SystemError.text(errno))",
                hint: "Set TMPDIR to one that this user may write to")
        }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Writes a file.
    ///
    /// - Returns: its path.
    func write(_ text: String, to name: String) throws(DeviceError) -> String {
        let file = path + "/" + name
        let descriptor = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw DeviceError(.io, "cannot make \(file): \(SystemError.text(errno))") }
        defer { close(descriptor) }
        try FileDescriptorText.write(text, to: descriptor, patience: 1000)
        return file
    }

    /// Removes it with all that is in it.
    func remove() { Self.remove(path) }

    private static func remove(_ path: String) {
        var status = stat()
        // A link is removed, never followed.
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            unlink(path)
            return
        }
        for name in SystemFile.names(in: path) { remove(path + "/" + name) }
        rmdir(path)
    }
}
