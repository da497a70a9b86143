import DeviceCore
public import Glibc
import NIOPosix

/// A program that a test runs beside itself: what it prints is kept, what it reads comes from the test.
public final class ChildProgram: Sendable {
    /// Its process.
    public let pid: pid_t
    private let outputPath: String
    private let input: Locked<Int32>
    private let status = Locked<Int32?>(nil)

    /// Starts a program of PATH.
    public init(_ arguments: [String]) throws {
        var path = Array("/tmp/devicesdk-child-XXXXXX".utf8CString)
        let output = mkstemp(&path)
        guard output >= 0 else { throw Late(description: "no temporary file") }
        defer { close(output) }
        outputPath = String(decoding: path.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw Late(description: "no pipe") }
        defer { close(ends[0]) }
        input = Locked(ends[1])

        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[0], STDIN_FILENO)
        posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
        posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO)
        // The sockets of tests that run beside this one must not live on in the child.
        for file in Int32(3)..<1024 { _ = fcntl(file, F_SETFD, FD_CLOEXEC) }
        // Swift's threads block signals, which a child inherits.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        var pid = pid_t()
        guard posix_spawnp(&pid, arguments.first ?? "", &actions, &attributes, &pointers, environ) == 0 else {
            throw Late(description: "cannot start \(arguments.first ?? "nothing"): is it installed?")
        }
        self.pid = pid
    }

    deinit {
        endInput()
        if status.withLock({ $0 }) == nil {
            kill(pid, SIGKILL)
            var status: Int32 = 0
            waitpid(pid, &status, 0)
        }
        unlink(outputPath)
    }

    /// Runs a program to its end; throws what it printed if that was not a good one.
    @discardableResult
    public static func run(_ arguments: [String]) throws -> String {
        let program = try ChildProgram(arguments)
        program.endInput()
        var status: Int32 = 0
        waitpid(program.pid, &status, 0)
        program.status.withLock { $0 = status }
        let output = program.output
        guard status == 0 else { throw Late(description: "\(arguments.joined(separator: " ")): \(output)") }
        return output
    }

    /// What it has printed so far, both streams.
    public var output: String { String(decoding: outputBytes, as: UTF8.self) }

    /// The same as bytes.
    public var outputBytes: [UInt8] { (try? SystemFile.read(outputPath, limit: 64 << 20)) ?? [] }

    /// Bytes printed so far.
    public var outputCount: Int {
        var status = stat()
        return stat(outputPath, &status) == 0 ? Int(status.st_size) : 0
    }

    /// Gives it something to read; returns when it has taken it.
    public func send(_ bytes: [UInt8]) async throws {
        try await NIOThreadPool.singleton.runIfActive { [self] in
            let file = input.withLock { $0 }
            var sent = 0
            while sent < bytes.count {
                let count = bytes.withUnsafeBytes { write(file, $0.baseAddress?.advanced(by: sent), $0.count - sent) }
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { throw Late(description: "the child does not read") }
                sent += count
            }
        }
    }

    /// Gives it a text to read.
    public func send(_ text: String) async throws { try await send(Array(text.utf8)) }

    /// It finds the end of its input.
    public func endInput() {
        input.withLock { file in
            if file >= 0 { close(file) }
            file = -1
        }
    }

    /// Waits until it has printed a text.
    public func prints(_ text: String) async throws {
        do {
            try await eventually("\"\(text)\" from process \(pid)") { [self] in output.contains(text) }
        } catch {
            throw Late(description: "\(error): it printed \(output.suffix(2000))")
        }
    }

    /// Waits for its end. Gives its status.
    @discardableResult
    public func ended() async throws -> Int32 {
        try await eventually("the end of process \(pid)") { [self] in
            status.withLock { known in
                var status: Int32 = 0
                if known == nil, waitpid(pid, &status, WNOHANG) == pid { known = status }
                return known != nil
            }
        }
        return (status.withLock { $0 ?? 0 } >> 8) & 0xFF
    }

    /// Stops it for a while.
    public func freeze() { kill(pid, SIGSTOP) }
}
