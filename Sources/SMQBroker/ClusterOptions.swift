public import DeviceCore
public import DeviceProtocols
public import DeviceTransport

/// A node's cluster as a command line tells it.
public struct ClusterOptions: Sendable {
    /// `ADDR[:PORT],NAME[:PORT],...`
    public var peers: String
    /// The port of links, here and of peers that name none.
    public var linkPort: Int
    /// A file with the password; nil to look into the environment.
    public var passwordFile: String?
    /// `DEVICE_CLUSTER_PASSWORD`.
    public var password: String?
    /// This node's name for people.
    public var name: String

    /// The password of clusters that no other machine can reach.
    static let developmentPassword = "DeviceSDK development cluster"
    /// What an eavesdropper can try out is to be long.
    static let shortestPassword = 12
    private static let longestPassword = 1024

    /// Options as they were given.
    public init(
        peers: String, linkPort: Int = SMQLinkFormat.defaultPort, passwordFile: String? = nil, password: String? = nil,
        name: String
    ) {
        self.peers = peers
        self.linkPort = linkPort
        self.passwordFile = passwordFile
        self.password = password
        self.name = name
    }

    /// What they say.
    ///
    /// - Parameter listen: the address of the broker; links listen on the same one.
    /// - Throws: ``DeviceError`` `invalidArgument` for what is no list of peers, `configuration` for a password that is
    ///   missing, too short or readable by others, `notFound` and `permission` for its file.
    public func cluster(
        listen: ListenAddress, resolver: NameResolver = .shared
    ) throws(DeviceError) -> SMQBroker.Cluster {
        let targets = try Self.targets(peers, defaultPort: linkPort)
        let isLoopback = listen.isLoopback && targets.allSatisfy { ListenAddress(host: $0.name, port: 0).isLoopback }
        let settings = SMQClusterSettings(
            link: SMQLinkStateMachine.Settings(
                password: try secret(isLoopback: isLoopback), crypto: OpenSSLCrypto()), name: name)
        return SMQBroker.Cluster(
            settings: settings, listen: ListenAddress(host: listen.host, port: linkPort), peers: targets,
            resolver: resolver)
    }

    /// Reads a list of peers.
    ///
    /// - Throws: ``DeviceError`` `invalidArgument` that names the entry that is wrong.
    public static func targets(_ text: String, defaultPort: Int) throws(DeviceError) -> [ResolverTarget] {
        guard (1...65535).contains(defaultPort) else {
            throw DeviceError(.invalidArgument, "the port of links, \(defaultPort), is not within 1 to 65535")
        }
        var targets: [ResolverTarget] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let entry = part.filter { $0 != " " }
            if let endpoint = Endpoint(entry, defaultPort: defaultPort), endpoint.port > 0 {
                targets.append(ResolverTarget(endpoint.address.description, port: endpoint.port))
                continue
            }
            let pieces = entry.split(separator: ":", omittingEmptySubsequences: false)
            let port = pieces.count == 2 ? Int(pieces[1]) ?? 0 : defaultPort
            guard let name = pieces.first, !name.isEmpty, pieces.count <= 2, (1...65535).contains(port),
                name.utf8.contains(where: { !(0x30...0x39).contains($0) && $0 != 0x2E }),
                name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && !"[]/@?#".utf8.contains($0) })
            else {
                throw DeviceError(
                    .invalidArgument, "\"\(entry.prefix(100))\" is no peer",
                    hint: "Write --peers 192.0.2.1,192.0.2.2:1901,[2001:db8::1]:1900,brokers.example")
            }
            targets.append(ResolverTarget(String(name), port: port))
        }
        return targets
    }

    private func secret(isLoopback: Bool) throws(DeviceError) -> [UInt8] {
        guard password == nil || passwordFile == nil else {
            throw DeviceError(
                .configuration, "the cluster password is in DEVICE_CLUSTER_PASSWORD and in a file",
                hint: "Keep one of them")
        }
        let bytes: [UInt8]
        if let passwordFile {
            bytes = try Self.read(passwordFile)
        } else if let password {
            bytes = Array(password.utf8)
        } else if isLoopback {
            return Array(Self.developmentPassword.utf8)
        } else {
            throw DeviceError(
                .configuration, "a cluster that other machines can reach needs a password",
                hint: "Set DEVICE_CLUSTER_PASSWORD, or --cluster-password-file FILE, to the same text on every node")
        }
        guard (Self.shortestPassword...Self.longestPassword).contains(bytes.count) else {
            throw DeviceError(
                .configuration, "the cluster password has \(bytes.count) bytes",
                hint: "Use \(Self.shortestPassword) to \(Self.longestPassword), for example of: openssl rand -hex 32")
        }
        return bytes
    }

    /// A secret's file, without the line's end.
    private static func read(_ path: String) throws(DeviceError) -> [UInt8] {
        var bytes = try SecretFile.read(path, "the cluster password", limit: longestPassword + 2)
        while let last = bytes.last, last == 0x0A || last == 0x0D { bytes.removeLast() }
        return bytes
    }
}
