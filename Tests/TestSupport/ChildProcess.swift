import DeviceCore
public import Glibc

/// A process that a test starts and ends, by its id.
public final class ChildProcess: Sendable {
    /// Its id.
    public let id: pid_t
    private let ended = Locked(Int32?.none)

    /// Starts a program of this package, which lies beside the tests' own program.
    public convenience init(beside name: String, _ arguments: [String]) throws {
        try self.init(program: try Self.path(beside: name), arguments)
    }

    /// The path of a program of this package, which lies beside the tests' own program.
    public static func path(beside name: String) throws -> String {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count)
        guard count > 0 else { throw Late(description: "no path of this program") }
        let program = String(decoding: buffer[..<count], as: UTF8.self)
        return program[..<(program.lastIndex(of: "/") ?? program.startIndex)] + "/" + name
    }

    /// Starts a program that is found by its path, or in PATH.
    public init(program: String, _ arguments: [String]) throws {
        var words: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) }
        defer { for word in words { free(word) } }
        words.append(nil)
        var id = pid_t()
        // The sockets of tests that run beside this one must not live on in the child.
        for file in Int32(3)..<1024 { _ = fcntl(file, F_SETFD, FD_CLOEXEC) }
        let error = posix_spawnp(&id, program, nil, nil, words, environ)
        guard error == 0 else { throw Late(description: "cannot start \(program): error \(error)") }
        self.id = id
    }

    /// Ends it as a power switch would, and waits until it is gone. Once it is, its id may be another's: then nothing.
    public func killNow() {
        ended.withLock { status in
            guard status == nil else { return }
            kill(id, SIGKILL)
            status = collect()
        }
    }

    /// Its exit status, or minus the signal that ended it.
    public func wait() -> Int32 {
        ended.withLock { status in
            let known = status ?? collect()
            status = known
            return known
        }
    }

    private func collect() -> Int32 {
        var status: Int32 = 0
        while waitpid(id, &status, 0) < 0 { guard errno == EINTR else { return 127 } }
        return status & 0x7F == 0 ? (status >> 8) & 0xFF : -(status & 0x7F)
    }
}
