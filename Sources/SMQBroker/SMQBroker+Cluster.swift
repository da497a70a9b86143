public import DeviceCore
public import DeviceProtocols
public import DeviceTransport
public import NIOCore

extension SMQBroker {
    /// How a broker takes part in a cluster.
    public struct Cluster: Sendable {
        /// Who this node is, the password, the links' times.
        public var settings: SMQClusterSettings
        /// Where links are taken.
        public var listen: ListenAddress
        /// The other nodes: addresses and names. A name stands for all its addresses, this node's own among them.
        public var peers: [ResolverTarget]
        /// Who looks the names up.
        public var resolver: NameResolver
        /// Secures the links; nil for plain TCP, which is all that the vendor's nodes speak.
        public var tls: LinkTLS?
        /// Called on the event loop when another node's program has something to say to this one's.
        public var onServerMessage: (@Sendable (SMQServerMessage) -> Void)?

        /// A node with its peers.
        public init(
            settings: SMQClusterSettings, listen: ListenAddress, peers: [ResolverTarget],
            resolver: NameResolver = .shared
        ) {
            self.settings = settings
            self.listen = listen
            self.peers = peers
            self.resolver = resolver
        }
    }

    /// The cluster as this node sees it, at one moment.
    public struct ClusterSnapshot: Sendable {
        /// This node's id.
        public var nodeID: UInt64
        /// This node's name.
        public var name: String
        /// Links to nodes that know the password.
        public var links: [SMQLinkState] = []
        /// The addresses that are looked for.
        public var peers: [SMQLinkDialPlan.Entry] = []
        /// Counters since the start.
        public var statistics = SMQLinkStatistics()
        /// Clients of other nodes that can be answered.
        public var phantoms = 0

        /// Links that carry messages.
        public var linksUp: Int { links.count { $0.isUp } }
    }

    /// Begins to listen for links and to dial the other nodes.
    ///
    /// - Returns: the address on which links are taken; nil for a broker that stands alone.
    /// - Throws: ``DeviceError`` `busy`, `permission` or `unavailable`, as ``HTTPListener``.
    @discardableResult
    public func startLinks() async throws(DeviceError) -> ListenAddress? {
        guard let cluster = configuration.cluster else { return nil }
        let bound = core
        let address = try await LinkListener.start(for: cluster, eventLoop: eventLoop, core: bound, logger: logger)
        let started = eventLoop.submit { bound.value.startLinks(listening: address) }
        try? await started.get()
        return address.address
    }

    /// Says something to the programs of all other nodes; theirs hear it in ``Cluster/onServerMessage``, or however a
    /// broker of another make tells it.
    public func publishToServers(_ payload: ByteBuffer, subtopic: String? = nil) {
        let bound = core
        eventLoop.execute { bound.value.publishToServers(payload, subtopic: subtopic.map { ByteBuffer(string: $0) }) }
    }
}
