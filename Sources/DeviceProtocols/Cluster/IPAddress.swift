import Glibc

/// An IPv4 or IPv6 address.
public struct IPAddress: Hashable, Sendable, CustomStringConvertible {
    /// The 4 or 16 bytes in network order.
    public let bytes: [UInt8]
    /// The card of a link-local IPv6 address, as in `fe80::1%eth0`; empty otherwise.
    public let zone: String

    /// From 4 or 16 bytes in network order; nil for any other number.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 4 || bytes.count == 16 else { return nil }
        self.bytes = Array(bytes)
        zone = ""
    }

    /// From its text: `192.0.2.1`, `2001:db8::1`, `fe80::1%eth0`; nil for anything else, such as a name.
    public init?(_ text: some StringProtocol) {
        guard text.utf8.count <= 64, !text.utf8.contains(0) else { return nil }
        let parts = text.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
        let address = String(parts.first ?? "")
        var buffer = [UInt8](repeating: 0, count: 16)
        if parts.count == 1, inet_pton(AF_INET, address, &buffer) == 1 {
            bytes = Array(buffer.prefix(4))
            zone = ""
        } else if inet_pton(AF_INET6, address, &buffer) == 1, parts.count == 1 || parts.last?.isEmpty == false {
            bytes = buffer
            zone = parts.count == 2 ? String(parts.last ?? "") : ""
        } else {
            return nil
        }
    }

    /// Whether it is an IPv4 address.
    public var isIPv4: Bool { bytes.count == 4 }

    /// This machine, over IPv4.
    public static let loopback4 = IPAddress(unchecked: [127, 0, 0, 1])
    /// This machine, over IPv6.
    public static let loopback6 = IPAddress(unchecked: [UInt8](repeating: 0, count: 15) + [1])

    /// Whether it leads to this machine: `127.0.0.0/8`, also mapped into IPv6, and `::1`.
    public var isLoopback: Bool {
        if isIPv4 { return bytes[0] == 127 }  // safe: there are 4 or 16 bytes.
        return self == .loopback6 || bytes.starts(with: Self.mapped + [127])
    }

    /// How an IPv6 address begins that stands for an IPv4 one (RFC 4291, section 2.5.5.2).
    private static let mapped = [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF]

    private init(unchecked bytes: [UInt8]) {
        self.bytes = bytes
        zone = ""
    }

    /// The usual text; IPv6 without brackets.
    public var description: String {
        var text = [CChar](repeating: 0, count: 64)
        guard inet_ntop(isIPv4 ? AF_INET : AF_INET6, bytes, &text, socklen_t(text.count)) != nil else { return "?" }
        let address = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return zone.isEmpty ? address : "\(address)%\(zone)"
    }
}
