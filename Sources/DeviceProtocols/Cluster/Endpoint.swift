public import DeviceCore

/// An address and a port: where one node of a cluster can be reached.
public struct Endpoint: Hashable, Sendable, CustomStringConvertible {
    /// The address.
    public var address: IPAddress
    /// The port, 0 to 65535.
    public var port: Int

    /// An endpoint.
    public init(_ address: IPAddress, port: Int) {
        self.address = address
        self.port = port
    }

    /// `192.0.2.1:80` or `[2001:db8::1]:80`.
    public var description: String { address.isIPv4 ? "\(address):\(port)" : "[\(address)]:\(port)" }

    /// Reads `192.0.2.1`, `192.0.2.1:53`, `2001:db8::1` or `[2001:db8::1]:53`; nil for anything else.
    public init?(_ text: some StringProtocol, defaultPort: Int) {
        if let address = IPAddress(text) {
            self.init(address, port: defaultPort)
            return
        }
        var host = text[...]
        var port = Substring.SubSequence?.none
        if let colon = text.lastIndex(of: ":"), text.last != "]" {
            host = text[..<colon]
            port = Substring(text[text.index(after: colon)...])
        }
        if host.first == "[", host.last == "]" {
            host = host.dropFirst().dropLast()
            guard host.contains(":") else { return nil }
        } else if host.contains(":") {
            return nil
        }
        guard let address = IPAddress(host) else { return nil }
        if let port {
            guard port.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(port), number <= 65535 else {
                return nil
            }
            self.init(address, port: number)
        } else {
            self.init(address, port: defaultPort)
        }
    }

    /// Reads a list such as `127.0.0.1:15353,[::1]:53`.
    ///
    /// - Throws: ``DeviceError`` `invalidArgument` that names the entry that is wrong.
    public static func list(_ text: String, defaultPort: Int) throws(DeviceError) -> [Endpoint] {
        var endpoints: [Endpoint] = []
        for part in text.split(separator: ",") {
            let entry = part.drop { $0 == " " }
            guard let endpoint = Endpoint(entry, defaultPort: defaultPort) else {
                throw DeviceError(
                    .invalidArgument, "\"\(entry.prefix(100))\" is no address",
                    hint: "Write addresses as 192.0.2.1:\(defaultPort) or [2001:db8::1]:\(defaultPort)")
            }
            endpoints.append(endpoint)
        }
        return endpoints
    }
}

/// An endpoint with what the DNS says about it.
public struct ResolvedEndpoint: Hashable, Sendable, CustomStringConvertible {
    /// Where it is.
    public var endpoint: Endpoint
    /// The SRV record's priority: lower ones come first. 0 without SRV.
    public var priority: Int
    /// The SRV record's weight: its share among those of the same priority. 0 without SRV.
    public var weight: Int
    /// How long the answer may be used, counted from its arrival.
    public var timeToLive: Duration
    /// The name that has this address: the SRV record's target, otherwise the name that was asked for.
    ///
    /// With SRV two endpoints of one target are one machine's two addresses.
    public var target: String

    /// An endpoint with its record's values.
    public init(_ endpoint: Endpoint, priority: Int = 0, weight: Int = 0, timeToLive: Duration = .zero, target: String)
    {
        self.endpoint = endpoint
        self.priority = priority
        self.weight = weight
        self.timeToLive = timeToLive
        self.target = target
    }

    /// For logs.
    public var description: String { "\(endpoint) (\(target), priority \(priority), weight \(weight))" }
}
