import ClusterClient
import DeviceCore
import DeviceProtocols
import NIOCore
import Outbox

/// A connection of its own, apart from the devices': hears what they publish at one node, and sends commands there.
final class FleetReceiver: Sendable {
    let index: Int
    let client: SMQClient
    private let ledger: FleetLedger
    private let delivery: FleetDelivery
    private let subscriptions: [SMQSubscription]
    private let logged: [SMQLoggedSubscription]

    /// - Parameter deduplicator: for messages that devices keep; all receivers share it.
    init(
        _ index: Int, client: SMQClient, delivery: FleetDelivery, deduplicator: Deduplicator?, ledger: FleetLedger
    ) {
        self.index = index
        self.client = client
        self.ledger = ledger
        self.delivery = delivery
        let readings = ReadingKind.allCases.map(\.topic)
        var topics = [FleetTopic.hello, FleetTopic.probe] + FleetTopic.live
        var logged: [SMQLoggedSubscription] = []
        if let deduplicator {
            logged = readings.map { client.receiveLogged(from: $0, deduplicator: deduplicator, limit: 65_536) }
        } else {
            topics += readings
        }
        self.logged = logged
        subscriptions = topics.map { topic in
            client.subscribe(to: topic) { messages in
                Self.count(messages.map { ($0.payload, $0.publisher) }, index, ledger)
            }
        }
    }

    /// Receives until the task is cancelled.
    func run() async throws(DeviceError) {
        let readers = logged.map { subscription in
            Task { [index, ledger] in
                for await message in subscription {
                    Self.count([(message.message.payload, message.message.publisher)], index, ledger)
                    message.complete()
                }
            }
        }
        defer { for reader in readers { reader.cancel() } }
        try await client.run()
    }

    private static func count(_ messages: [(ByteBuffer, SMQPeer)], _ index: Int, _ ledger: FleetLedger) {
        let now = FleetClock.now
        let known = messages.compactMap { payload, peer in FleetMessage(payload).map { ($0, peer) } }
        ledger.received(known, by: index, foreign: messages.count - known.count, at: now)
    }

    /// Says something that the other receivers hear where their brokers are linked.
    func probe() {
        let message = FleetMessage(
            .probe, run: ledger.run, device: UInt32(index), sequence: 0, time: FleetClock.now)
        try? client.publishNow(message.payload, to: .topic(FleetTopic.probe))
    }

    /// Sends a command to a device.
    func send(_ command: LEDContract.Switch, to peer: SMQPeer) throws(DeviceError) {
        try client.publishNow(command.payload, to: .peer(peer))
    }

    /// Copies that were kept from being counted twice, because their sender repeated them.
    var copiesRemoved: UInt64 { client.deliveryCounters.duplicates }
    /// Messages that nobody read in time.
    var dropped: UInt64 { logged.reduce(0) { $0 + $1.dropped } }
}
