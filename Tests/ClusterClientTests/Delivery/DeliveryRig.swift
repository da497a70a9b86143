import ClusterClient
import DeviceCore
import DeviceProtocols
import NIOCore
import Outbox
import TestSupport
import Testing

/// Brokers, directories and receivers of one test of delivery.
final class DeliveryRig: Sendable {
    let directory: TemporaryDirectory
    let deduplicator: Deduplicator

    init() async throws {
        directory = try TemporaryDirectory()
        deduplicator = try await Deduplicator.open(directory: directory("seen"))
    }

    /// An outbox whose repetitions a test need not wait for.
    func outbox(_ name: String = "outbox", _ set: (inout SMQOutboxConfiguration) -> Void = { _ in })
        -> SMQOutboxConfiguration
    {
        var configuration = SMQOutboxConfiguration(directory: directory(name))
        configuration.repeatAfter = .milliseconds(100)
        configuration.repeatCap = .milliseconds(400)
        configuration.retryInterval = .milliseconds(50)
        set(&configuration)
        return configuration
    }

    /// A client with an outbox, connected.
    func sender(_ port: Int, _ set: (inout SMQClientConfiguration) -> Void = { _ in }) async throws -> TestClient {
        let outbox = outbox()
        return try await TestClient.connected(port, "sender") {
            $0.outbox = outbox
            set(&$0)
        }
    }

    /// A client that handles the messages of `events`, and what it has handled.
    func receiver(
        _ port: Int, _ uid: String = "receiver", deduplicator: Deduplicator? = nil, into handled: Handled
    ) async throws -> TestClient {
        let client = try TestClient(port, uid)
        let messages = client.client.receiveLogged(from: "events", deduplicator: deduplicator ?? self.deduplicator)
        Task {
            for await message in messages {
                handled.add(message)
                message.complete()
            }
        }
        try await client.connected()
        try await client.isSubscribed()
        return client
    }
}

/// On until it is turned off.
final class Switch: Sendable {
    private let state = Locked(true)
    var isOn: Bool { state.withLock { $0 } }
    func turnOff() { state.withLock { $0 = false } }
}

/// What handlers have seen.
final class Handled: Sendable {
    private let texts = Locked<[String]>([])
    var all: [String] { texts.withLock { $0 } }
    var count: Int { texts.withLock { $0.count } }
    func add(_ text: String) { texts.withLock { $0.append(text) } }
    func add(_ message: SMQLoggedMessage) { add(String(buffer: message.message.payload)) }
}

extension TestClient {
    /// Waits until the broker has taken the subscriptions: it handles a connection's frames in order.
    func isSubscribed() async throws {
        let mark = "\(UInt64.random(in: .min ... .max))"
        let answer = try await client.request(payload(mark), to: .peer(#require(client.ownPeer))) {
            String(buffer: $0.payload) == mark
        }
        #expect(String(buffer: answer.payload) == mark)
    }

    func publish(_ text: String, _ delivery: SMQDelivery) async throws {
        try await client.publish(payload(text), to: .topic("events"), delivery: delivery)
    }

    /// Waits until nothing waits to be delivered.
    func isDelivered(within limit: Duration = .seconds(40)) async throws {
        // An outbox that is not open yet has nothing that waits.
        try? await client.synchronizeOutbox()
        try await eventually("everything delivered", within: limit) { [client] in
            let counters = client.deliveryCounters
            return SMQPriority.allCases.allSatisfy { counters[$0].waiting == 0 }
        }
    }
}

/// A relay between clients and a broker: frozen it forwards nothing, like a stopped process, and later everything.
final class Relay: Sendable {
    private struct State {
        var isFrozen = false
        var isDroppingPublishes = false
        var dropped = 0
        var connections = 0
    }

    private let state: Locked<State>
    private let server: FakeServer
    var port: Int { server.port }
    var dropped: Int { state.withLock { $0.dropped } }
    var connections: Int { state.withLock { $0.connections } }

    private init(_ server: FakeServer, _ state: consuming sending Locked<State>) {
        self.server = server
        self.state = state
    }

    func freeze(_ isFrozen: Bool) { state.withLock { $0.isFrozen = isFrozen } }
    /// Publishes from the broker to clients get lost: for a sender these are the acknowledgements.
    func dropPublishes(_ isDropping: Bool) { state.withLock { $0.isDroppingPublishes = isDropping } }
    func stop() async { await server.stop() }

    static func start(to port: Int) async throws -> Relay {
        let relay = Locked<Relay?>(nil)
        let server = try await FakeServer.start { client in
            let broker = try await RawConnection.connect(port: port)
            guard let relay = relay.withLock({ $0 }) else { return }
            relay.state.withLock { $0.connections += 1 }
            let up = Task {
                // What the client wrote before it went is still forwarded.
                while true {
                    let bytes = try await client.taken()
                    try await relay.isFlowing()
                    try await broker.send(bytes)
                }
            }
            let down = Task {
                try await client.send(broker.take(through: "\r\n\r\n"))
                while true {
                    let frame = try await broker.rawFrame()
                    try await relay.isFlowing()
                    let isPublish =
                        frame.getInteger(at: frame.readerIndex + 2, as: UInt8.self)
                        == SMQMessageType.publish.rawValue
                    let isDropped = relay.state.withLock { state in
                        guard isPublish, state.isDroppingPublishes else { return false }
                        state.dropped += 1
                        return true
                    }
                    if !isDropped { try await client.send(frame) }
                }
            }
            _ = await up.result
            down.cancel()
            broker.close()
        }
        let new = Relay(server, Locked(State()))
        relay.withLock { $0 = new }
        return new
    }

    private func isFlowing() async throws {
        while state.withLock({ $0.isFrozen }) { try await Task.sleep(for: .milliseconds(2)) }
    }
}

extension RawConnection {
    /// Everything that has come, as soon as there is something.
    fileprivate func taken() async throws -> ByteBuffer {
        while true {
            do {
                return try await take { bytes in
                    guard bytes.readableBytes > 0 else { return nil }
                    defer { bytes = ByteBuffer() }
                    return bytes
                }
            } catch {
                if isClosed { throw error }
            }
        }
    }

    fileprivate func rawFrame() async throws -> ByteBuffer {
        while true {
            do {
                return try await take { bytes in
                    guard let length = bytes.getInteger(at: bytes.readerIndex, as: UInt16.self),
                        bytes.readableBytes >= Int(length)
                    else { return nil }
                    return bytes.readSlice(length: Int(length)).map { ByteBuffer(bytes: $0.readableBytesView) }
                }
            } catch {
                if isClosed { throw error }
            }
        }
    }

    fileprivate func send(_ text: @autoclosure () async throws -> String) async throws {
        try await send(ByteBuffer(string: text()))
    }
}
