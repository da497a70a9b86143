public import DeviceCore

/// Why one question to the DNS has no answer.
public enum DNSFailure: Error, Hashable, Sendable {
    /// The name does not exist (NXDOMAIN).
    case noSuchName
    /// The name exists, but without records of that type.
    case noData
    /// The server failed (SERVFAIL) or did not understand.
    case serverFailure
    /// The server refused (REFUSED).
    case refused
    /// Nothing listens where the server should be, or there is no way to it.
    case unreachable
    /// Nobody answered.
    case timedOut
    /// What came was no DNS message, or not one that makes sense.
    case malformed
    /// The lookup could not be done here.
    case local

    /// Whether the DNS has said that there is nothing, rather than not answered.
    public var isNegative: Bool { self == .noSuchName || self == .noData }

    /// Of several, the one that explains most: what may be over soon counts more than a "no" beside it.
    private static let order: [DNSFailure] = [
        .refused, .serverFailure, .malformed, .unreachable, .timedOut, .local, .noData, .noSuchName,
    ]

    /// What several questions for one name tell together. A name that has no A record and whose AAAA record nobody
    /// answered is not said to have none.
    public static func together(_ failures: [DNSFailure]) -> DNSFailure {
        order.first(where: failures.contains) ?? .local
    }

    /// The failure in words for a person.
    public func error(for name: String, after time: Duration) -> DeviceError {
        let name = DNSName.printable(name)
        let check = "Check this machine's network and the servers in /etc/resolv.conf"
        return switch self {
        case .noSuchName:
            DeviceError(
                .notFound, "the name \(name) does not exist", hint: "Check its spelling, and that the DNS has it")
        case .noData:
            DeviceError(.notFound, "the name \(name) has no address", hint: "Give it an A or AAAA record")
        case .serverFailure:
            DeviceError(
                .unavailable, "the DNS server could not look up \(name)", hint: "Check the server and where it asks")
        case .refused:
            DeviceError(
                .refused, "the DNS server refuses to look up \(name)",
                hint: "Let the server answer this machine, or use another one")
        case .unreachable:
            DeviceError(.unavailable, "no DNS server can be reached to look up \(name)", hint: check)
        case .timedOut:
            DeviceError(.timedOut, "no DNS server answered within \(time) for \(name)", hint: check)
        case .malformed:
            DeviceError(
                .protocolViolation, "what the DNS server said about \(name) makes no sense", hint: "Check the server")
        case .local:
            DeviceError(.io, "\(name) could not be looked up", hint: "See whether memory or open files are exhausted")
        }
    }
}
