import DeviceCore
import DeviceProtocols
import DeviceTransport
import NIOCore
import TestSupport
import Testing

/// Handshakes that end otherwise than by the server's certificate, client and server side.
@Suite(.timeLimit(.minutes(5)))
struct TLSHandshakeTests {
    private func echo(_ connection: RawConnection) async throws {
        while true { try await connection.send(try await connection.take(through: "\n")) }
    }

    // MARK: Our client

    @Test(arguments: ["-tls1_2", "-tls1_3"])
    func aClientsCertificateIsShownWhenItIsAskedFor(version: String) async throws {
        let files = try certificates()
        let server = try await OpenSSLServer.start(
            "server", ["-rev", version, "-Verify", "2", "-CAfile", files.path("ca"), "-verify_return_error"])
        let (connection, handshake) = try await connect(
            clientContext { $0.identity = files.pair("client").identity }, port: server.port)
        #expect(try await handshake.info().version == (version == "-tls1_2" ? "TLSv1.2" : "TLSv1.3"))
        try await connection.send("hello\n")
        #expect(try await connection.take(through: "\n") == "olleh\n")
    }

    /// With TLS 1.3 the refusal comes after the client's handshake has succeeded.
    @Test(arguments: ["-tls1_2", "-tls1_3"], ["none", "clientstranger"])
    func aMissingOrForeignClientCertificateIsExplained(version: String, certificate: String) async throws {
        let files = try certificates()
        let server = try await OpenSSLServer.start(
            "server", ["-rev", version, "-Verify", "2", "-CAfile", files.path("ca"), "-verify_return_error"])
        let (connection, handshake) = try await connect(
            clientContext {
                if certificate != "none" { $0.identity = files.pair(certificate).identity }
            }, port: server.port)
        var error: DeviceError?
        switch try await handshake.get() {
        case .failure(let failure): error = failure
        case .success(let info):
            #expect(info.version == "TLSv1.3")
            try await connection.closed()
            error = connection.error as? DeviceError
        }
        #expect(error?.code == .refused)
        let text = "\(String(describing: error))"
        if certificate == "none" {
            #expect(text.contains("client certificate") && text.contains("--tls-certificate"), "\(text)")
        } else {
            #expect(text.contains("does not accept this client's certificate (CN=clientstranger)"), "\(text)")
        }
    }

    @Test func anOldServerIsRefused() async throws {
        let server = try await OpenSSLServer.start("server", ["-rev", "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"])
        let (_, handshake) = try await connect(clientContext(), port: server.port)
        let error = try await handshake.error()
        #expect(error.code == .unsupported)
        #expect(error.message.contains("no version of TLS in common"), "\(error)")
    }

    @Test func theMinimumCanBeRaised() async throws {
        let server = try await OpenSSLServer.start("server", ["-rev", "-tls1_2"])
        let (_, handshake) = try await connect(clientContext { $0.minimumVersion = .tls13 }, port: server.port)
        let error = try await handshake.error()
        #expect(error.code == .unsupported && error.message.contains("speaks TLS 1.3"), "\(error)")
    }

    @Test func noCommonProtocolIsExplained() async throws {
        let server = try await OpenSSLServer.start("server", ["-rev", "-alpn", "h2"])
        let (_, handshake) = try await connect(clientContext(), port: server.port)
        let error = try await handshake.error()
        #expect(error.code == .unsupported)
        #expect(error.message.contains("no protocol in common with this end (ALPN: http/1.1)"), "\(error)")
    }

    @Test(arguments: ["HTTP/1.1 400 Bad Request\r\n\r\n", "220 mail.example ESMTP\r\n", "\u{0}\u{1}\u{2}"])
    func aServerWithoutTLSIsExplained(text: String) async throws {
        let server = try await FakeServer.start { connection in
            _ = try await connection.take(1)
            try await connection.send(text)
            try await connection.closed()
        }
        let (_, handshake) = try await connect(clientContext(), port: server.port)
        let error = try await handshake.error()
        #expect(error.code == .protocolViolation)
        #expect(error.message.contains("does not speak TLS"), "\(error)")
        #expect(error.hint?.contains("smq://") == true)
        await server.stop()
    }

    @Test func ourOwnPlainListenerSaysAtOnceThatItSpeaksNoTLS() async throws {
        let listener = try await startListener()
        let (_, handshake) = try await connect(clientContext(), port: listener.address.port)
        let error = try await handshake.error()
        #expect(error.message.contains("does not speak TLS"), "\(error)")
        await listener.close()
    }

