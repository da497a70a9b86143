import DeviceCore
import DeviceProtocols
import DeviceTransport
import NIOCore
import TestSupport
import Testing

/// What our client thinks of the certificates of `openssl s_server`.
@Suite(.timeLimit(.minutes(5)))
struct TLSCertificateTests {
    /// The error of a handshake with a server that shows a certificate.
    private func refusal(
        of certificate: String, name: String = "cluster.test", options: [String] = ["-rev"],
        _ set: (inout TLSClientConfiguration) -> Void = { _ in }
    ) async throws -> DeviceError {
        let server = try await OpenSSLServer.start(certificate, options)
        let (connection, handshake) = try await connect(clientContext(set), port: server.port, name: name)
        let error = try await handshake.error()
        try await connection.closed()
        #expect(connection.received.readableBytes == 0)
        #expect(handshake.count == 1)
        return error
    }

    @Test func theNameIsTheClustersWhileTheConnectionGoesToAnAddress() async throws {
        let server = try await OpenSSLServer.start("server", ["-rev", "-alpn", "http/1.1"])
        let (connection, handshake) = try await connect(clientContext(), port: server.port, name: "Cluster.TEST.")
        let info = try await handshake.info()
        #expect(info.version == "TLSv1.3")
        #expect(info.applicationProtocol == "http/1.1")
        #expect(info.peerSubject == "CN=server")
        #expect(info.peerNames == "cluster.test, localhost, 127.0.0.1, ::1")
        #expect(!info.isResumed)
        try await connection.send("hello\n")
        #expect(try await connection.take(through: "\n") == "olleh\n")
    }

    @Test(arguments: ["127.0.0.1", "::1"]) func anAddressIsCheckedAsAnAddress(address: String) async throws {
        let server = try await OpenSSLServer.start()
        let (_, handshake) = try await connect(clientContext(), port: server.port, name: address)
        #expect(try await handshake.info().peerSubject == "CN=server")
    }

    @Test(arguments: ["127.0.0.2", "::2"]) func anAddressThatIsNotInItIsRefused(address: String) async throws {
        let error = try await refusal(of: "server", name: address)
        #expect(error.code == .certificate)
        #expect(error.message.contains("not for \(address)"), "\(error)")
    }

    @Test func anotherNameIsRefusedAndTheCertificatesNamesAreSaid() async throws {
        let error = try await refusal(of: "wrong")
        #expect(error.code == .certificate)
        #expect(error.message.contains("CN=wrong"), "\(error)")
        #expect(error.message.contains("the names other.test, *.wild.test, 10.1.2.3, not for cluster.test"), "\(error)")
    }

    @Test func aStarStandsForOneLabel() async throws {
        let server = try await OpenSSLServer.start("wrong")
        let (_, handshake) = try await connect(clientContext(), port: server.port, name: "a.wild.test")
        _ = try await handshake.info()
        let error = try await refusal(of: "wrong", name: "a.b.wild.test")
        #expect(error.code == .certificate)
    }

    @Test func aCommonNameIsNoName() async throws {
        let error = try await refusal(of: "nameless", name: "nameless")
        #expect(error.code == .certificate)
        #expect(error.message.contains("no subjectAltName"), "\(error)")
    }

    @Test func anExpiredOneIsRefusedWithItsDate() async throws {
        let error = try await refusal(of: "expired")
        #expect(error.code == .certificate)
        #expect(error.message.contains("CN=expired"), "\(error)")
        #expect(error.message.contains("has expired on Jan  1 00:00:00 2021 GMT"), "\(error)")
    }

    @Test func oneThatIsNotYetValidPointsAtTheClock() async throws {
        let error = try await refusal(of: "early")
        #expect(error.code == .certificate)
        #expect(error.message.contains("not valid before Jan  1 00:00:00 2048 GMT"), "\(error)")
        #expect(error.hint?.contains("clock") == true)
    }

    @Test func anUnknownAuthorityIsNamedAndSoIsTheOption() async throws {
        let error = try await refusal(of: "stranger")
        #expect(error.code == .certificate)
        #expect(error.message.contains("CN=stranger"), "\(error)")
        #expect(error.message.contains("is signed by CN=Foreign Root"), "\(error)")
        #expect(error.hint?.contains("--tls-ca") == true)
    }

