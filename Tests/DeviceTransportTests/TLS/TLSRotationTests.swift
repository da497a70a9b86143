import DeviceCore
import DeviceProtocols
import DeviceTransport
import NIOCore
import TestSupport
import Testing

/// Certificates that are exchanged under a listener that runs.
@Suite(.timeLimit(.minutes(5)))
struct TLSRotationTests {
    @Test func newConnectionsGetTheNewCertificateAndOpenOnesGoOn() async throws {
        let files = try certificates()
        let name = "\(files.directory)/rotated-\(UInt32.random(in: 0...UInt32.max))"
        let identity = TLSIdentity(certificateFile: name + ".pem", key: name + ".key")
        func use(_ pair: TestCertificates.Pair) throws {
            try TestCertificates.replace(identity.certificateFile, by: pair.certificate)
            try TestCertificates.replace(identity.key, by: pair.key)
        }
        try use(files.pair("server"))
        let failures = Locked<[String]>([])
        let context = try TLSServerContext(
            TLSServerConfiguration(identity: identity), checkInterval: .zero,
            onFailure: { error in failures.withLock { $0.append("\(error)") } })
        let listener = try await startListener(tls: context)
        let port = listener.address.port
        #expect(listener.isSecure)
        func subject() async throws -> String? {
            let (connection, handshake) = try await connect(clientContext(), port: port)
            defer { connection.close() }
            return try await handshake.info().peerSubject
        }
        let (first, handshake) = try await connect(clientContext(), port: port)
        #expect(try await handshake.info().peerSubject == "CN=server")
        #expect(context.counters.reloads == 0)

        try use(try files.server("renewed-\(port)", "DNS:cluster.test"))
        #expect(try await subject() == "CN=renewed-\(port)")
        #expect(context.counters.reloads >= 1)
        // The connection from before has its keys.
        try await first.send(get("/"))
        #expect(try await first.take(through: "page for").status == 200)

        // Broken: the old one stays, which is said once.
        let before = context.counters.reloadFailures
        let told = failures.withLock { $0.count }
        try TestCertificates.write("-----BEGIN CERTIFICATE-----\nno\n", to: identity.certificateFile)
        for _ in 0..<3 { #expect(try await subject() == "CN=renewed-\(port)") }
        #expect(context.counters.reloadFailures == before + 1)
        #expect(failures.withLock { $0.count } == told + 1)
        #expect(failures.withLock { $0.last }?.contains(identity.certificateFile) == true)

        // A key that does not fit, and a file that is gone, are no better.
        try TestCertificates.replace(identity.certificateFile, by: files.path("server"))
        #expect(try await subject() == "CN=renewed-\(port)")
        try ChildProgram.run(["rm", identity.key])
        #expect(try await subject() == "CN=renewed-\(port)")
        #expect(context.counters.reloadFailures == before + 3)

        try use(files.pair("server"))
        #expect(try await subject() == "CN=server")
        await listener.close()
    }

    @Test func filesAreLookedAtOnceAnInterval() async throws {
        let files = try certificates()
        let name = "\(files.directory)/slow-\(UInt32.random(in: 0...UInt32.max))"
        let identity = TLSIdentity(certificateFile: name + ".pem", key: files.pair("server").key)
        try TestCertificates.replace(identity.certificateFile, by: files.path("server"))
        let context = try TLSServerContext(
            TLSServerConfiguration(identity: identity), checkInterval: .seconds(3600))
        let listener = try await startListener(tls: context)
        try TestCertificates.write("broken", to: identity.certificateFile)
        let (_, handshake) = try await connect(clientContext(), port: listener.address.port)
        _ = try await handshake.info()
        #expect(context.counters.reloadFailures == 0)
        await listener.close()
    }

    @Test func aClientsOwnCertificateIsFollowedToo() async throws {
        let files = try certificates()
        let name = "\(files.directory)/device-\(UInt32.random(in: 0...UInt32.max))"
        let identity = TLSIdentity(certificateFile: name + ".pem", key: name + ".key")
        let (server, _) = try await startSecure(
            serverContext { $0.clientCertificate = .required(.file(files.path("ca"))) }
        ) { connection in
            _ = try await connection.take(through: "\n")
            try await connection.send("hello\n")
        }
        func isLetIn(_ context: TLSClientContext) async throws -> Bool {
            let (connection, handshake) = try await connect(context, port: server.port)
            _ = try await handshake.info()
            connection.post(ByteBuffer(string: "hello\n"))
            return try await connection.closed().readableBytes == 6
        }
        let stranger = files.pair("clientstranger")
        try TestCertificates.replace(identity.certificateFile, by: stranger.certificate)
        try TestCertificates.replace(identity.key, by: stranger.key)
        let context = try clientContext { $0.identity = identity }
        #expect(try await !isLetIn(context))
        let client = files.pair("client")
        try TestCertificates.replace(identity.certificateFile, by: client.certificate)
        try TestCertificates.replace(identity.key, by: client.key)
        #expect(try await isLetIn(context))
        await server.stop()
    }
}
