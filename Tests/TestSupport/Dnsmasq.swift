import DeviceCore
import DeviceProtocols
import DeviceTransport
import Glibc

/// A real DNS server on a free port of 127.0.0.1, for the domain `cluster.test`.
///
/// It is reached by its own process id only. Its methods are called from one test, one after the other.
public final class Dnsmasq: Sendable {
    let pid: pid_t
    /// Its port.
    public let port: Int
    private let directory: String

    private static let places: [String] = ["/usr/sbin/dnsmasq", "/usr/bin/dnsmasq", "/usr/local/sbin/dnsmasq"]
    private static let program = places.first { access($0, X_OK) == 0 }
    /// Whether there is one on this machine.
    public static var isInstalled: Bool { program != nil }

    /// Starts it and waits until it answers. `hosts`: lines of a hosts file, whose names get the time to live, in seconds.
    public init(hosts: String, timeToLive: Int = 1, options: [String] = []) async throws {
        guard let program = Self.program else { throw DeviceError(.notFound, "dnsmasq is not installed") }
        var path = Array("/tmp/devicesdk-dns-XXXXXX".utf8CString)
        guard mkdtemp(&path) != nil else { throw DeviceError(.io, "no directory for dnsmasq") }
        let directory = String(decoding: path.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        // It reads its file again as another user when it was started as root.
        chmod(directory, 0o755)
        self.directory = directory
        var started: (pid: pid_t, port: Int)?
        try Self.write(hosts, to: directory + "/hosts")
        // Another program may take the port between the look and the start.
        for _ in 0..<5 where started == nil {
            let port = try Self.freePort()
            let arguments =
                [
                    program, "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--port=\(port)",
                    "--listen-address=127.0.0.1", "--bind-interfaces", "--no-resolv", "--no-hosts",
                    "--addn-hosts=\(directory)/hosts", "--local-ttl=\(timeToLive)", "--local=/cluster.test/",
                    "--log-facility=-",
                ] + options
            let pid = try Self.spawn(arguments)
            started = try await Self.answers(port, pid) ? (pid, port) : nil
        }
        guard let started else {
            Self.remove(directory)
            throw DeviceError(.unavailable, "dnsmasq did not start")
        }
        (pid, port) = started
    }

    deinit { end() }

    /// `127.0.0.1:PORT`, as a resolver wants it.
    public var server: String { "127.0.0.1:\(port)" }

    /// Replaces the hosts file.
    public func set(hosts: String) throws {
        try Self.write(hosts, to: directory + "/hosts")
        kill(pid, SIGHUP)
    }

    /// It answers no more, until ``thaw()``.
    public func freeze() { kill(pid, SIGSTOP) }
    /// It goes on.
    public func thaw() { kill(pid, SIGCONT) }

    /// Ends it; may be called twice.
    public func end() {
        guard access(directory, F_OK) == 0 else { return }
        kill(pid, SIGKILL)
        var status: Int32 = 0
        waitpid(pid, &status, 0)
        Self.remove(directory)
    }

    private static func remove(_ directory: String) {
        unlink(directory + "/hosts")
        rmdir(directory)
    }

    private static func answers(_ port: Int, _ pid: pid_t) async throws -> Bool {
        var configuration = try ResolverConfiguration(servers: "127.0.0.1:\(port)")
        configuration.limits.failureWait = .zero
        configuration.limits.minimumTimeToLive = .zero
        configuration.hostsFile = ""
        let resolver = try NameResolver(configuration)
        for _ in 0..<200 {
            do {
                _ = try await resolver.resolve(ResolverTarget("nothing.cluster.test", port: 1))
            } catch  where error.code == .notFound {
                await resolver.shutDown()
                return true
            } catch {
                // Not yet, or it has ended: a port that was taken.
                var status: Int32 = 0
                if waitpid(pid, &status, WNOHANG) == pid { return false }
                try await Task.sleep(for: .milliseconds(20))
            }
        }
        kill(pid, SIGKILL)
        return false
    }

    private static func spawn(_ arguments: [String]) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for stream in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] {
            posix_spawn_file_actions_addopen(&actions, stream, "/dev/null", O_RDWR, 0)
        }
        // The sockets of tests that run beside this one must not live on in the child.
        for file in Int32(3)..<1024 { _ = fcntl(file, F_SETFD, FD_CLOEXEC) }
        var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        // Swift's threads block signals, which a child inherits.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var pid = pid_t()
        let error = posix_spawn(&pid, arguments[0], &actions, &attributes, &pointers, environ)
        guard error == 0 else { throw DeviceError(.io, "cannot start dnsmasq") }
        return pid
    }

    private static func write(_ text: String, to path: String) throws {
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard file >= 0 else { throw DeviceError(.io, "cannot write \(path) (error \(errno))") }
        defer { close(file) }
        let bytes = Array(text.utf8)
        guard Glibc.write(file, bytes, bytes.count) == bytes.count else {
            throw DeviceError(.io, "cannot write \(path)")
        }
    }

    /// A port that is free for UDP and TCP now.
    public static func freePort() throws -> Int {
        for _ in 0..<50 {
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            let stream = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            let datagram = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
            defer {
                close(stream)
                close(datagram)
            }
            var size = socklen_t(MemoryLayout<sockaddr_in>.size)
            let isBound = withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                    bind(stream, pointer, size) == 0 && getsockname(stream, pointer, &size) == 0
                        && bind(datagram, pointer, size) == 0
                }
            }
            if isBound { return Int(UInt16(bigEndian: address.sin_port)) }
        }
        throw DeviceError(.io, "no free port")
    }
}
