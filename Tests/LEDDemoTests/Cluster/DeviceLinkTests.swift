import ClusterClient
import DeviceCore
import DeviceProtocols
import DeviceSDK
import DeviceSimulator
import DeviceTransport
import Logging
import NIOCore
import NIOPosix
import SMQBroker
import TestSupport
import Testing

@testable import LEDDemo

/// A device at one node, and a page at another that says Hello once at most, as the vendor's does.
@Suite struct DeviceLinkTests {
    private struct Node {
        let broker: SMQBroker
        let listener: HTTPListener

        static func start(links: Int, peer: Int, on loop: any EventLoop) async throws -> Node {
            var settings = SMQClusterSettings(
                link: .init(password: Array("a test's password".utf8), crypto: OpenSSLCrypto()), name: "node")
            // Generous, for machines that have much else to do.
            settings.link.deadAfter = .seconds(20)
            settings.link.handshake = .seconds(20)
            var configuration = SMQBroker.Configuration()
            configuration.limits.handshake = .seconds(30)
            configuration.cluster = SMQBroker.Cluster(
                settings: settings, listen: ListenAddress(host: "127.0.0.1", port: links),
                peers: [ResolverTarget("127.0.0.1", port: peer)])
            let broker = SMQBroker(configuration, eventLoop: loop, logger: Logger(label: "test"))
            let listener = try await HTTPListener.start(
                on: ListenAddress(host: "127.0.0.1", port: 0), eventLoop: loop, routes: broker.routes(),
                access: HTTPAccessPolicy(), logger: Logger(label: "test"))
            return Node(broker: broker, listener: listener)
        }

        func stop() async {
            await listener.close()
            await broker.shutDown()
        }
    }

    @Test(.timeLimit(.minutes(5))) func aNewLinkHasItDescribedAnew() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let ports = [try ReservedPort(), try ReservedPort()]
        let here = try await Node.start(links: ports[0].port, peer: ports[1].port, on: group.next())
        let there = try await Node.start(links: ports[1].port, peer: ports[0].port, on: group.next())
        let board = SimulatedBoard()
        // By a name, which stands for a cluster.
        let device = LEDDevice(
            name: "device", leds: [], board: board.board, isSimulated: true,
            client: SMQClient(
                SMQClientConfiguration(
                    brokers: [try BrokerURL("smq://localhost:\(here.listener.address.port)")],
                    uid: Array("device-1".utf8)))
        ) { _ in }
        let page = SMQClient(
            SMQClientConfiguration(
                brokers: [try BrokerURL("smq://127.0.0.1:\(there.listener.address.port)")],
                uid: Array("page-0001".utf8)))
        let described = page.subscribe(to: LEDContract.deviceTopic, subtopic: LEDContract.infoSubtopic)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await device.client.run() }
            tasks.addTask { await device.run() }
            tasks.addTask { try await page.run() }
            try await eventually("both") { device.client.isConnected && page.isConnected }
            // Until it has said what it says at the beginning of a session, which nobody hears.
            try await eventually("the description") { await here.broker.snapshot().statistics.messagesReceived > 0 }
            for node in [here, there] { try await node.broker.startLinks() }
            let message = try await within(.seconds(90), "a description") {
                try #require(await described.first { _ in true })
            }
            #expect(try JSONValue(parsing: String(buffer: message.payload))["devname"] == .string("device"))
            tasks.cancelAll()
        }
        for node in [here, there] { await node.stop() }
        withExtendedLifetime(ports) {}
        try await group.shutdownGracefully()
    }
}
