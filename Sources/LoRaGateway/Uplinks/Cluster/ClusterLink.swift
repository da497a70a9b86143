import ClusterClient
import DeviceCore
import DeviceProtocols
import DeviceTransport
import NIOCore
import Outbox

/// The project's own cluster as an up-link: frames go to the topic `lora/EUI/up`, frames to send come from
/// `lora/EUI/down`, and their fate goes to `lora/EUI/ack`.
///
/// With a store every frame goes through the client's outbox, which keeps it until a broker has it; without one, frames
/// are sent while a broker is connected. The client finds its nodes and moves between them by itself.
final class ClusterLink: ServerLink {
    private let server: ClusterServer
    private let name: String
    private let store: StoreSettings?
    private let context: LinkContext
    private unowned let owner: any ServerLinkOwner
    private var client: SMQClient?
    /// Frames on their way to the client; the oldest make room.
    private let outgoing = BoundedStream<Outgoing>(limit: 4_096)
    private var tasks: [Task<Void, Never>] = []
    /// Frames in ``outgoing``, in order.
    private var underWay: [ReceivedFrame] = []
    private var isUp = false
    private var node: String?
    private var problem: String?
    private var sessions: UInt64 = 0

    private struct Outgoing: Sendable {
        var text: String
        var subtopic: String
        /// Whether it is a frame, and not an answer.
        var isFrame: Bool
    }

    /// - Parameter name: the up-link's, for its directory.
    init(
        _ server: ClusterServer, name: String, store: StoreSettings?, context: LinkContext, owner: any ServerLinkOwner
    ) {
        self.server = server
        self.name = name
        self.store = context.stateDirectory == nil ? nil : store
        self.context = context
        self.owner = owner
    }

    var isReady: Bool { isUp }
    /// With an outbox, frames are always taken.
    var sendsBlindly: Bool { store != nil }

    var state: ServerLinkState {
        ServerLinkState(
            word: isUp ? "up" : "connecting", isUp: isUp, address: node, addresses: server.brokers.count,
            roundTrip: client?.roundTrip, problem: isUp ? nil : problem)
    }

    var counters: [(name: String, value: UInt64)] {
        [
            ("session", sessions), ("overflow", outgoing.dropped),
            ("given_up", client?.deliveryCounters.normal.dropped ?? 0),
        ]
    }

    var stored: FrameStore.Counters? {
        guard store != nil, let counters = client?.deliveryCounters.normal else { return nil }
        return FrameStore.Counters(
            stored: counters.published, waiting: counters.waiting, bytes: counters.bytes, expired: counters.expired,
            dropped: counters.dropped, damaged: counters.damaged)
    }

    private var topic: String { "\(server.topic)/\(context.eui)" }

    func start() {
        let configuration: SMQClientConfiguration
        do throws(DeviceError) { configuration = try makeConfiguration() } catch {
            problem = error.message
            return owner.warn("configuration", error.description)
        }
        let client = SMQClient(configuration, eventLoop: context.eventLoop, logger: context.logger)
        self.client = client
        let bound = NIOLoopBound(WeakLink(link: self), eventLoop: context.eventLoop)
        let loop = context.eventLoop
        let events = client.events()
        let downlinks = client.subscribe(to: "\(topic)/down")
        tasks = [
            Task {
                for await event in events { loop.execute { bound.value.link?.took(event) } }
            },
            Task {
                for await message in downlinks { loop.execute { bound.value.link?.request(message.payload) } }
            },
            Task { [outgoing, topic, isKept = store != nil] in
                for await message in outgoing {
                    let result: Result<Void, DeviceError>
                    do throws(DeviceError) {
                        try await client.publish(
                            ByteBuffer(string: message.text), to: .topic("\(topic)/\(message.subtopic)"),
                            delivery: isKept && message.isFrame ? .log(level: .broker) : .live)
                        result = .success(())
                    } catch {
                        result = .failure(error)
                    }
                    loop.execute { bound.value.link?.published(message.isFrame, result) }
                }
            },
            Task {
                do throws(DeviceError) { try await client.run() } catch {
                    loop.execute { bound.value.link?.ended(error) }
                }
            },
        ]
    }

