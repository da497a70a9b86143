import Glibc

/// A directory for one test, removed with what is in it.
public final class TemporaryDirectory: Sendable {
    /// Its path.
    public let path: String

    /// In memory where the machine offers that: most tests are about content, not about a disk.
    public init(onDisk: Bool = false) throws {
        let base = !onDisk && access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"
        let template = Array("\(base)/outbox-tests-XXXXXX".utf8CString)
        let made = withUnsafeTemporaryAllocation(of: CChar.self, capacity: template.count) { buffer -> String? in
            _ = buffer.initialize(from: template)
            return buffer.baseAddress.flatMap { mkdtemp($0) }.map { String(cString: $0) }
        }
        path = try Self.require(made, "a directory")
    }

    deinit { Self.remove(path) }

    /// The path of a file in it.
    public func callAsFunction(_ name: String) -> String { path + "/" + name }

    /// What is in a directory, sorted.
    public static func names(_ path: String) -> [String] {
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

    /// Removes a file, or a directory with what is in it.
    public static func remove(_ path: String) {
        for name in names(path) { remove(path + "/" + name) }
        if unlink(path) != 0 { rmdir(path) }
    }

    /// The bytes of a file.
    public static func read(_ path: String) throws -> [UInt8] {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        try require(file >= 0, path)
        defer { close(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = Glibc.read(file, &buffer, buffer.count)
            try require(count >= 0, path)
            if count == 0 { return bytes }
            bytes.append(contentsOf: buffer[..<count])
        }
    }

    /// Writes a file.
    public static func write(_ bytes: [UInt8], to path: String) throws {
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        try require(file >= 0, path)
        defer { close(file) }
        try require(bytes.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) } == bytes.count, path)
    }

    private static func require<Value>(_ value: Value?, _ what: String) throws -> Value {
        guard let value else { throw Late(description: "no \(what): error \(errno)") }
        return value
    }

    private static func require(_ condition: Bool, _ what: String) throws {
        _ = try require(condition ? () : nil, what)
    }

    /// All files of a directory, to begin a test from the same ones again and again.
    public static func snapshot(_ path: String) throws -> [String: [UInt8]] {
        var files: [String: [UInt8]] = [:]
        for name in names(path) { files[name] = try read(path + "/" + name) }
        return files
    }

    /// Makes a directory have these files and no others.
    public static func restore(_ files: [String: [UInt8]], to path: String) throws {
        remove(path)
        try require(mkdir(path, 0o700) == 0, path)
        for (name, bytes) in files { try write(bytes, to: path + "/" + name) }
    }
}
