import DeviceCore
import DeviceProtocols
import DeviceTransport
import Glibc
import NIOCore
import SMQBroker
import TestSupport
import Testing

/// How nodes find each other: by a name that may lead elsewhere later, and over IPv6.
@Suite(.serialized) struct LinkAddressTests {
    private static let hasIPv6 = (try? SystemFile.text("/proc/net/if_inet6"))?.contains(
        "00000000000000000000000000000001")

    @Test func aPeerIsFoundByItsNameAndFollowed() async throws {
        let directory = try TemporaryDirectory()
        func point(to address: String) throws {
            try TemporaryDirectory.write(Array("\(address) node.test\n".utf8), to: directory("new"))
            try #require(rename(directory("new"), directory("hosts")) == 0)
        }
        try point(to: "127.0.0.2")
        var configuration = ResolverConfiguration()
        configuration.hostsFile = directory("hosts")
        let resolver = try NameResolver(configuration)
        let port = try ReservedPort()
        let first = try await TestNode.start("127.0.0.2", links: port.port, peers: [])
        let node = try await TestNode.start(peers: [ResolverTarget("node.test", port: port.port)], resolver: resolver)
        try await node.linked(1)
        #expect(try await node.cluster.links.first?.address == "127.0.0.2")
        // Its place is taken by another machine.
        await first.stop()
        let second = try await TestNode.start("127.0.0.3", links: port.port, peers: [])
        try point(to: "127.0.0.3")
        try await eventually("the link leads to the other machine") {
            try await node.cluster.links.contains { $0.isUp && $0.address == "127.0.0.3" }
        }
        await node.stop()
        await second.stop()
        await resolver.shutDown()
    }

    @Test(.enabled(if: hasIPv6 == true, "this machine has no IPv6 loopback")) func linksGoOverIPv6() async throws {
        let first = try await TestNode.start("::1", peers: [])
        let second = try await TestNode.start("::1", peers: [ResolverTarget("::1", port: first.links.port)])
        for node in [first, second] { try await node.linked(1) }
        let subscriber = try await RawClient.open(first.client, "subscriber")
        let publisher = try await RawClient.open(second.client, "publisher")
        _ = try await subscriber.id(.subscribe, "t")
        let topic = try await publisher.id(.create, "t")
        try await publisher.send {
            $0.writeSMQPublish(to: topic, from: publisher.etid, subtopic: 0, payload: .init(string: "six"))
        }
        guard case .publish(_, _, _, let payload) = try await subscriber.frame() else { throw Late(description: "?") }
        #expect(String(buffer: payload) == "six")
        await second.stop()
        await first.stop()
    }
}
