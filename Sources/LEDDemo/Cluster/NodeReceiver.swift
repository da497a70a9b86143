import ClusterClient
import DeviceCore
import DeviceProtocols
import DeviceTransport
import Logging
import NIOCore
import Outbox
import Synchronization

/// An independent receiver at one node: it hears what the device sends as that node passes it on.
final class NodeReceiver: Sendable {
    private let client: SMQClient
    private let messages: SMQLoggedSubscription
    private let copies: SMQSubscription
    private let count = Atomic<UInt64>(0)

    /// - Parameter seen: shared by the receivers of all nodes, so that what two nodes pass on counts once.
    init(
        node: ListenAddress, name: String, seen: Deduplicator, eventLoop: any EventLoop, logger: Logger
    ) throws(DeviceError) {
        let uid = try OpenSSLCrypto().randomBytes(12)
        var configuration = SMQClientConfiguration(
            brokers: [try BrokerURL("smq://\(node)/smq.lsp")], uid: uid, profile: .fast)
        configuration.information = "receiver at \(name)"
        client = SMQClient(configuration, eventLoop: eventLoop, logger: logger)
        messages = client.receiveLogged(from: Heartbeat.topic, deduplicator: seen)
        copies = client.subscribe(to: Heartbeat.topic)
    }

    /// Messages that came by this node, copies of what came by others included.
    var received: UInt64 { count.load(ordering: .relaxed) }

    /// Receives until the task is cancelled.
    func run(_ take: @escaping @Sendable (Heartbeat.Beat) -> Void) async {
        await withTaskGroup(of: Void.self) { group in
            // It ends by itself only when the program does; a node that is down is tried again.
            group.addTask { [client] in try? await client.run() }
            group.addTask { [messages] in
                for await message in messages {
                    if let beat = Heartbeat.Beat(message.message.payload) { take(beat) }
                    message.complete()
                }
            }
            group.addTask { [self] in for await _ in copies { count.add(1, ordering: .relaxed) } }
        }
    }
}