    @Test func aServerThatHangsUpIsExplained() async throws {
        let server = try await FakeServer.start { _ = try await $0.take(1) }
        let (_, handshake) = try await connect(clientContext(), port: server.port)
        let error = try await handshake.error()
        #expect(error.code == .closed)
        #expect(error.message.contains("closed the connection during the TLS handshake"), "\(error)")
        await server.stop()
    }

    @Test func aFrozenServerCostsNoMoreThanTheDeadline() async throws {
        let server = try await OpenSSLServer.start()
        server.program.freeze()
        let (connection, handshake) = try await connect(
            clientContext(), port: server.port, timeout: .milliseconds(200))
        let error = try await handshake.error()
        #expect(error.code == .timedOut)
        #expect(error.message.contains("within 0.2 seconds"), "\(error)")
        try await connection.closed()
        #expect(handshake.count == 1)
    }

    /// One byte now and then does not prolong it.
    @Test func aServerThatDripsCostsNoMoreThanTheDeadline() async throws {
        let server = try await FakeServer.start { connection in
            try await connection.send(ByteBuffer(bytes: [0x16, 3, 3, 0x40, 0]))
            while !connection.isClosed {
                try await connection.send("x")
                try await Task.sleep(for: .milliseconds(20))
            }
        }
        let (connection, handshake) = try await connect(
            clientContext(), port: server.port, timeout: .milliseconds(300))
        #expect(try await handshake.error().code == .timedOut)
        try await connection.closed()
        await server.stop()
    }

    @Test func whatIsWrittenEarlyWaitsUpToALimit() async throws {
        let server = try await OpenSSLServer.start()
        let (connection, handshake) = try await connect(clientContext(), port: server.port)
        try await connection.send("early\n")
        #expect(try await connection.take(through: "\n") == "ylrae\n")
        _ = try await handshake.info()
        server.program.freeze()
        let (second, secondHandshake) = try await connect(clientContext(), port: server.port)
        second.post(ByteBuffer(repeating: 0, count: TLSHandler.earlyLimit))
        await #expect(throws: DeviceError.self) { try await second.send("one too many") }
        #expect(try await secondHandshake.error().code == .limitExceeded)
        try await second.closed()
    }

    // MARK: Our server

    @Test(arguments: ["-tls1_2", "-tls1_3"]) func opensslsClientIsServed(version: String) async throws {
        let context = try serverContext()
        let (server, handshake) = try await startSecure(context, echo)
        let client = try startOpenSSLClient(port: server.port, [version, "-alpn", "h2,http/1.1"])
        try await client.prints("Verify return code: 0 (ok)")
        try await client.send("hello there\n")
        try await client.prints("hello there")
        let info = try await handshake.info()
        #expect(info.applicationProtocol == "http/1.1")
        #expect(info.peerSubject == nil)
        #expect(context.counters.handshakes == 1)
        client.endInput()
        #expect(try await client.ended() == 0)
        await server.stop()
    }

    @Test(arguments: ["-tls1_2", "-tls1_3"]) func aServerCanRequireCertificates(version: String) async throws {
        let files = try certificates()
        let context = try serverContext { $0.clientCertificate = .required(.file(files.path("ca"))) }
        let (server, handshake) = try await startSecure(context, echo)
        let pair = files.pair("client")
        let client = try startOpenSSLClient(
            port: server.port, [version, "-cert", pair.certificate, "-cert_chain", pair.certificate, "-key", pair.key])
        try await client.send("hello there\n")
        try await client.prints("hello there")
        #expect(client.output.contains("CN = Test Root") || client.output.contains("CN=Test Root"))
        #expect(try await handshake.info().peerSubject == "CN=client")
        await server.stop()
    }

