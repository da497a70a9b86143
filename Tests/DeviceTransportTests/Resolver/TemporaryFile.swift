import DeviceCore
import Glibc

/// A file that goes with its last reference.
final class TemporaryFile: Sendable {
    let path: String

    init(_ text: String) throws {
        var path = Array("/tmp/devicesdk-test-XXXXXX".utf8CString)
        let file = mkstemp(&path)
        guard file >= 0 else { throw DeviceError(.io, "no temporary file") }
        close(file)
        self.path = String(decoding: path.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        try write(text)
    }

    deinit { unlink(path) }

    func write(_ text: String) throws {
        let file = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC)
        guard file >= 0 else { throw DeviceError(.io, "cannot write \(path)") }
        defer { close(file) }
        let bytes = Array(text.utf8)
        guard Glibc.write(file, bytes, bytes.count) == bytes.count else {
            throw DeviceError(.io, "cannot write \(path)")
        }
    }
}
