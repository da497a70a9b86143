import DeviceCore
import DeviceProtocols
import DeviceTransport
import Logging
import NIOCore
import TestSupport

/// What a handshake led to, for who waits for it.
final class HandshakeResult: Sendable {
    private let result = Locked<Result<TLSInfo, DeviceError>?>(nil)
    private let calls = Locked(0)

    func set(_ new: Result<TLSInfo, DeviceError>) {
        result.withLock { $0 = new }
        calls.withLock { $0 += 1 }
    }
    /// How often the handler has reported; once is right.
    var count: Int { calls.withLock { $0 } }

    func get() async throws -> Result<TLSInfo, DeviceError> {
        try await eventually("the end of a handshake") { [self] in result.withLock { $0 != nil } }
        guard let result = result.withLock({ $0 }) else { throw Late(description: "no result") }
        return result
    }
    func info() async throws -> TLSInfo { try await get().get() }
    func error() async throws -> DeviceError {
        switch try await get() {
        case .success(let info): throw Late(description: "it succeeded: \(info)")
        case .failure(let error): return error
        }
    }
}

func certificates() throws -> TestCertificates { try TestCertificates.shared.get() }

extension TestCertificates.Pair {
    var identity: TLSIdentity { TLSIdentity(certificateFile: certificate, key: key) }
}

/// A client that trusts the tests' authority.
func clientContext(
    sessions: TLSSessionCache = TLSSessionCache(), _ set: (inout TLSClientConfiguration) -> Void = { _ in }
) throws -> TLSClientContext {
    var configuration = TLSClientConfiguration(trustRoots: .file(try certificates().path("ca")))
    set(&configuration)
    return try TLSClientContext(configuration, sessions: sessions, checkInterval: .zero)
}

func serverContext(
    _ name: String = "server", _ set: (inout TLSServerConfiguration) -> Void = { _ in }
) throws -> TLSServerContext {
    var configuration = TLSServerConfiguration(identity: try certificates().pair(name).identity)
    set(&configuration)
    return try TLSServerContext(configuration, checkInterval: .zero)
}

/// Connects to 127.0.0.1, whatever the server's name.
func connect(
    _ context: TLSClientContext, port: Int, name: String = "cluster.test", timeout: Duration = .seconds(20),
    reads: Bool = true
) async throws -> (connection: RawConnection, handshake: HandshakeResult) {
    let handshake = HandshakeResult()
    let connection = try await RawConnection.connect(port: port, reads: reads) { channel in
        let handler = try context.makeHandler(
            serverName: name, port: port, timeout: timeout, onHandshake: handshake.set)
        try channel.pipeline.syncOperations.addHandler(handler)
    }
    return (connection, handshake)
}

/// A secure server whose connections are handed to a closure, with what their handshakes led to.
func startSecure(
    _ context: TLSServerContext, timeout: Duration = .seconds(20),
    _ serve: @escaping @Sendable (RawConnection) async throws -> Void
) async throws -> (server: FakeServer, handshake: HandshakeResult) {
    let handshake = HandshakeResult()
    let server = try await FakeServer.start(
        prepare: { channel in
            let handler = try context.makeHandler(client: "test", timeout: timeout, onHandshake: handshake.set)
            try channel.pipeline.syncOperations.addHandler(handler)
        }, serve)
    return (server, handshake)
}

/// `openssl s_server` with one of the tests' certificates.
struct OpenSSLServer {
    let program: ChildProgram
    let reserved: ReservedPort
    var port: Int { reserved.port }

    /// - Parameter options: of `openssl s_server`.
    static func start(_ name: String = "server", _ options: [String] = ["-rev"]) async throws -> OpenSSLServer {
        let pair = try certificates().pair(name)
        let reserved = try ReservedPort()
        let program = try ChildProgram(
            [
                "openssl", "s_server", "-accept", "127.0.0.1:\(reserved.port)", "-cert", pair.certificate,
                "-cert_chain", pair.certificate, "-key", pair.key,
            ] + options)
        // Asking the port would use up a connection.
        let entry = ":" + hexadecimal(reserved.port) + " 00000000:0000 0A"
        try await eventually("openssl s_server listens") {
            try SystemFile.text("/proc/net/tcp").contains(entry)
        }
        return OpenSSLServer(program: program, reserved: reserved)
    }

    private static func hexadecimal(_ port: Int) -> String {
        let digits = String(port, radix: 16, uppercase: true)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }
}

/// `openssl s_client` that checks the certificate for `cluster.test`.
func startOpenSSLClient(port: Int, _ options: [String] = []) throws -> ChildProgram {
    try ChildProgram(
        [
            "openssl", "s_client", "-connect", "127.0.0.1:\(port)", "-servername", "cluster.test", "-verify_hostname",
            "cluster.test", "-CAfile", try certificates().path("ca"), "-verify_return_error",
        ] + options)
}
