import DeviceCore
import DeviceProtocols
import DeviceTransport
import TestSupport
import Testing

@testable import LoRaGateway

/// Basics Station's protocol over TLS: who the server is, who the gateway is, and where its token goes.
@Suite(.timeLimit(.minutes(5))) struct LNSSecurityTests {
    private static func server(
        _ pair: TestCertificates.Pair, _ set: (inout TLSServerConfiguration) -> Void = { _ in }
    ) throws -> TLSServerContext {
        var configuration = TLSServerConfiguration(
            identity: TLSIdentity(certificateFile: pair.certificate, key: pair.key))
        set(&configuration)
        return try TLSServerContext(configuration, checkInterval: .zero)
    }

    private static func uplink(
        _ server: FakeLNS, scheme: String = "wss", host: String = "localhost",
        _ set: (inout LNSServer) throws -> Void = { _ in }
    ) throws -> UplinkConfiguration {
        var lns = LNSServer(url: "\(scheme)://\(host):\(server.port)", headers: ["Authorization: Bearer secret"])
        lns.authorities = try TestCertificates.shared.get().path("ca")
        try set(&lns)
        return UplinkConfiguration(name: "lns", kind: .lns(lns))
    }

    private static func problem(_ rig: GatewayRig, contains text: String) async throws {
        do {
            try await eventually("the problem is known") {
                try await rig.uplink("lns").state.problem?.contains(text) == true
            }
        } catch {
            Issue.record("\(text) is not in \(String(describing: try await rig.uplink("lns").state.problem))")
        }
    }

    /// The text of every warning of a connection.
    private static func warnings(_ rig: GatewayRig) -> [String] {
        rig.lines.compactMap { event in
            if case .warning("lns-connect", let text, _) = event { text } else { nil }
        }
    }

    /// As a user has it: settings, a token's file, the authority's file.
    @Test func aTokenFromAFileGoesOverTLS() async throws {
        let files = try TestCertificates.shared.get()
        let server = try await FakeLNS.start(tls: try Self.server(files.pair("server")))
        let directory = try TemporaryDirectory()
        try TemporaryDirectory.write(Array("NNSXS.secret\n".utf8), to: directory("tts.key"))
        let settings = """
            {"gateway": "AA555A0000000101", "uplinks": [{"kind": "lns", "name": "lns",
             "url": "wss://localhost:\(server.port)", "token-file": "tts.key", "ca": "\(files.path("ca"))"}]}
            """
        try TemporaryDirectory.write(Array(settings.utf8), to: directory("loragateway.json"))
        let (configuration, problems) = ConfigurationLoader().load(directory("loragateway.json"))
        #expect(problems.isEmpty, "\(problems.text)")
        try await GatewayRig.run(configuration.uplinks) { rig in
            try await rig.waitUntilUp("lns")
            #expect(server.heads.count == 2)
            #expect(server.heads.allSatisfy { $0.contains("Authorization: Bearer NNSXS.secret\r\n") })
            rig.radio.hear(5)
            try await eventually("a frame") { server.values.contains { $0["FCnt"] == 5 } }
            #expect(!rig.lines.contains { "\($0)".contains("NNSXS") }, "nothing that is told has the token")
        }
        await server.stop()
    }

    @Test func theGatewayShowsItsCertificate() async throws {
        let files = try TestCertificates.shared.get()
        let server = try await FakeLNS.start(
            tls: try Self.server(files.pair("server")) { $0.clientCertificate = .required(.file(files.path("ca"))) })
        let pair = files.pair("client")
        let good = try Self.uplink(server) {
            $0.headers = []
            ($0.certificate, $0.key) = (pair.certificate, pair.key)
        }
        try await GatewayRig.run([good]) { rig in try await rig.waitUntilUp("lns") }
        let none = try Self.uplink(server)
        try await GatewayRig.run([none]) { rig in
            try await Self.problem(rig, contains: "requires a client certificate")
            try await eventually("a warning") {
                Self.warnings(rig).contains { $0.contains("\"certificate\" and \"key\"") }
            }
        }
        let stranger = files.pair("clientstranger")
        let foreign = try Self.uplink(server) {
            ($0.certificate, $0.key) = (stranger.certificate, stranger.key)
        }
        try await GatewayRig.run([foreign]) { rig in
            try await Self.problem(rig, contains: "does not accept this client's certificate")
        }
        await server.stop()
    }

    enum Flaw: String, CaseIterable {
        case wrongName, expired, early, unknownAuthority, selfSigned, notForServers

        func pair(_ files: TestCertificates) throws -> TestCertificates.Pair {
            let names = "DNS:localhost"
            return switch self {
            case .wrongName: files.pair("wrong")
            case .expired: try files.server("lns-\(self)", names, days: "20200101000000Z", "20210101000000Z")
            case .early: try files.server("lns-\(self)", names, days: "20480101000000Z", "20490101000000Z")
            case .unknownAuthority: try files.server("lns-\(self)", names, issuer: "foreign")
            case .selfSigned: try files.server("lns-\(self)", names, issuer: nil)
            case .notForServers: files.pair("client")
            }
        }

        var words: (problem: String, hint: String) {
            switch self {
            case .wrongName: ("is for the names other.test", "not for localhost")
            case .expired: ("has expired on Jan  1", "check this machine's clock")
            case .early: ("is not valid before Jan  1", "Check this machine's clock")
            case .unknownAuthority: ("which is not trusted here", "\"ca\" of the up-link")
            case .selfSigned: ("is signed by itself and not trusted", "\"ca\" of the up-link")
            case .notForServers: ("is not made for a server", "extendedKeyUsage")
            }
        }
    }

    /// Each says what is wrong and what to do, sends nothing, and is mended without a restart.
    @Test(arguments: Flaw.allCases) func aServerThatCannotBeTrustedGetsNothing(_ flaw: Flaw) async throws {
        let files = try TestCertificates.shared.get()
        let directory = try TemporaryDirectory()
        let pair = try flaw.pair(files)
        let own = {
            var own = pair
            (own.certificate, own.key) = (directory("own.pem"), directory("own.key"))
            return own
        }()
        @Sendable func install(_ pair: TestCertificates.Pair) throws {
            try TestCertificates.replace(own.key, by: pair.key)
            try TestCertificates.replace(own.certificate, by: pair.certificate)
        }
        try install(pair)
        let context = try Self.server(own)
        let server = try await FakeLNS.start(tls: context)
        try await GatewayRig.run([try Self.uplink(server)]) { rig in
            try await Self.problem(rig, contains: flaw.words.problem)
            try await eventually("a warning") { Self.warnings(rig).contains { $0.contains(flaw.words.hint) } }
            #expect(server.heads.isEmpty, "no request, so no token")
            try install(files.pair("server"))
            try await rig.waitUntilUp("lns")
        }
        await server.stop()
    }

    /// Who says no is not asked as often as who is away.
    @Test func theBackOffGrowsWithRefusals() {
        for code in [DeviceError.Code.certificate, .refused, .permission, .configuration] {
            #expect(LNSLink.longestWait(code, failures: 1, outage: .zero) == .seconds(5))
            #expect(LNSLink.longestWait(code, failures: 4, outage: .seconds(9)) == .seconds(20))
            #expect(LNSLink.longestWait(code, failures: 1000, outage: .seconds(9)) == .seconds(60))
        }
        #expect(LNSLink.longestWait(.unavailable, failures: 50, outage: .seconds(119)) == .milliseconds(800))
        #expect(LNSLink.longestWait(.unavailable, failures: 500, outage: .seconds(121)) == .seconds(30))
    }

    @Test func aSecureDiscoveryThatNamesAPlainAddressIsNotFollowed() async throws {
        let files = try TestCertificates.shared.get()
        let secure = try await FakeLNS.start(tls: try Self.server(files.pair("server")))
        let plain = try await FakeLNS.start()
        secure.name("ws://127.0.0.1:\(plain.port)/mux")
        try await GatewayRig.run([try Self.uplink(secure)]) { rig in
            try await Self.problem(rig, contains: "names the plain address")
            #expect(plain.heads.isEmpty)
            secure.name("wss://localhost:\(secure.port)/mux")
            try await rig.waitUntilUp("lns")
        }
        await secure.stop()
        await plain.stop()
    }

    @Test func aTokenIsNotSentWithoutTLS() async throws {
        let server = try await FakeLNS.start()
        try await GatewayRig.run([try Self.uplink(server, scheme: "ws", host: "127.0.0.1")]) { rig in
            try await rig.waitUntilUp("lns")
            #expect(server.heads.count == 2 && !server.heads.contains { $0.contains("secret") })
        }
        await server.stop()
    }

    /// The settings say so before anything is sent.
    @Test func settingsWithATokenAndWithoutTLSAreRefused() throws {
        let directory = try TemporaryDirectory()
        try TemporaryDirectory.write(Array("secret".utf8), to: directory("token"))
        let settings = #"{"uplinks": [{"kind": "lns", "url": "ws://lns.example", "token-file": "token"}]}"#
        try TemporaryDirectory.write(Array(settings.utf8), to: directory("loragateway.json"))
        let (_, problems) = ConfigurationLoader().load(directory("loragateway.json"))
        #expect(problems.text.contains("a token would be sent without TLS"))
    }
}
