public import DeviceCore

/// What a device's settings call the policies.
public enum NodePolicyName: String, CaseIterable, Sendable {
    /// ``RoundRobinPolicy``
    case roundRobin = "round-robin"
    /// ``RandomPolicy``
    case random
    /// ``LeastConnectionsPolicy``
    case leastConnections = "least-connections"
    /// ``ResponseTimePolicy``
    case responseTime = "response-time"
    /// ``ResourcePolicy``
    case resource
    /// ``StickyPolicy``
    case sticky

    /// The policy, for a client with this identity.
    public func policy(client: [UInt8]) -> any NodePolicy {
        switch self {
        case .roundRobin: RoundRobinPolicy()
        case .random: RandomPolicy()
        case .leastConnections: LeastConnectionsPolicy()
        case .responseTime: ResponseTimePolicy()
        case .resource: ResourcePolicy()
        case .sticky: StickyPolicy(client: client)
        }
    }

    /// Reads a setting.
    ///
    /// - Throws: ``DeviceError`` `invalidArgument` for a name that is none.
    public init(setting text: String) throws(DeviceError) {
        guard let name = Self(rawValue: text) else {
            throw DeviceError(
                .invalidArgument, "--policy \(text.prefix(100)) is unknown",
                hint: "Use " + Self.allCases.map(\.rawValue).joined(separator: ", "))
        }
        self = name
    }
}

/// The service and protocol in the name of SRV records (RFC 2782).
public enum ServiceName {
    /// Gives the text back when it is of the form `_smq._tcp`.
    ///
    /// - Throws: ``DeviceError`` `invalidArgument` otherwise.
    public static func check(_ text: String) throws(DeviceError) -> String {
        let labels = text.split(separator: ".", omittingEmptySubsequences: false)
        let isFine = labels.allSatisfy { label in
            (2...63).contains(label.utf8.count) && label.utf8.first == UInt8(ascii: "_")
                && label.utf8.dropFirst().allSatisfy {
                    $0 == UInt8(ascii: "-") || (0x30...0x39).contains($0) || (0x61...0x7A).contains($0 | 0x20)
                }
        }
        guard labels.count == 2, isFine else {
            throw DeviceError(
                .invalidArgument, "--service \(text.prefix(100)) is no service", hint: "Example: --service _smq._tcp")
        }
        return text
    }
}
