public import DeviceCore
public import DeviceProtocols

/// Whom a resolver asks, and how long.
public struct ResolverConfiguration: Sendable {
    /// The DNS servers; nil for those of ``resolvConf``, which is read again when it changes.
    public var servers: [Endpoint]?
    /// The system's list of servers and search domains (resolv.conf(5)).
    public var resolvConf = "/etc/resolv.conf"
    /// The port of the servers that ``resolvConf`` names.
    public var port = 53
    /// Read before the DNS is asked (hosts(5)); its first 4 MB count. Empty for none.
    public var hostsFile = "/etc/hosts"
    /// How long a server has for its answer before it, or the next one, is asked again; each round waits longer.
    public var timeout: Duration = .milliseconds(750)
    /// Rounds through the servers.
    public var tries = 3
    /// Times and bounds of lookups and kept answers.
    public var limits = ResolverLimits()

    /// The system's servers.
    public init() {}

    /// These servers, in the form `127.0.0.1:15353,[::1]:53`.
    ///
    /// - Throws: ``DeviceError`` `invalidArgument` that names the entry that is wrong.
    public init(servers: String) throws(DeviceError) {
        let list = try Endpoint.list(servers, defaultPort: 53)
        guard !list.isEmpty else { throw DeviceError(.invalidArgument, "the list of DNS servers is empty") }
        self.servers = list
    }

    /// The name of a hosts file that a person gave. One that is not there would be passed over without a word, as
    /// `/etc/hosts` is, and its names would seem not to exist.
    ///
    /// - Throws: ``DeviceError`` `invalidArgument` for a file that cannot be read.
    package static func hostsFile(setting path: String) throws(DeviceError) -> String {
        do throws(DeviceError) { _ = try SystemFile.read(path, limit: 1) } catch {
            throw DeviceError(
                .invalidArgument, "--hosts: \(error.message)", hint: "Give it a file in the form of /etc/hosts")
        }
        return path
    }
}

/// A name to look up.
public struct ResolverTarget: Hashable, Sendable {
    /// A name, or an address in text.
    public var name: String
    /// The port, where no SRV record says another one.
    public var port: Int
    /// For SRV records at `SERVICE.NAME`, such as `_smq._tcp`; nil asks for addresses only. Where there are no such
    /// records, the name's addresses are taken.
    public var service: String?

    /// A name with its port.
    public init(_ name: String, port: Int, service: String? = nil) {
        self.name = name
        self.port = port
        self.service = service
    }
}

/// The nodes behind a name.
public struct Resolution: Sendable {
    /// In random order: by priority, and within one priority by weight. Each call shuffles anew. Never empty.
    public var endpoints: [ResolvedEndpoint]
    /// Where the answer comes from.
    public var source: ResolutionSource
    /// The time since the answer came.
    public var age: Duration
    /// When to look the name up again; zero for an answer past its time, ``Duration/seconds(_:)`` of many years for
    /// an address.
    public var timeLeft: Duration
    /// Whether it was past its time when it was given: the DNS was asked again and had not answered.
    public var isStale: Bool
    /// Why the DNS did not answer, when that is known already.
    public var renewalError: DeviceError?
}