    @Test func aMissingIntermediateIsAnUnknownAuthority() async throws {
        let files = try certificates()
        let server = try await OpenSSLServer.start(
            "server", ["-rev", "-cert", files.directory + "/server.one", "-cert_chain", files.path("foreign")])
        let (_, handshake) = try await connect(clientContext(), port: server.port)
        let error = try await handshake.error()
        #expect(error.message.contains("is signed by CN=Test Intermediate"), "\(error)")
        #expect(error.hint?.contains("intermediate") == true)
    }

    @Test func theSystemsAuthoritiesAreTheDefault() async throws {
        let error = try await refusal(of: "server") { $0 = TLSClientConfiguration() }
        #expect(error.code == .certificate)
        #expect(error.message.contains("not trusted"), "\(error)")
    }

    @Test func aSelfSignedOneIsRefusedUnlessItIsTrustedItself() async throws {
        let error = try await refusal(of: "selfsigned")
        #expect(error.code == .certificate)
        #expect(error.message.contains("signed by itself"), "\(error)")
        let path = try certificates().path("selfsigned")
        let server = try await OpenSSLServer.start("selfsigned")
        let (_, handshake) = try await connect(clientContext { $0.trustRoots = .file(path) }, port: server.port)
        _ = try await handshake.info()
    }

    @Test func aClientsCertificateIsNoServers() async throws {
        let error = try await refusal(of: "client")
        #expect(error.message.contains("not made for a server"), "\(error)")
    }

    @Test func aDirectoryOfAuthoritiesWorks() async throws {
        let files = try certificates()
        let directory = files.directory + "/roots-\(UInt32.random(in: 0...UInt32.max))"
        try ChildProgram.run(["mkdir", directory])
        try ChildProgram.run(["cp", files.path("ca"), directory])
        try ChildProgram.run(["openssl", "rehash", directory])
        let server = try await OpenSSLServer.start()
        let (_, handshake) = try await connect(
            clientContext { $0.trustRoots = .directory(directory) }, port: server.port)
        _ = try await handshake.info()
        try ChildProgram.run(["rm", "-r", directory])
    }

    @Test(arguments: ["wrong", "expired", "stranger", "selfsigned"])
    func theOptionForTestsTakesEverything(certificate: String) async throws {
        let server = try await OpenSSLServer.start(certificate)
        let (connection, handshake) = try await connect(
            clientContext { $0.acceptsEveryCertificateForTestsOnly = true }, port: server.port)
        #expect(try await handshake.info().peerSubject == "CN=\(certificate)")
        try await connection.send("hello\n")
        #expect(try await connection.take(through: "\n") == "olleh\n")
    }

    @Test func wrongFilesAreNamed() throws {
        let files = try certificates()
        func error(_ make: () throws -> Void) -> String {
            do {
                try make()
                return "none"
            } catch {
                return "\(error)"
            }
        }
        #expect(error { _ = try clientContext { $0.trustRoots = .file("/nowhere.pem") } }.contains("/nowhere.pem"))
        #expect(error { _ = try clientContext { $0.trustRoots = .directory("/nowhere") } }.contains("/nowhere"))
        let key = error {
            _ = try serverContext { $0.identity.key = files.pair("client").key }
        }
        #expect(key.contains("client.key") && key.contains("key values mismatch"), "\(key)")
        let locked = files.directory + "/locked.key"
        try ChildProgram.run([
            "openssl", "ec", "-in", files.pair("server").key, "-aes256", "-passout", "pass:secret", "-out", locked,
        ])
        let password = error { _ = try serverContext { $0.identity.key = locked } }
        #expect(password.contains("locked.key") && password.contains("without a password"), "\(password)")
        let uri = error { _ = try serverContext { $0.identity.key = "pkcs11:token=x;pin-value=1234" } }
        #expect(uri.contains("pkcs11:token=x") && !uri.contains("1234"), "\(uri)")
    }

    @Test func aKeyCanBeAnAddress() async throws {
        let key = try certificates().pair("server").key
        let context = try serverContext { $0.identity.key = "file:\(key)" }
        let (server, _) = try await startSecure(context) { try await $0.closed() }
        let (_, handshake) = try await connect(clientContext(), port: server.port)
        #expect(try await handshake.info().peerSubject == "CN=server")
        await server.stop()
    }
}
