import ClusterClient
import DeviceCore
import DeviceProtocols
import DeviceTransport
import Logging
import NIOCore
import NIOPosix
import SMQBroker
import TestSupport
import Testing

/// The client and the broker over TLS.
@Suite(.timeLimit(.minutes(5)))
struct TLSClientTests {
    private func start(_ set: (inout TLSServerConfiguration) -> Void = { _ in }) async throws -> TestNode {
        let pair = try TestCertificates.shared.get().pair("server")
        var configuration = TLSServerConfiguration(
            identity: TLSIdentity(certificateFile: pair.certificate, key: pair.key))
        set(&configuration)
        return try await TestNode.start(tls: try TLSServerContext(configuration))
    }

    private func connected(
        _ node: TestNode, _ uid: String, scheme: String, host: String = "localhost",
        _ set: (inout SMQClientConfiguration) -> Void = { _ in }
    ) throws -> TestClient {
        let authority = try TestCertificates.shared.get().path("ca")
        let url = try BrokerURL("\(scheme)://\(host):\(node.port)/smq.lsp")
        return try TestClient(node.port, uid) {
            $0.brokers = [url]
            $0.tls.trustRoots = .file(authority)
            set(&$0)
        }
    }

    @Test(arguments: ["smqs", "https", "wss"]) func messagesGoThrough(scheme: String) async throws {
        let node = try await start()
        let sender = try connected(node, "sender", scheme: scheme)
        let receiver = try connected(node, "receiver", scheme: "smqs", host: "127.0.0.1")
        try await sender.connected()
        try await receiver.connected()
        let subscription = receiver.client.subscribe(to: "topic")
        // Until the subscription has reached the broker nobody hears anything.
        let publishing = Task {
            while !Task.isCancelled {
                try await sender.client.publish(payload("hello"), to: .topic("topic"))
                try await Task.sleep(for: .milliseconds(20))
            }
        }
        defer { publishing.cancel() }
        #expect(String(buffer: try await next(subscription).payload) == "hello")
        try await sender.stop()
        try await receiver.stop()
        await node.stop()
    }

    @Test(arguments: ["smqs", "wss"]) func anUntrustedBrokerIsExplained(scheme: String) async throws {
        let node = try await start()
        let client = try connected(node, "client", scheme: scheme) { $0.tls.trustRoots = .system }
        let end = try await client.disconnected()
        #expect(end.reason.contains("is not trusted"), "\(end)")
        #expect(end.hint.contains("--tls-ca"))
        try await client.stop()
        await node.stop()
    }

    @Test(arguments: ["smqs", "wss"]) func aBrokerThatWantsACertificateSaysSo(scheme: String) async throws {
        let files = try TestCertificates.shared.get()
        let node = try await start { $0.clientCertificate = .required(.file(files.path("ca"))) }
        let stranger = try connected(node, "stranger", scheme: scheme)
        let end = try await stranger.end()
        #expect(end?.code == .refused)
        #expect(end?.message.contains("requires a client certificate") == true, "\(String(describing: end))")
        let pair = files.pair("client")
        let client = try connected(node, "client", scheme: scheme) {
            $0.tls.identity = TLSIdentity(certificateFile: pair.certificate, key: pair.key)
        }
        try await client.connected()
        try await client.stop()
        await node.stop()
    }

    @Test func aReconnectTakesUpTheSession() async throws {
        let pair = try TestCertificates.shared.get().pair("server")
        let context = try TLSServerContext(
            TLSServerConfiguration(identity: TLSIdentity(certificateFile: pair.certificate, key: pair.key)))
        let node = try await TestNode.start(tls: context)
        let client = try connected(node, "client", scheme: "smqs")
        try await client.connected()
        // Another client with the same id would end it for good; a broker that ends sends it away.
        await node.stop()
        try await client.disconnected()
        let second = try await TestNode.start(port: node.port, tls: context)
        try await client.connected()
        #expect(context.counters.resumed == 1)
        try await client.stop()
        await second.stop()
    }

    /// While another node is in use nobody would learn of it, until that one is gone too.
    @Test func theBadCertificateOfAnotherNodeIsToldOnce() async throws {
        let files = try TestCertificates.shared.get()
        let pair = try files.server(
            "othernode", "IP:127.0.0.1", days: "20200101000000Z", "20210101000000Z")
        let context = try TLSServerContext(
            TLSServerConfiguration(identity: TLSIdentity(certificateFile: pair.certificate, key: pair.key)),
            checkInterval: .zero)
        let nodes = [try await start(), try await TestNode.start(tls: context)]
        let urls = try nodes.map { try BrokerURL("smqs://127.0.0.1:\($0.port)/smq.lsp") }
        let client = try connected(nodes[0], "client", scheme: "smqs", host: "127.0.0.1") {
            $0.brokers = urls
            $0.keepsStandby = true
        }
        try await client.connected()
        let notice = try await client.event("a notice") { if case .notice(let text) = $0 { text } else { nil } }
        #expect(notice.contains("\(urls[1].port)") && notice.contains("has expired on Jan  1"), "\(notice)")
        let refused = context.counters.refused
        try await eventually("more attempts") { context.counters.refused >= refused + 3 }
        #expect(client.client.currentStatus.node == urls[0].description)

        // A renewed one is found without a restart of either.
        let renewed = files.pair("server")
        try TestCertificates.replace(pair.certificate, by: renewed.certificate)
        try TestCertificates.replace(pair.key, by: renewed.key)
        try await eventually("a standby") { client.client.currentStatus.standby == urls[1].description }
        try await client.stop()
        for await event in client.events { if case .notice = event { Issue.record("a second notice: \(event)") } }
        for node in nodes { await node.stop() }
    }
}
