import ClusterClient
import DeviceCore
import DeviceProtocols
import DeviceTransport
import Logging
import NIOCore
import NIOPosix
import SMQBroker
import TestSupport

/// A broker on a port of loopback.
struct TestNode {
    let broker: SMQBroker
    let listener: HTTPListener
    var port: Int { listener.address.port }

    static func start(
        port: Int = 0, access: HTTPAccessPolicy = HTTPAccessPolicy(), tls: TLSServerContext? = nil,
        _ set: (inout SMQBroker.Configuration) -> Void = { _ in }
    ) async throws -> TestNode {
        var configuration = SMQBroker.Configuration()
        // Generous, for machines that have much else to do.
        configuration.limits.handshake = .seconds(30)
        set(&configuration)
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let broker = SMQBroker(configuration, eventLoop: loop, logger: Logger(label: "test"))
        let listener = try await HTTPListener.start(
            on: ListenAddress(host: "127.0.0.1", port: port), eventLoop: loop, routes: broker.routes(), access: access,
            tls: tls, logger: Logger(label: "test"))
        return TestNode(broker: broker, listener: listener)
    }

    func stop() async {
        await listener.close()
        await broker.shutDown()
    }
}

/// A client that runs.
final class TestClient: Sendable {
    let client: SMQClient
    let events: BoundedStream<SMQClientEvent>
    private let task: Task<DeviceError?, Never>

    init(
        _ port: Int, _ uid: String = "client", framing: SMQFraming = .raw, path: String = "/smq.lsp",
        _ set: (inout SMQClientConfiguration) -> Void = { _ in }
    ) throws {
        let scheme = framing == .raw ? "smq" : "ws"
        var configuration = SMQClientConfiguration(
            brokers: [try BrokerURL("\(scheme)://127.0.0.1:\(port)\(path)")], uid: Array(uid.utf8))
        configuration.attempts.backOff = BackOff(base: .milliseconds(10), cap: .milliseconds(100))
        configuration.attempts.connectDeadline = .seconds(30)
        configuration.attempts.handshakeDeadline = .seconds(30)
        configuration.attempts.attemptLimit = 1000
        configuration.liveness = LivenessSettings(pingAfter: .seconds(60), pingTimeout: .seconds(30))
        set(&configuration)
        let client = SMQClient(configuration)
        self.client = client
        events = client.events()
        task = Task {
            do throws(DeviceError) {
                try await client.run()
                return nil
            } catch {
                return error
            }
        }
    }

    /// A client whose session is open.
    static func connected(
        _ port: Int, _ uid: String = "client", framing: SMQFraming = .raw,
        _ set: (inout SMQClientConfiguration) -> Void = { _ in }
    ) async throws -> TestClient {
        let client = try TestClient(port, uid, framing: framing, set)
        try await client.connected()
        return client
    }

    /// Waits until a session is open; gives its number.
    @discardableResult
    func connected() async throws -> UInt64 {
        try await event("a session") { if case .connected(_, _, let session) = $0 { session } else { nil } }
    }

    /// Waits for the end of a session or of an attempt; gives reason and hint.
    @discardableResult
    func disconnected() async throws -> (reason: String, hint: String) {
        try await event("an end") {
            if case .disconnected(_, let reason, let hint, _, _) = $0 { (reason, hint ?? "") } else { nil }
        }
    }

    /// The next event that a closure finds.
    func event<Value: Sendable>(
        _ what: String, _ find: @escaping @Sendable (SMQClientEvent) -> Value?
    ) async throws -> Value {
        try await within(.seconds(90), what) { [events] in
            for await event in events { if let value = find(event) { return value } }
            throw Late(description: "no more events, while waiting for \(what)")
        }
    }

    /// Waits for the end of `run()`; gives what it threw.
    func end() async throws -> DeviceError? {
        try await within(.seconds(90), "the end of run()") { [task] in await task.value }
    }

    /// Cancels `run()` and waits for its end.
    func stop() async throws {
        task.cancel()
        if let error = try await end() { throw error }
    }
}

/// The next element of a subscription or an observation.
func next<Stream: AsyncSequence & Sendable>(
    _ stream: Stream
) async throws -> Stream.Element where Stream.Element: Sendable {
    try await within(.seconds(90), "an element") {
        for try await element in stream { return element }
        throw Late(description: "the stream has ended")
    }
}

func payload(_ text: String) -> ByteBuffer { ByteBuffer(string: text) }

extension RawConnection {
    /// Plays the broker up to the Connect, which it gives.
    func serveInit(seed: UInt32 = 1) async throws -> SMQFrame {
        _ = try await take(through: "\r\n\r\n")
        try await reply { $0.writeSMQInit(seed: seed, address: "10.0.0.1") }
        return try await frame()
    }

    /// Plays the broker up to the Connack.
    func serveHandshake(etid: UInt32) async throws {
        _ = try await serveInit()
        try await reply { $0.writeSMQConnack(.accepted, etid: etid) }
    }

    func frame() async throws -> SMQFrame {
        try await take {
            try $0.readSMQRawMessage().map { try SMQFrame(message: ByteBuffer(bytes: $0.readableBytesView)) }
        }
    }

    func reply(_ write: (inout ByteBuffer) -> Void) async throws {
        var output = ByteBuffer()
        write(&output)
        try await send(output)
    }
}
