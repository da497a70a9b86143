public import DeviceCore

/// Which nodes to dial, and when: every address that no link leads to, with a back-off of its own.
///
/// An address is told apart from others by who answers there: only the first connection tells, so an address whose node
/// is linked already by a connection from the other side is dialled once.
public struct SMQLinkDialPlan: Sendable {
    private struct State {
        var identity: SMQNodeIdentity?
        var isDialing = false
        var next: MonotonicTime
        var backOff = BackOff(base: .milliseconds(50), cap: .seconds(1))
        var failure: String?
    }

    /// More addresses than this are passed over.
    public static let maximumEndpoints = 64
    /// An address of this node's own is tried again after this time: it may have become another's.
    public static let ownAddressPause = Duration.seconds(60)

    private let own: SMQNodeIdentity
    private var endpoints: [Endpoint: State] = [:]
    private var up: [SMQNodeIdentity: Int] = [:]
    private var random: SplitMix64

    /// No addresses yet.
    public init(own: UInt64, random: SplitMix64 = SplitMix64()) {
        self.own = .node(own)
        self.random = random
    }

    /// An address and how it does, for people.
    public struct Entry: Sendable {
        /// The address.
        public var endpoint: Endpoint
        /// Who answered there last.
        public var identity: SMQNodeIdentity?
        /// Whether it is this node's own.
        public var isOwn: Bool
        /// Whether there is a link to it.
        public var isUp: Bool
        /// Why there is none, as far as it is known.
        public var failure: String?
    }

    /// All addresses.
    public var entries: [Entry] {
        endpoints.map { endpoint, state in
            Entry(
                endpoint: endpoint, identity: state.identity, isOwn: state.identity == own,
                isUp: isUp(endpoint, state), failure: state.failure)
        }
        .sorted { $0.endpoint.description < $1.endpoint.description }
    }

    /// Whether an address waits for its node.
    public var misses: Bool { endpoints.contains { $0.value.identity != own && !isUp($0.key, $0.value) } }

    /// The addresses from now on. Those that were there already keep their state.
    public mutating func set(_ new: [Endpoint], now: MonotonicTime) {
        let kept = Set(new.prefix(Self.maximumEndpoints))
        endpoints = endpoints.filter { kept.contains($0.key) || $0.value.isDialing }
        for endpoint in kept where endpoints[endpoint] == nil { endpoints[endpoint] = State(next: now) }
    }

    /// Addresses to dial now; they count as being dialled until ``ended(_:failure:now:)``.
    public mutating func takeDue(now: MonotonicTime) -> [Endpoint] {
        let due = endpoints.filter { !$0.value.isDialing && $0.value.next <= now && !isUp($0.key, $0.value) }
        for endpoint in due.keys { endpoints[endpoint]?.isDialing = true }
        return due.keys.sorted { $0.description < $1.description }
    }

    /// Somebody said who it is, at an address that was dialled.
    public mutating func identified(_ endpoint: Endpoint, _ identity: SMQNodeIdentity) {
        endpoints[endpoint]?.identity = identity
        endpoints[endpoint]?.failure = nil
    }

    /// A connection that was dialled has ended, or was not made.
    public mutating func ended(_ endpoint: Endpoint, failure: String?, now: MonotonicTime) {
        guard var state = endpoints[endpoint] else { return }
        state.isDialing = false
        if let failure { state.failure = failure }
        state.next = now + (state.identity == own ? Self.ownAddressPause : state.backOff.next(using: &random))
        endpoints[endpoint] = state
    }

    /// A link carries messages.
    public mutating func linkUp(_ identity: SMQNodeIdentity) {
        up[identity, default: 0] += 1
        for endpoint in endpoints.keys where leads(endpoint, to: identity) { endpoints[endpoint]?.failure = nil }
    }

    /// A link that carried messages has ended. Its node is looked for again at once; if the link had not lasted, only
    /// after the back-off.
    public mutating func linkDown(_ identity: SMQNodeIdentity, lasted: Bool, now: MonotonicTime) {
        up[identity] = (up[identity] ?? 1) > 1 ? (up[identity] ?? 1) - 1 : nil
        guard up[identity] == nil else { return }
        for endpoint in endpoints.keys where leads(endpoint, to: identity) {
            guard var state = endpoints[endpoint] else { continue }
            // Another node, or the same with another id, may be there next.
            state.identity = nil
            if lasted { state.backOff.reset() }
            state.next = now + state.backOff.next(using: &random)
            endpoints[endpoint] = state
        }
    }

    private func leads(_ endpoint: Endpoint, to identity: SMQNodeIdentity) -> Bool {
        guard let known = endpoints[endpoint]?.identity else {
            return identity == .vendor(endpoint.address.description) && isOnlyCandidate(endpoint)
        }
        return known == identity
    }

    private func isUp(_ endpoint: Endpoint, _ state: State) -> Bool {
        if let identity = state.identity { return up[identity] != nil }
        // The vendor's nodes are told apart by their address, so there is one at each. Where more than one endpoint could
        // be its, somebody else is at the others.
        return up[.vendor(endpoint.address.description)] != nil && isOnlyCandidate(endpoint)
    }

    /// Whether no other endpoint of the same address may be the vendor's node.
    private func isOnlyCandidate(_ endpoint: Endpoint) -> Bool {
        !endpoints.contains { other, state in
            guard other != endpoint, other.address == endpoint.address else { return false }
            if case .node? = state.identity { return false }
            return true
        }
    }
}
