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
    private var lookups: [ResolverTarget: Lookup] = [:]
    private var isStopped = false
    /// Why TLS did not come up, until the connection has ended.
    private var failures: [Endpoint: String] = [:]
    /// Connections that are being made, by the number of the attempt.
    private(set) var pending: [UInt64: any Channel] = [:]
    private var attempts: UInt64 = 0

    /// What is known of one name.
    private struct Lookup {
        /// Nil before the first answer.
        var endpoints: [Endpoint]?
        var isRunning = false
        /// Whether the last attempt found nothing.
        var isMissed = false
        var next = MonotonicTime.zero
    }

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
        for target in cluster.peers { lookups[target] = Lookup() }
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
        for (target, lookup) in lookups where !lookup.isRunning && lookup.next <= now { lookUp(target) }
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
        for target in lookups.keys { lookups[target]?.next = now }
    }

    func ended(_ endpoint: Endpoint, failure: String?, now: MonotonicTime) {
        let failure = failures.removeValue(forKey: endpoint) ?? failure
        plan.ended(endpoint, failure: failure, now: now)
    }

    // MARK: Names

    /// Asks for a name: at the start, when an answer's time is over, and while a node is missed (the resolver asks the DNS
    /// no more often than its minimum allows). Each name by itself: one that the DNS does not answer for delays only its
    /// own nodes.
    private func lookUp(_ target: ResolverTarget) {
        lookups[target]?.isRunning = true
        let (resolver, misses) = (cluster.resolver, plan.misses)
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.makeFutureWithTask { try? await resolver.resolve(target, refresh: misses) }
            .whenSuccess { bound.value.lookedUp(target, $0, now: SMQBrokerCore.now) }
    }

    private func lookedUp(_ target: ResolverTarget, _ resolution: Resolution?, now: MonotonicTime) {
        guard var lookup = lookups[target], !isStopped else { return }
        lookup.isRunning = false
        if let resolution {
            lookup.endpoints = resolution.endpoints.map(\.endpoint)
            lookup.next = now + min(.seconds(60), max(.milliseconds(500), resolution.timeLeft))
        } else {
            // The old addresses stay.
            lookup.next = now + .seconds(1)
            if lookup.endpoints == nil, !lookup.isMissed {
                logger.warning("a peer's name has no address", metadata: ["name": "\(target.name)"])
            }
        }
        lookup.isMissed = resolution == nil
        lookups[target] = lookup
        let own = IPAddress(listening.host).map { Endpoint($0, port: listening.port) }
        plan.set(cluster.peers.flatMap { lookups[$0]?.endpoints ?? [] }.filter { $0 != own }, now: now)
        // While somebody is missed, the name may be about to change.
        if IPAddress(target.name) == nil, plan.misses {
            lookups[target]?.next = min(lookup.next, now + .seconds(1))
        }
    }

    // MARK: Connections

    private func dial(_ endpoint: Endpoint) {
        guard
            let address = try? SocketAddress.makeAddressResolvingHost(endpoint.address.description, port: endpoint.port)
        else { return plan.ended(endpoint, failure: "impossible address", now: SMQBrokerCore.now) }
        let core = NIOLoopBound(core, eventLoop: eventLoop)
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let peer = endpoint.address.description
        attempts += 1
        let attempt = attempts
        var bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(.seconds(2))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.recvAllocator, value: LinkChannel.receiveAllocator)
            .channelOption(LinkChannel.userTimeoutOption, value: LinkChannel.userTimeout)
            .channelInitializer { channel in
                bound.value.pending[attempt] = channel
                return channel.eventLoop.makeSucceededVoidFuture()
            }
        if let source, source.protocol == address.protocol { bootstrap = bootstrap.bind(to: source) }
        bootstrap.connect(to: address).whenComplete { result in
            let dialer = bound.value
            dialer.pending[attempt] = nil
            switch result {
            case .success(let channel):
                guard !dialer.isStopped else { return channel.close(promise: nil) }
                dialer.begin(SMQBrokerHandler(core.value, linkTo: peer, dialed: endpoint), on: channel, endpoint)
            case .failure(let error):
                dialer.ended(endpoint, failure: "\(error)", now: SMQBrokerCore.now)
            }
        }
    }

    /// The handler says who is there at once, so it comes when the connection is up, which may be closed again by then.
    func begin(_ handler: SMQBrokerHandler, on channel: any Channel, _ endpoint: Endpoint) {
        do {
            if let tls = try secure(endpoint) { try channel.pipeline.syncOperations.addHandler(tls) }
            try channel.pipeline.syncOperations.addHandler(handler)
        } catch {
            let reason = (error as? DeviceError).map { "\($0)" } ?? "the connection was closed at once"
            ended(endpoint, failure: reason, now: SMQBrokerCore.now)
            channel.close(promise: nil)
        }
    }

    /// The certificate there must be for the name, or the address, that stands among the peers.
    private func secure(_ endpoint: Endpoint) throws(DeviceError) -> TLSHandler? {
        guard let tls = cluster.tls else { return nil }
        let target = cluster.peers.first { lookups[$0]?.endpoints?.contains(endpoint) == true }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        return try tls.client.makeHandler(
            serverName: target?.name ?? endpoint.address.description, port: endpoint.port,
            timeout: cluster.settings.link.handshake
        ) { result in
            if case .failure(let error) = result { bound.value.failures[endpoint] = "\(error)" }
        }
    }
}
