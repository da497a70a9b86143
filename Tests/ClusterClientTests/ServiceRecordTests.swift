import ClusterClient
import DeviceCore
import DeviceProtocols
import DeviceTransport
import TestSupport
import Testing

/// A client that knows a domain and a service; a real DNS server knows the rest.
@Suite(.enabled(if: Dnsmasq.isInstalled, "needs dnsmasq (dnsmasq-base)"), .timeLimit(.minutes(5)))
struct ServiceRecordTests {
    @Test func portsAndPrioritiesComeFromTheDNS() async throws {
        let access = HTTPAccessPolicy(names: ["cluster.test"])
        let first = try await TestNode.start(access: access)
        let second = try await TestNode.start(access: access)
        let server = try await Dnsmasq(
            hosts: "127.0.0.1 one.cluster.test\n127.0.0.1 two.cluster.test\n",
            options: [
                "--srv-host=_smq._tcp.cluster.test,two.cluster.test,\(second.port),2,10",
                "--srv-host=_smq._tcp.cluster.test,one.cluster.test,\(first.port),1,10",
            ])
        var dns = try ResolverConfiguration(servers: server.server)
        dns.hostsFile = ""
        let resolver = try NameResolver(dns)
        let url = try BrokerURL("smq://cluster.test")
        // The name itself has no address.
        let client = try await TestClient.connected(first.port) {
            $0.brokers = [url]
            $0.service = "_smq._tcp"
            $0.resolver = resolver
            // A busy machine must not make it try the second priority beside the first.
            $0.attempts.stagger = .seconds(30)
        }
        #expect(client.client.currentStatus.node?.contains(":\(first.port)") == true)
        await first.stop()
        try await eventually("the second priority") {
            client.client.currentStatus.node?.contains(":\(second.port)") == true
        }
        try await client.stop()
        await second.stop()
        server.end()
        await resolver.shutDown()
    }
}
