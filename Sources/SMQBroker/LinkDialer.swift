import DeviceCore
import DeviceProtocols
import DeviceTransport
import Logging
import NIOCore
import NIOPosix

/// Looks up the other nodes and dials those to which there is no link; belongs to the broker's event loop.
final class LinkDialer {
    private let cluster: SMQBroker.Cluster
    private let eventLoop: any EventLoop
    private let logger: Logger
    private unowned let core: SMQBrokerCore
    /// The address to dial from: the vendor's nodes tell their peers apart by it.
    private let source: SocketAddress?
    private(set) var plan: SMQLinkDialPlan
    private let listening: ListenAddress
    private var found: [ResolverTarget: [Endpoint]] = [:]
    private var isResolving = false
    private var nextLookup = MonotonicTime.zero
    private var isStopped = false
    private var pending: [ObjectIdentifier: any Channel] = [:]

    init(
        _ cluster: SMQBroker.Cluster, core: SMQBrokerCore, listening: ListenAddress, eventLoop: any EventLoop,
        logger: Logger
    ) {
        self.cluster = cluster
        self.core = core
        self.listening = listening
        self.eventLoop = eventLoop
        self.logger = logger
        plan = SMQLinkDialPlan(own: cluster.settings.nodeID)
        source = IPAddress(listening.host).flatMap { address in
            let isAny = address.bytes.allSatisfy { $0 == 0 }
            return isAny ? nil : try? SocketAddress(ipAddress: address.description, port: 0)
        }
    }

    func stop() {
        isStopped = true
        for channel in pending.values { channel.close(promise: nil) }
    }

    /// Does what is due. Call it a few times in 100 ms.
    func tick(now: MonotonicTime) {
        guard !isStopped else { return }
        if !isResolving, nextLookup <= now { lookUp(now: now) }
        for endpoint in plan.takeDue(now: now) { dial(endpoint) }
    }

    // MARK: Events of dialled links

    func identified(_ endpoint: Endpoint?, _ identity: SMQNodeIdentity) {
        if let endpoint { plan.identified(endpoint, identity) }
    }

    func linkUp(_ identity: SMQNodeIdentity) { plan.linkUp(identity) }

    func linkDown(_ identity: SMQNodeIdentity, lasted: Bool, now: MonotonicTime) {
        plan.linkDown(identity, lasted: lasted, now: now)
        // Its name may lead elsewhere now.
        nextLookup = now
    }

    func ended(_ endpoint: Endpoint, failure: String?, now: MonotonicTime) {
        plan.ended(endpoint, failure: failure, now: now)
    }

    // MARK: Names

    /// Asks for all names: at the start, when an answer's time is over, and while a node is missed (the resolver asks the
    /// DNS no more often than its minimum allows).
    private func lookUp(now: MonotonicTime) {
        isResolving = true
        let misses = plan.misses
        let cluster = cluster
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.makeFutureWithTask {
            var answers: [(ResolverTarget, Resolution?)] = []
            for target in cluster.peers {
                answers.append((target, try? await cluster.resolver.resolve(target, refresh: misses)))
            }
            return answers
        }
        .whenSuccess { answers in bound.value.lookedUp(answers, now: SMQBrokerCore.now) }
    }

    private func lookedUp(_ answers: [(ResolverTarget, Resolution?)], now: MonotonicTime) {
        isResolving = false
        var next = now + .seconds(60)
        for (target, resolution) in answers {
            guard let resolution else {
                // The old addresses stay.
                next = min(next, now + .seconds(1))
                if found[target] == nil {
                    logger.warning("a peer's name has no address", metadata: ["name": "\(target.name)"])
                }
                continue
            }
            found[target] = resolution.endpoints.map(\.endpoint)
            next = min(next, now + max(.milliseconds(500), resolution.timeLeft))
        }
        let own = IPAddress(listening.host).map { Endpoint($0, port: listening.port) }
        plan.set(cluster.peers.flatMap { found[$0] ?? [] }.filter { $0 != own }, now: now)
        // While somebody is missed, the name may be about to change.
        if cluster.peers.contains(where: { IPAddress($0.name) == nil }), plan.misses {
            next = min(next, now + .seconds(1))
        }
        nextLookup = next
    }

    // MARK: Connections

    private func dial(_ endpoint: Endpoint) {
        guard
            let address = try? SocketAddress.makeAddressResolvingHost(endpoint.address.description, port: endpoint.port)
        else { return plan.ended(endpoint, failure: "impossible address", now: SMQBrokerCore.now) }
        let core = NIOLoopBound(core, eventLoop: eventLoop)
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let peer = endpoint.address.description
        var bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(.seconds(2))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.recvAllocator, value: LinkChannel.receiveAllocator)
            .channelOption(LinkChannel.userTimeoutOption, value: LinkChannel.userTimeout)
            .channelInitializer { channel in
                bound.value.pending[ObjectIdentifier(channel)] = channel
                return channel.eventLoop.makeSucceededVoidFuture()
            }
        if let source, source.protocol == address.protocol { bootstrap = bootstrap.bind(to: source) }
        bootstrap.connect(to: address).whenComplete { result in
            let dialer = bound.value
            switch result {
            case .success(let channel):
                dialer.pending[ObjectIdentifier(channel)] = nil
                guard !dialer.isStopped else { return channel.close(promise: nil) }
                // The handler says who is there at once, so it comes when the connection is up.
                let handler = SMQBrokerHandler(core.value, linkTo: peer, dialed: endpoint)
                do { try channel.pipeline.syncOperations.addHandler(handler) } catch { channel.close(promise: nil) }
            case .failure(let error):
                dialer.pending = dialer.pending.filter { $0.value.isActive }
                dialer.ended(endpoint, failure: "\(error)", now: SMQBrokerCore.now)
            }
        }
    }
}