    private func makeConfiguration() throws(DeviceError) -> SMQClientConfiguration {
        var brokers: [BrokerURL] = []
        for text in server.brokers { brokers.append(try BrokerURL(text)) }
        var configuration = SMQClientConfiguration(brokers: brokers, uid: Array("lora-\(context.eui)".utf8))
        configuration.information = "LoRa gateway \(context.eui)"
        configuration.resolver = context.resolver
        configuration.tls = TLSClientConfiguration(trustRoots: server.authorities.map { .file($0) } ?? .system)
        if let certificate = server.certificate, let key = server.key {
            configuration.tls.identity = TLSIdentity(certificateFile: certificate, key: key)
        }
        if let store, let directory = context.stateDirectory {
            var outbox = SMQOutboxConfiguration(directory: "\(directory)/cluster-\(UplinkChannel.directoryName(name))")
            outbox.normal.maximumBytes = store.bytes
            outbox.normal.whenFull = .dropOldest
            outbox.normal.timeToLive = store.age
            configuration.outbox = outbox
        }
        return configuration
    }

    /// Ends the client; its outbox is closed, durably.
    func stop() -> EventLoopFuture<Void> {
        outgoing.finish()
        isUp = false
        let ending = tasks
        tasks = []
        return context.eventLoop.makeFutureWithTask {
            // What was heard before is taken into the outbox first; that is memory, or a disk that works.
            if ending.count > 2 {
                let taken = ending[2]  // safe: counted above
                let patience = Task {
                    try await Task.sleep(for: .seconds(2))
                    taken.cancel()
                }
                await taken.value
                patience.cancel()
            }
            for task in ending { task.cancel() }
            for task in ending { await task.value }
        }
    }

    func send(_ frames: [ReceivedFrame]) {
        outgoing.send(
            contentsOf: frames.map { frame in
                Outgoing(
                    text: ClusterMessages.uplink(frame, gateway: context.eui, isLate: !isUp), subtopic: "up",
                    isFrame: true)
            })
        underWay.append(contentsOf: frames)
        // What the full queue has dropped will never come back.
        if underWay.count > outgoing.limit {
            let lost = Array(underWay.prefix(underWay.count - outgoing.limit))
            underWay.removeFirst(lost.count)
            owner.missed(lost, isFull: true)
        }
    }

    private func published(_ isFrame: Bool, _ result: Result<Void, DeviceError>) {
        guard isFrame else { return }
        let frame = underWay.isEmpty ? nil : underWay.removeFirst()
        switch result {
        case .success: if let frame { owner.delivered([frame]) }
        case .failure(let error):
            if let frame { owner.missed([frame], isFull: false) }
            owner.warn("publish", "a frame could not be published: \(error)")
        }
    }

    private func took(_ event: SMQClientEvent) {
        switch event {
        case .connected(let node, _, _):
            sessions += 1
            (self.node, isUp, problem) = (node, true, nil)
            owner.linkChanged(isReady: true)
        case .disconnected(_, let reason, _, _, let wasConnected):
            problem = reason
            guard isUp, wasConnected else { return }
            isUp = false
            owner.linkChanged(isReady: false)
        case .denied(let name): owner.warn("denied", "the broker does not permit the topic \(name)")
        case .dropped(let count, let reason):
            owner.warn("given-up", "\(count) frames were given up: \(reason.rawValue)")
        case .outboxFailed(let error): owner.warn("store", "the outbox does not work: \(error)")
        case .notice(let text): owner.warn("notice", text)
        case .moved, .outboxRecovered: break
        }
    }

    private func ended(_ error: DeviceError) {
        isUp = false
        problem = error.message
        owner.warn("ended", error.description)
        owner.linkChanged(isReady: false)
    }

    // MARK: Downlinks

    private func request(_ payload: ByteBuffer) {
        do throws(DeviceError) {
            let (id, txpk) = try ClusterMessages.downlink(payload.readableBytesView)
            switch txpk {
            case .success(let txpk):
                owner.requested(
                    ServerDownlink(candidates: [DownlinkRequest(txpk, id: 0)], ticket: .cluster(id)))
            case .failure(let error):
                answer(id, "refused", GWMPTxpkAck(refusing: error))
                owner.warn("txpk-\(error.kind)", "a frame to send that cannot be read: \(error)")
            }
        } catch {
            owner.warn("down", error.message)
        }
    }

    func tell(_ fate: DownlinkFate, of ticket: DownlinkTicket, frame: RadioDownlink) {
        guard case .cluster(let id) = ticket else { return }
        let state =
            switch fate {
            case .accepted: "accepted"
            case .refused, .unwanted, .vetoed: "refused"
            case .transmitted: "sent"
            case .failed: "failed"
            }
        answer(id, state, fate.acknowledgement)
    }

    private func answer(_ id: String, _ state: String, _ ack: GWMPTxpkAck?) {
        let text = ClusterMessages.acknowledgement(id, state: state, ack, gateway: context.eui)
        outgoing.send(Outgoing(text: text, subtopic: "ack", isFrame: false))
    }

    private struct WeakLink {
        weak var link: ClusterLink?
    }
}
