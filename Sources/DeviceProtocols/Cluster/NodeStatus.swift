/// What a node says about itself: to the others over the link, and to clients that ask for it.
public struct NodeStatus: Hashable, Sendable {
    /// Clients connected.
    public var clients: UInt32
    /// Use of one processor by the node's program, in thousandths; a broker cannot use more than about 1,000.
    public var processor: UInt16
    /// Resident memory of the node's program, in bytes.
    public var memory: UInt64
    /// The part of the machine's memory that is in use, by whatever program, in thousandths; 0 where it is not known.
    public var memoryShare: UInt16
    /// Whether it asks its clients to leave and takes no new ones.
    public var isDraining: Bool

    /// A status.
    public init(
        clients: UInt32 = 0, processor: UInt16 = 0, memory: UInt64 = 0, memoryShare: UInt16 = 0,
        isDraining: Bool = false
    ) {
        self.clients = clients
        self.processor = processor
        self.memory = memory
        self.memoryShare = memoryShare
        self.isDraining = isDraining
    }
}
