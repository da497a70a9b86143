import DeviceCore
import DeviceProtocols
import DeviceTransport
import NIOCore
import TestSupport
import Testing

/// Sessions that are taken up again, and those that must not be: a resumed session skips the certificate's check.
@Suite(.timeLimit(.minutes(5)))
struct TLSSessionTests {
    /// One connection up to a byte from the server, which comes behind the ticket of TLS 1.3.
    private func visit(
        _ context: TLSClientContext, port: Int, name: String = "cluster.test"
    ) async throws -> Result<TLSInfo, DeviceError> {
        let (connection, handshake) = try await connect(context, port: port, name: name)
        let result = try await handshake.get()
        guard case .success = result else { return result }
        try await connection.send("hello\n")
        _ = try await connection.take(through: "\n")
        connection.close()
        try await connection.closed()
        return result
    }

    private func echoServer(
        _ context: TLSServerContext
    ) async throws -> FakeServer {
        try await startSecure(context) { connection in
            while true { try await connection.send(try await connection.take(through: "\n")) }
        }.server
    }

    @Test(arguments: ["-tls1_2", "-tls1_3"]) func aSessionOfOpensslsServerIsTakenUpAgain(version: String) async throws {
        let server = try await OpenSSLServer.start("server", ["-rev", version])
        let context = try clientContext()
        #expect(try await !visit(context, port: server.port).get().isResumed)
        for _ in 0..<3 {
            let info = try await visit(context, port: server.port).get()
            #expect(info.isResumed)
            #expect(info.peerSubject == "CN=server")
        }
        let counters = context.sessions.counters
        #expect(counters.missed == 1)
        #expect(counters.offered == 3)
    }

    @Test func ourServerLetsSessionsBeTakenUp() async throws {
        let context = try serverContext()
        let server = try await echoServer(context)
        let client = try clientContext()
        for expected in [false, true, true] {
            #expect(try await visit(client, port: server.port).get().isResumed == expected)
        }
        #expect(context.counters.resumed == 2)
        // openssl s_client with a session in a file.
        let file = try certificates().directory + "/session-\(UInt32.random(in: 0...UInt32.max))"
        for (option, text) in [("-sess_out", "New, TLSv1.3"), ("-sess_in", "Reused, TLSv1.3")] {
            let program = try startOpenSSLClient(port: server.port, [option, file])
            try await program.send("hello there\n")
            try await program.prints("hello there")
            try await program.prints(text)
            program.endInput()
            try await program.ended()
        }
        await server.stop()
    }

    /// A connection that is cut, as in a failover, does not cost its session.
    @Test func aCutConnectionLeavesItsSessionUsable() async throws {
        let server = try await echoServer(try serverContext())
        let client = try clientContext()
        let (connection, handshake) = try await connect(client, port: server.port)
        _ = try await handshake.info()
        try await connection.send("hello\n")
        _ = try await connection.take(through: "\n")
        await server.stop()
        connection.close()
        #expect(client.sessions.count == 1)
    }

    /// Attempts at a node that is down are many, and each would use up a session.
    @Test func anAttemptThatDoesNotConnectCostsNoSession() async throws {
        let reserved = try ReservedPort()
        let client = try clientContext()
        let context = try serverContext()
        func listen() async throws -> HTTPListener { try await startListener(port: reserved.port, tls: context) }
        let first = try await listen()
        let (connection, _) = try await connect(client, port: reserved.port)
        try await connection.send(get("/", "Connection: close"))
        try await connection.closed()
        await first.close()
        #expect(client.sessions.count == 1)
        let told = HandshakeResult()
        for _ in 0..<3 {
            _ = try? await RawConnection.connect(port: reserved.port) { channel in
                let handler = try client.makeHandler(
                    serverName: "cluster.test", port: reserved.port, timeout: .seconds(20), onHandshake: told.set)
                try channel.pipeline.syncOperations.addHandler(handler)
            }
        }
        #expect(told.count == 0)
        #expect(client.sessions.count == 1)
        let second = try await listen()
        let (_, handshake) = try await connect(client, port: reserved.port)
        #expect(try await handshake.info().isResumed)
        await second.close()
    }

