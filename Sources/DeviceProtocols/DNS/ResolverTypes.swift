public import DeviceCore

/// What is looked up, and under what its answer is kept.
public struct ResolverKey: Hashable, Sendable {
    /// A name from ``DNSName/checked(_:)``.
    public var name: String
    /// A service such as `_smq._tcp`, nil for the name's addresses alone.
    public var service: String?

    /// A key.
    public init(name: String, service: String? = nil) {
        self.name = name
        self.service = service
    }

    /// The name of the SRV records.
    var serviceName: String { service.map { "\($0).\(name)" } ?? name }
}

/// Where an answer comes from.
public enum ResolutionSource: String, Hashable, Sendable {
    /// The name is an address.
    case literal
    /// The hosts file, or the name means this machine.
    case hosts
    /// The DNS.
    case dns
}

/// An answer as it is kept.
public struct ResolverAnswer: Hashable, Sendable {
    /// An address with its record's values.
    public struct Entry: Hashable, Sendable {
        /// The address.
        public var address: IPAddress
        /// Nil where no SRV record says it.
        public var port: Int?
        /// See ``ResolvedEndpoint/priority``.
        public var priority = 0
        /// See ``ResolvedEndpoint/weight``.
        public var weight = 0
        /// As the server said, not clamped.
        public var timeToLive: Duration
        /// See ``ResolvedEndpoint/target``.
        public var target: String
    }

    /// The addresses, in no order. Never empty.
    public var entries: [Entry]
    /// Where they come from.
    public var source: ResolutionSource
    /// When they came.
    public var received: MonotonicTime
    /// When to ask again.
    public var expires: MonotonicTime
    /// Whether it was past its time when it was given.
    public var isStale = false
    /// Why an answer past its time is given: what the attempt to renew it failed with. Nil while the attempt goes on,
    /// and for an answer within its time.
    public var renewalError: DeviceError?

    /// The same answer: errors are not compared.
    public static func == (left: Self, right: Self) -> Bool {
        left.entries == right.entries && left.source == right.source && left.received == right.received
            && left.expires == right.expires
    }

    /// Hashes when it came, and what it says.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(received)
        hasher.combine(entries)
    }
}

/// What a resolver's environment is to do.
public enum ResolverAction: Sendable {
    /// Look a name up in the hosts file, then call `hosts`.
    case readHosts(flight: UInt64, name: String)
    /// Send a question, then call `answered`. `search`: as resolv.conf says, its domains are tried too.
    case ask(question: UInt64, name: String, type: DNSRecordType, search: Bool)
    /// Give a caller its result.
    case finish(waiter: UInt64, Result<ResolverAnswer, DeviceError>)
}
