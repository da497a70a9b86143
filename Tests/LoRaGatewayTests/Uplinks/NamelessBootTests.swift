import DeviceCore
import DeviceProtocols
import DeviceTransport
import Logging
import NIOPosix
import SMQBroker
import TestSupport
import Testing

@testable import LoRaGateway

/// The DNS is away when the gateway starts, as after a power cut of the whole house: nothing waits for it, and each
/// kind of up-link finds its server once it is back.
@Suite(.timeLimit(.minutes(5))) struct NamelessBootTests {
    @Test(.enabled(if: Dnsmasq.isInstalled)) func everyKindOfUplinkComesUpOnceNamesResolve() async throws {
        let directory = try TemporaryDirectory()
        let dns = try await Dnsmasq(hosts: "127.0.0.1 ns.cluster.test\n")
        dns.freeze()
        var names = try ResolverConfiguration(servers: dns.server)
        names.hostsFile = directory("hosts")
        let (gwmp, plain, lns) = (
            try await FakeGWMPServer.start(), try await FakeGWMPServer.start(), try await FakeLNS.start()
        )
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let broker = SMQBroker(SMQBroker.Configuration(), eventLoop: loop, logger: Logger(label: "test"))
        let listener = try await HTTPListener.start(
            on: ListenAddress(host: "127.0.0.1", port: 0), eventLoop: loop, routes: broker.routes(),
            access: HTTPAccessPolicy(names: ["ns.cluster.test"]), logger: Logger(label: "test"))
        func server(_ host: String, _ port: Int) -> UplinkConfiguration.Kind {
            .gwmp(GWMPServer(host: host, portUp: port, portDown: port))
        }
        let name = "ns.cluster.test"
        let uplinks = [
            UplinkConfiguration(name: "plain", kind: server("127.0.0.1", plain.port)),
            UplinkConfiguration(name: "gwmp", kind: server(name, gwmp.port), store: StoreSettings()),
            UplinkConfiguration(
                name: "lns", kind: .lns(LNSServer(url: "ws://\(name):\(lns.port)")), store: StoreSettings()),
            UplinkConfiguration(
                name: "cluster",
                kind: .cluster(ClusterServer(brokers: ["smq://\(name):\(listener.address.port)"])),
                store: StoreSettings()),
        ]
        try await GatewayRig.run(uplinks, state: directory.path, resolver: try NameResolver(names)) { rig in
            try await rig.waitUntilUp("plain")
            for number in 0..<20 { rig.radio.hear(UInt16(number)) }
            try await eventually("all at the server without a name") { plain.numbers == Array(0..<20) }
            for name in ["gwmp", "lns", "cluster"] {
                try await eventually("\(name) keeps them") { try await rig.uplink(name).waiting == 20 }
                #expect(try await !rig.uplink(name).state.isUp)
            }
            dns.thaw()
            for name in ["gwmp", "lns", "cluster"] {
                try await rig.waitUntilUp(name)
                try await eventually("\(name) has them") { try await rig.uplink(name).waiting == 0 }
            }
            #expect(gwmp.firstNumbers == Array(0..<20))
            #expect(lns.values.compactMap { $0["FCnt"]?.integerValue } == Array(0..<20))
            #expect(rig.radio.counters.starts == 1)
        }
        await gwmp.stop()
        await plain.stop()
        await lns.stop()
        await listener.close()
        await broker.shutDown()
        dns.end()
    }
}
