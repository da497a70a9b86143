/// The kinds of records that are asked for. Values: RFC 1035 (3.2.2), RFC 3596, RFC 2782.
public enum DNSRecordType: UInt16, Hashable, Sendable {
    /// IPv4 addresses.
    case a = 1
    /// IPv6 addresses.
    case aaaa = 28
    /// Target, port, priority and weight of a service.
    case srv = 33
}

/// One record of an answer.
public struct DNSRecord: Hashable, Sendable {
    /// What it says.
    public enum Value: Hashable, Sendable {
        /// An address (A or AAAA).
        case address(IPAddress)
        /// A service's place. An empty target means that there is decidedly none (RFC 2782).
        case service(target: String, port: Int, priority: Int, weight: Int)
    }
    /// What it says.
    public var value: Value
    /// Seconds: the shortest on the way to it, aliases included.
    public var timeToLive: UInt32

    /// A record.
    public init(value: Value, timeToLive: UInt32) {
        self.value = value
        self.timeToLive = timeToLive
    }
}

/// What a DNS server's message says about the question in it.
public struct DNSAnswer: Hashable, Sendable {
    /// Records of the asked type that belong to the name or to what it is an alias of; at most ``recordLimit``.
    public var records: [DNSRecord] = []
    /// For how many seconds "there is none" holds (RFC 2308, section 5).
    public var negativeTimeToLive: UInt32?
    /// Records above the limit, which were left out.
    public var recordsLeftOut = 0

    /// Records that are kept of one answer.
    public static let recordLimit = 64
    private static let aliasLimit = 16

    /// An answer with these records.
    public init(records: [DNSRecord] = [], negativeTimeToLive: UInt32? = nil) {
        self.records = records
        self.negativeTimeToLive = negativeTimeToLive
    }

    /// Reads a message; nil where it is malformed. Reads nothing outside of it whatever it says.
    ///
    /// That it answers the question that was sent, by id, server and name, is checked before, by c-ares.
    public init?(message: [UInt8]) {
        var reader = DNSReader(message)
        guard reader.skip(2), let flags = reader.uint16(), flags & 0x8000 != 0, reader.uint16() == 1,
            let answers = reader.uint16(), let authorities = reader.uint16(), reader.skip(2),
            let name = reader.name(), let type = reader.uint16().flatMap(DNSRecordType.init(rawValue:)),
            reader.uint16() == 1
        else { return nil }
        var sets: [[UInt8]: [DNSRecord]] = [:]
        var aliases: [[UInt8]: (target: [UInt8], timeToLive: UInt32)] = [:]
        var kept = 0
        for _ in 0..<answers {
            guard let header = reader.recordHeader() else { return nil }
            defer { reader.position = header.end }
            guard header.isInternet else { continue }
            if header.type == 5 {
                guard let target = reader.name(), reader.position <= header.end else { return nil }
                if aliases.count < Self.aliasLimit { aliases[header.owner] = (target, header.timeToLive) }
            } else if header.type == type.rawValue {
                guard let value = reader.value(type, until: header.end) else { return nil }
                guard kept < Self.recordLimit else {
                    recordsLeftOut += 1
                    continue
                }
                kept += 1
                sets[header.owner, default: []].append(DNSRecord(value: value, timeToLive: header.timeToLive))
            }
        }
        collect(from: name, sets, aliases)
        guard records.isEmpty else { return }
        for _ in 0..<authorities {
            guard let header = reader.recordHeader() else { return nil }
            defer { reader.position = header.end }
            guard header.isInternet, header.type == 6 else { continue }
            guard reader.name() != nil, reader.name() != nil, reader.skip(16), let minimum = reader.uint32(),
                reader.position <= header.end
            else { return nil }
            negativeTimeToLive = min(header.timeToLive, minimum & 0x8000_0000 == 0 ? minimum : 0)
        }
    }

    /// Follows the aliases, which may come in any order and may go in circles.
    private mutating func collect(
        from name: [UInt8], _ sets: [[UInt8]: [DNSRecord]], _ aliases: [[UInt8]: (target: [UInt8], timeToLive: UInt32)]
    ) {
        var name = name
        var shortest = UInt32.max
        for _ in 0...Self.aliasLimit {
            if let set = sets[name] {
                records = set.map { DNSRecord(value: $0.value, timeToLive: min($0.timeToLive, shortest)) }
                return
            }
            guard let alias = aliases[name] else { return }
            shortest = min(shortest, alias.timeToLive)
            name = alias.target
        }
    }
}
