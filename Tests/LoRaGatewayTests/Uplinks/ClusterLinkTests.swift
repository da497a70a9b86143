import ClusterClient
import DeviceCore
import DeviceProtocols
import DeviceTransport
import Logging
import NIOCore
import NIOPosix
import Outbox
import SMQBroker
import TestSupport
import Testing

@testable import LoRaGateway

/// A gateway and the project's own brokers.
@Suite struct ClusterLinkTests {
    private struct Broker {
        let broker: SMQBroker
        let listener: HTTPListener

        static func start(port: Int = 0) async throws -> Broker {
            let loop = MultiThreadedEventLoopGroup.singleton.next()
            let broker = SMQBroker(SMQBroker.Configuration(), eventLoop: loop, logger: Logger(label: "test"))
            let listener = try await HTTPListener.start(
                on: ListenAddress(host: "127.0.0.1", port: port), eventLoop: loop, routes: broker.routes(),
                logger: Logger(label: "test"))
            return Broker(broker: broker, listener: listener)
        }

        func stop() async {
            await listener.close()
            await broker.shutDown()
        }
    }

    private func uplink(_ port: Int, store: StoreSettings?) -> UplinkConfiguration {
        UplinkConfiguration(
            name: "cluster", kind: .cluster(ClusterServer(brokers: ["smq://127.0.0.1:\(port)"])), store: store)
    }

    @Test func framesGoUpAndDownlinksComeBackWithTheirFate() async throws {
        let node = try await Broker.start()
        let port = node.listener.address.port
        try await GatewayRig.run([uplink(port, store: nil)]) { rig in
            let client = SMQClient(
                SMQClientConfiguration(
                    brokers: [try BrokerURL("smq://127.0.0.1:\(port)")], uid: Array("a-server".utf8)))
            let up = client.subscribe(to: "lora/aa555a0000000101/up")
            let acks = client.subscribe(to: "lora/aa555a0000000101/ack")
            let running = Task { try? await client.run() }
            defer { running.cancel() }
            try await rig.waitUntilUp("cluster")
            try await eventually("the server is there") { client.isConnected }
            // Its subscriptions take effect with its first exchange.
            let reader = up.makeAsyncIterator()
            let first = Locked<String?>(nil)
            let reading = Task {
                var reader = reader
                while let message = await reader.next() { first.withLock { $0 = String(buffer: message.payload) } }
            }
            defer { reading.cancel() }
            try await eventually("a frame") {
                rig.radio.hear(5)
                return first.withLock { $0 } != nil
            }
            let value = try JSONValue(parsing: first.withLock { $0 } ?? "", options: .message)
            #expect(value["gateway"] == "aa555a0000000101" && value["late"] == false)
            #expect(value["rxpk"]?["freq"] == 868.1 && value["rxpk"]?["size"] == 17)
            #expect(value["received"]?.stringValue?.hasSuffix("Z") == true)

            let words = Locked<[String]>([])
            let listening = Task {
                for await message in acks {
                    let value = try? JSONValue(parsing: String(buffer: message.payload), options: .message)
                    let text = "\(value?["id"]?.stringValue ?? "") \(value?["state"]?.stringValue ?? "")"
                    let error = value?["txpk_ack"]?["error"]?.stringValue
                    words.withLock { $0.append(text + (error.map { " \($0)" } ?? "")) }
                }
            }
            defer { listening.cancel() }
            let txpk =
                #""txpk":{"imme":true,"freq":869.525,"rfch":0,"powe":14,"modu":"LORA","datr":"SF9BW125","codr":"4/5","size":1,"data":"AA=="}"#
            try await client.publish(
                ByteBuffer(string: "{\"id\":\"x1\",\(txpk)}"), to: .topic("lora/aa555a0000000101/down"))
            try await eventually("its fate") { words.withLock { $0 } == ["x1 accepted", "x1 sent"] }
            for bad in ["{\"id\":\"x2\",\"txpk\":{}}", "{}", "x"] {
                try await client.publish(ByteBuffer(string: bad), to: .topic("lora/aa555a0000000101/down"))
            }
            try await eventually("a refusal") { words.withLock { $0.last } == "x2 refused UNKNOWN" }
            try await eventually("the others are counted") { try await rig.warnings["cluster-down"] == 2 }
        }
        await node.stop()
    }

    @Test func withItsOutboxAnOutageLosesNothing() async throws {
        let directory = try TemporaryDirectory()
        let port = try ReservedPort()
        try await GatewayRig.run([uplink(port.port, store: StoreSettings())], state: directory.path) { rig in
            // Heard before there is any broker.
            for number in 0..<30 { rig.radio.hear(UInt16(number)) }
            try await eventually("they are kept") { try await rig.uplink("cluster").waiting == 30 }
            let node = try await Broker.start(port: port.port)
            try await eventually("the broker has them") { try await rig.uplink("cluster").waiting == 0 }
            #expect(try await rig.uplink("cluster").counters.delivered == 30)
            await node.stop()
        }
    }
}