    /// THE TRAP. Without a key by name the second visit would take up the first one's session, and so accept a server
    /// whose certificate is for another name.
    @Test(arguments: ["-tls1_2", "-tls1_3"])
    func aSessionForOneNameIsNeverOfferedForAnother(version: String) async throws {
        let server = try await OpenSSLServer.start("wrong", ["-rev", version])
        let context = try clientContext()
        // The name that the certificate has: accepted, and the session is kept.
        #expect(try await !visit(context, port: server.port, name: "other.test").get().isResumed)
        #expect(try await visit(context, port: server.port, name: "other.test").get().isResumed)
        // Same address, same port, other name: checked, and so refused.
        for _ in 0..<2 {
            let result = try await visit(context, port: server.port, name: "cluster.test")
            guard case .failure(let error) = result else {
                Issue.record("a certificate for another name was accepted")
                return
            }
            #expect(error.code == .certificate && error.message.contains("not for cluster.test"), "\(error)")
        }
    }

    /// The cache may be shared by contexts that check less.
    @Test(arguments: ["-tls1_2", "-tls1_3"])
    func aSessionThatWasNotCheckedIsNeverOfferedWhereOneIs(version: String) async throws {
        for certificate in ["wrong", "stranger", "expired"] {
            let server = try await OpenSSLServer.start(certificate, ["-rev", version])
            let cache = TLSSessionCache()
            let careless = try clientContext(sessions: cache) { $0.acceptsEveryCertificateForTestsOnly = true }
            let careful = try clientContext(sessions: cache)
            #expect(try await !visit(careless, port: server.port).get().isResumed)
            #expect(try await visit(careless, port: server.port).get().isResumed)
            guard case .failure(let error) = try await visit(careful, port: server.port) else {
                Issue.record("\(certificate) was accepted")
                return
            }
            #expect(error.code == .certificate, "\(error)")
        }
    }

    @Test func aSessionOfOtherRootsOrAnotherIdentityIsNeverOffered() async throws {
        let files = try certificates()
        let server = try await OpenSSLServer.start("stranger", ["-rev"])
        let cache = TLSSessionCache()
        let trusting = try clientContext(sessions: cache) { $0.trustRoots = .file(files.path("foreign")) }
        #expect(try await !visit(trusting, port: server.port).get().isResumed)
        #expect(try await visit(trusting, port: server.port).get().isResumed)
        guard case .failure(let error) = try await visit(clientContext(sessions: cache), port: server.port) else {
            Issue.record("an authority that is not trusted was accepted")
            return
        }
        #expect(error.code == .certificate)
        let other = try clientContext(sessions: cache) {
            $0.trustRoots = .file(files.path("foreign"))
            $0.identity = files.pair("client").identity
        }
        #expect(try await !visit(other, port: server.port).get().isResumed)
        let silent = try clientContext(sessions: cache) {
            $0.trustRoots = .file(files.path("foreign"))
            $0.applicationProtocols = []
        }
        #expect(try await !visit(silent, port: server.port).get().isResumed)
    }

    /// The file of trusted roots has the same name, but not the same roots.
    @Test func aSessionFromBeforeARootWasWithdrawnIsNotOffered() async throws {
        let files = try certificates()
        let roots = files.directory + "/roots-\(UInt32.random(in: 0...UInt32.max)).pem"
        try TestCertificates.replace(roots, by: files.path("foreign"))
        let server = try await OpenSSLServer.start("stranger", ["-rev"])
        let client = try clientContext { $0.trustRoots = .file(roots) }
        #expect(try await !visit(client, port: server.port).get().isResumed)
        #expect(try await visit(client, port: server.port).get().isResumed)
        try TestCertificates.replace(roots, by: files.path("ca"))
        guard case .failure(let error) = try await visit(client, port: server.port) else {
            Issue.record("an authority that is not trusted any more was accepted")
            return
        }
        #expect(error.code == .certificate)
        #expect(client.counters.reloads == 1)
    }

    @Test func theCacheIsBounded() async throws {
        let server = try await echoServer(try serverContext())
        let cache = TLSSessionCache(limit: 2)
        let context = try clientContext(sessions: cache)
        for name in ["cluster.test", "localhost", "127.0.0.1"] {
            _ = try await visit(context, port: server.port, name: name).get()
        }
        #expect(cache.count == 2)
        #expect(cache.counters.evicted == 1)
        // The oldest went.
        #expect(try await visit(context, port: server.port, name: "127.0.0.1").get().isResumed)
        #expect(try await visit(context, port: server.port, name: "localhost").get().isResumed)
        #expect(try await !visit(context, port: server.port, name: "cluster.test").get().isResumed)
        await server.stop()
    }
}
