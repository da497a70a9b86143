import Glibc

/// A file system of 256 KiB in memory, unmounted at the end. Making one needs root.
public final class SmallDisk: Sendable {
    private let directory: TemporaryDirectory
    /// Where it is mounted.
    public var path: String { directory("disk") }

    /// Whether this process may mount one.
    public static let isPermitted = geteuid() == 0 && (try? SmallDisk()) != nil

    /// Mounts one.
    public init() throws {
        directory = try TemporaryDirectory()
        guard mkdir(directory("disk"), 0o700) == 0 else { throw Late(description: "no directory to mount on") }
        let mount = try ChildProcess(
            program: "mount", ["-t", "tmpfs", "-o", "size=256k", "small-disk", directory("disk")])
        guard mount.wait() == 0 else { throw Late(description: "no tmpfs can be mounted") }
    }

    deinit { umount2(directory("disk"), Int32(MNT_DETACH)) }

    /// Takes all room.
    public func fill() {
        let file = open(path + "/filler", O_WRONLY | O_CREAT | O_APPEND, 0o600)
        defer { close(file) }
        let page = [UInt8](repeating: 0, count: 4096)
        for size in [4096, 512, 1] { while write(file, page, size) > 0 {} }
    }

    /// Gives it back.
    public func free() { unlink(path + "/filler") }
}
