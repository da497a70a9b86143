import DeviceCore
import DeviceProtocols
import DeviceTransport
import Logging
import NIOCore
import NIOPosix
import SMQBroker
import TestSupport
import Testing

/// Links over TLS: both ends show a certificate.
@Suite(.serialized) struct LinkTLSTests {
    private func tls(
        _ pair: TestCertificates.Pair, authorities: String = "ca", peers: [ResolverTarget]
    ) throws -> LinkTLS {
        try LinkTLS(
            identity: TLSIdentity(certificateFile: pair.certificate, key: pair.key),
            authorities: try TestCertificates.shared.get().path(authorities), peers: peers,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    /// Two nodes that dial each other; the second with another certificate, or none.
    private func start(
        _ second: TestCertificates.Pair?, names: [String] = ["127.0.0.1", "127.0.0.2"]
    ) async throws -> [TestNode] {
        let certificates = try TestCertificates.shared.get()
        let ports = try (0..<2).map { _ in try ReservedPort() }
        let peers = zip(names, ports).map { ResolverTarget($0.0, port: $0.1.port) }
        let first = try tls(try certificates.node("first", "IP:127.0.0.1,DNS:localhost"), peers: peers)
        let other = try second.map { try tls($0, peers: peers) }
        return [
            try await TestNode.start("127.0.0.1", links: ports[0].port, peers: peers) { $0.cluster?.tls = first },
            try await TestNode.start("127.0.0.2", links: ports[1].port, peers: peers) { $0.cluster?.tls = other },
        ]
    }

    @Test func nodesWithCertificatesAreOneBroker() async throws {
        let pair = try TestCertificates.shared.get().node("second", "IP:127.0.0.2")
        let nodes = try await start(pair)
        for node in nodes { try await node.linked(1) }
        let subscriber = try await RawClient.open(nodes[1].client, "subscriber")
        let publisher = try await RawClient.open(nodes[0].client, "publisher")
        _ = try await subscriber.id(.subscribe, "t")
        let topic = try await publisher.id(.create, "t")
        try await publisher.send {
            $0.writeSMQPublish(
                to: topic, from: publisher.etid, subtopic: 0, payload: ByteBuffer(repeating: 7, count: 60_000))
        }
        guard case .publish(_, _, _, let payload) = try await subscriber.frame() else { throw Late(description: "?") }
        #expect(payload == ByteBuffer(repeating: 7, count: 60_000))
        // What speaks plain finds TLS there.
        let plain = try await RawConnection.connect(port: nodes[0].links.port)
        try await plain.send("GET / HTTP/1.1\r\n\r\n")
        #expect(String(buffer: try await plain.closed()).contains("This port speaks TLS"))
        for node in nodes { await node.stop() }
    }

    /// Somebody with the password and without a good certificate is no node.
    @Test(arguments: ["plain", "foreign authority", "another name"])
    func whoHasNoGoodCertificateIsNoNode(_ flaw: String) async throws {
        let certificates = try TestCertificates.shared.get()
        let pair: TestCertificates.Pair? =
            switch flaw {
            case "foreign authority": try certificates.node("foreign-node", "IP:127.0.0.2", issuer: "foreign")
            case "another name": try certificates.node("other-node", "IP:127.0.0.9,DNS:somewhere.test")
            default: nil
            }
        let nodes = try await start(pair)
        // Both have tried, and both know that it was in vain.
        for node in nodes {
            try await eventually("an attempt has failed") {
                try await node.cluster.peers.contains { $0.failure != nil && $0.endpoint.port != node.links.port }
            }
        }
        try await eventually("the first says why") {
            guard flaw != "plain" else { return true }
            return try await nodes[0].cluster.peers.contains { $0.failure?.contains("certificate") == true }
        }
        for node in nodes {
            #expect(try await node.cluster.links.isEmpty)
            #expect(try await node.cluster.statistics.established == 0)
        }
        for node in nodes { await node.stop() }
    }

    /// Who dials has to have a certificate for one of the peers' names, also when nobody dials it.
    @Test(arguments: [(names: "IP:127.0.0.2", isNode: true), (names: "IP:127.0.0.9", isNode: false)])
    func theNameOfWhoDialsIsChecked(_ names: String, _ isNode: Bool) async throws {
        let certificates = try TestCertificates.shared.get()
        let port = try ReservedPort()
        let listening = try tls(
            try certificates.node("listening", "IP:127.0.0.1"), peers: [ResolverTarget("127.0.0.2", port: port.port)])
        let node = try await TestNode.start("127.0.0.1", peers: []) { $0.cluster?.tls = listening }
        let target = ResolverTarget("127.0.0.1", port: node.links.port)
        let dialing = try tls(try certificates.node("dialing", names), peers: [target])
        let stranger = try await TestNode.start("127.0.0.2", peers: [target]) { $0.cluster?.tls = dialing }
        if isNode {
            try await node.linked(1)
        } else {
            try await eventually("an attempt has failed") {
                try await stranger.cluster.peers.contains { $0.failure != nil }
            }
            #expect(try await node.cluster.statistics.established == 0)
        }
        await stranger.stop()
        await node.stop()
    }
}
