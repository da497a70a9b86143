import DeviceCore
import Glibc

/// A directory that one process at a time uses: open for syncing its names, with a lock held until it is let go.
final class StateDirectory {
    let path: String
    private let directory: StoreFile
    private let lock: StoreFile

    /// Makes the directory where it is missing and takes its lock. Throws `.busy` with the holder's pid when another
    /// process, or an earlier opening in this one, holds it.
    ///
    /// The kernel frees the lock when its process ends, however it ends.
    init(_ path: String) throws(DeviceError) {
        try Self.create(path)
        self.path = path
        directory = try StoreFile(path, flags: O_RDONLY | O_DIRECTORY)
        lock = try StoreFile(path + "/lock", flags: O_RDWR | O_CREAT)
        while flock(lock.descriptor, LOCK_EX | LOCK_NB) != 0 {
            if errno == EINTR { continue }
            guard errno == EWOULDBLOCK else { throw StoreFile.error("lock", path, errno) }
            let holder = Self.holder(lock).map { "process \($0)" } ?? "another process"
            throw DeviceError(
                .busy, "\(path) is in use by \(holder)",
                hint: "Stop it or choose another state directory; two programs cannot share one")
        }
        // Only for the message above: that it cannot be written on a full disk is no reason to refuse.
        try? lock.truncate(to: 0)
        try? lock.write(Array("\(getpid())\n".utf8), at: 0)
    }

    /// Said to the kernel, because closing would not be enough while a process that another thread just starts still
    /// has a copy of the descriptor.
    deinit { _ = flock(lock.descriptor, LOCK_UN) }

    /// Makes creations, renames and removals durable.
    func sync() throws(DeviceError) { try directory.syncDirectory() }

    /// Path of a file in it.
    func file(_ name: String) -> String { path + "/" + name }

    /// The names in a directory. Unlike `SystemFile.names`, which takes what it cannot read for empty, it throws: a
    /// store that is taken for empty would number its messages from 1 again.
    static func names(in path: String) throws(DeviceError) -> [String] {
        guard let directory = opendir(path) else { throw StoreFile.error("read", path, errno) }
        defer { closedir(directory) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(directory) else { break }
            names.append(
                withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                })
        }
        guard errno == 0 else { throw StoreFile.error("read", path, errno) }
        return names
    }

    private static func holder(_ lock: StoreFile) -> Int? {
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = (try? lock.read(into: &bytes, limit: bytes.count, at: 0)) ?? 0
        return Int(String(decoding: bytes.prefix(count).prefix { $0 != 0x0A }, as: UTF8.self))
    }

    /// Makes a directory and those above it, for this user only.
    static func create(_ path: String) throws(DeviceError) {
        if mkdir(path, 0o700) == 0 || errno == EEXIST { return }
        guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex else {
            throw StoreFile.error("make the directory", path, errno)
        }
        try create(String(path[..<slash]))
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else {
            throw StoreFile.error("make the directory", path, errno)
        }
    }
}
