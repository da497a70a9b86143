import ClusterClient
import DeviceCore
import DeviceLua
import DeviceProtocols
import DeviceSDK
import DeviceSimulator
import DeviceTransport
import Logging
import NIOCore
import NIOPosix

@testable import LEDDemo

/// The device as a page sees it.
struct Demo: Sendable {
    let device: LEDDevice
    let page: SMQClient
    let board: SimulatedBoard
    let warnings: BoundedStream<String>

    func hello() async throws {
        try await settle()
        try await page.publish(ByteBuffer(string: "Hello"), to: .topic(LEDContract.displayTopic))
    }

    /// Waits until the broker has handled what the page asked for so far, and the device is there.
    func settle() async throws {
        for await count in page.observe(.topic(LEDContract.displayTopic)) where count > 0 { break }
    }
}

/// Runs a device, its broker and a page, and ends them.
func withDemo(
    hooks: ScriptHooks = ScriptHooks(), _ body: @Sendable @escaping (Demo) async throws -> Void
) async throws {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let logger = Logger(label: "test")
    let embedded = try await EmbeddedBroker.start(
        on: .init(host: "127.0.0.1", port: 0), defaultHost: "127.0.0.1", access: .init(), device: { nil },
        eventLoop: group.next(), logger: logger)
    let url = try BrokerURL("smq://\(embedded.listener.address)")
    let board = SimulatedBoard()
    let warnings = BoundedStream<String>(limit: 10_000)
    let leds = try LEDSpecification.defaults.enumerated().map { index, specification in
        LEDDevice.LEDState(
            id: index + 1, specification: specification, led: try LED(specification.line, on: board),
            board: board.board)
    }
    let device = LEDDevice(
        name: "Test \"device\"", leds: leds, board: board.board, isSimulated: true,
        client: SMQClient(SMQClientConfiguration(brokers: [url], uid: Array("device-1".utf8))),
        hooks: hooks
    ) { event in if case .warning(let text) = event { warnings.send(text) } }
    let page = SMQClient(SMQClientConfiguration(brokers: [url], uid: Array("page-0001".utf8)))
    let events = page.events()
    try await withThrowingTaskGroup(of: Void.self) { tasks in
        tasks.addTask { try await device.client.run() }
        tasks.addTask { await device.run() }
        tasks.addTask { try await page.run() }
        for await case .connected in events { break }
        try await body(Demo(device: device, page: page, board: board, warnings: warnings))
        tasks.cancelAll()
    }
    await embedded.stop()
    try await group.shutdownGracefully()
}
