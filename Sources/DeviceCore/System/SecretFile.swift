import Glibc

/// Files that hold secrets.
package enum SecretFile {
    /// Their bytes.
    ///
    /// - Parameter what: what the file is, for messages: `the cluster password`.
    /// - Throws: ``DeviceError`` `configuration` when everybody on this machine may read or change the file, or it is
    ///   longer than `limit`; else as ``SystemFile/read(_:limit:)``.
    package static func read(_ path: String, _ what: String, limit: Int) throws(DeviceError) -> [UInt8] {
        var about = stat()
        if stat(path, &about) == 0, about.st_mode & 0o007 != 0 {
            throw DeviceError(
                .configuration, "\(path) with \(what) is open to everybody on this machine", hint: "chmod 600 \(path)")
        }
        let bytes = try SystemFile.read(path, limit: limit + 1)
        guard bytes.count <= limit else {
            throw DeviceError(.configuration, "\(path) with \(what) is longer than \(limit) bytes")
        }
        return bytes
    }
}