    @Test(arguments: ["-tls1_2", "-tls1_3"], ["none", "clientstranger", "server"])
    func whoHasNoFitCertificateIsRefusedAndTold(version: String, certificate: String) async throws {
        let files = try certificates()
        let context = try serverContext { $0.clientCertificate = .required(.file(files.path("ca"))) }
        let (server, handshake) = try await startSecure(context) { connection in
            _ = try await connection.take(1)
            Issue.record("a refused client's bytes were handed on")
        }
        let pair = files.pair(certificate)
        let options =
            certificate == "none"
            ? [] : ["-cert", pair.certificate, "-cert_chain", pair.certificate, "-key", pair.key]
        let client = try startOpenSSLClient(port: server.port, [version] + options)
        try? await client.send("a secret\n")
        let error = try await handshake.error()
        switch certificate {
        case "none":
            #expect(error.code == .refused && error.message.contains("has shown no certificate"), "\(error)")
        case "server":
            #expect(error.code == .certificate && error.message.contains("not made for a client"), "\(error)")
        default:
            #expect(error.message.contains("is signed by CN=Foreign Root"), "\(error)")
            #expect(error.hint?.contains("--tls-client-ca") == true)
        }
        // The alert arrives, whatever the client had sent already.
        try await client.prints("alert")
        #expect(context.counters.refused == 1)
        await server.stop()
    }

    @Test func anOptionalCertificateMayBeMissingButNotWrong() async throws {
        let files = try certificates()
        let context = try serverContext { $0.clientCertificate = .optional(.file(files.path("ca"))) }
        let (server, _) = try await startSecure(context, echo)
        for (certificate, isFine) in [("none", true), ("client", true), ("clientstranger", false)] {
            let (connection, handshake) = try await connect(
                clientContext { if certificate != "none" { $0.identity = files.pair(certificate).identity } },
                port: server.port)
            _ = try await handshake.get()
            if isFine {
                try await connection.send("hello\n")
                #expect(try await connection.take(through: "\n") == "hello\n")
            } else {
                try await connection.closed()
                #expect((connection.error as? DeviceError)?.code == .refused)
            }
            connection.close()
        }
        await server.stop()
    }

    @Test func aClientThatDoesNotTrustUsIsExplained() async throws {
        let (server, handshake) = try await startSecure(serverContext("stranger"), echo)
        let client = try startOpenSSLClient(port: server.port)
        let error = try await handshake.error()
        #expect(error.code == .refused)
        #expect(error.message.contains("does not accept this server's certificate (CN=stranger)"), "\(error)")
        try await client.ended()
        await server.stop()
    }

    @Test func anOldClientIsRefused() async throws {
        let (server, handshake) = try await startSecure(serverContext(), echo)
        let client = try startOpenSSLClient(port: server.port, ["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"])
        let error = try await handshake.error()
        #expect(error.code == .unsupported && error.message.contains("no version of TLS in common"), "\(error)")
        try await client.prints("alert protocol version")
        await server.stop()
    }

    @Test func aClientWithAnotherProtocolIsRefused() async throws {
        let (server, handshake) = try await startSecure(serverContext(), echo)
        let client = try startOpenSSLClient(port: server.port, ["-alpn", "h2"])
        let error = try await handshake.error()
        #expect(error.code == .unsupported && error.message.contains("no protocol in common"), "\(error)")
        try await client.prints("alert no application protocol")
        await server.stop()
    }

    @Test func aClientThatSpeaksPlainHTTPIsTold() async throws {
        let (server, handshake) = try await startSecure(serverContext(), echo)
        let answer = try await RawConnection.exchange(
            port: server.port, "GET /smq.lsp HTTP/1.1\r\nSimpleMQ: 1\r\n\r\n")
        #expect(answer.hasPrefix("HTTP/1.1 400 "), "\(answer)")
        #expect(answer.contains("https://"))
        let error = try await handshake.error()
        #expect(error.code == .protocolViolation)
        #expect(error.message.contains("speaks plain HTTP or SMQ"), "\(error)")
        await server.stop()
    }

    @Test func aClientThatStallsIsClosed() async throws {
        let (server, handshake) = try await startSecure(serverContext(), timeout: .milliseconds(200), echo)
        let connection = try await RawConnection.connect(port: server.port)
        connection.post(ByteBuffer(bytes: [0x16, 3, 1, 2, 0, 1]))
        try await connection.closed()
        #expect(try await handshake.error().code == .timedOut)
        await server.stop()
    }

    /// A client may not make the server compute again and again (CVE-2011-1473).
    @Test func renegotiationIsRefused() async throws {
        let (server, handshake) = try await startSecure(serverContext(), echo)
        let client = try startOpenSSLClient(port: server.port, ["-tls1_2", "-legacy_renegotiation"])
        _ = try await handshake.info()
        try await client.prints("Verify return code: 0 (ok)")
        // A line with R alone asks s_client to renegotiate.
        try await client.send("R\n")
        try await client.prints("no renegotiation")
        await server.stop()
    }
}
