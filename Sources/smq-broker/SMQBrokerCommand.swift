import ArgumentParser
import DeviceCore
import DeviceProtocols
import DeviceTransport
import DeviceWeb
import Glibc
import Logging
import NIOCore
import NIOPosix
import SMQBroker
import UnixSignals

@main
struct SMQBrokerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "smq-broker",
        abstract: "A SMQ broker with the LED page: raw SMQ and WebSocket at /smq.lsp, the page at /, on one port.",
        discussion: """
            /status.html shows how the broker and its peers do. /health, /metrics (Prometheus text) and /status (JSON) are \
            for machines; POST /drain does what SIGTERM does. SIGTERM asks the clients to find another node and ends when \
            they have gone; SIGINT, or a second signal, ends at once.

            Exit status: 0 done, 64 usage, 69 unavailable, 77 permission, 78 configuration.
            """)

    @Option(
        help: ArgumentHelp(
            "Where to listen. Example: --listen 127.0.0.1:9000, or --lan --listen 0.0.0.0:8080",
            valueName: "addr:port"))
    var listen = "127.0.0.1:8080"

    @Flag(
        help: """
            Allow an address that other machines reach; clients and pages then need the token that is printed. \
            Example: --lan --listen 0.0.0.0:8080
            """)
    var lan = false

    @Flag(help: "With --lan: no token and no check of Host and Origin, for pages and devices of others.")
    var open = false

    @Option(
        help: ArgumentHelp(
            """
            A name that clients may use for this broker besides its address and this machine's name, such as that of \
            its cluster in the DNS; again for more. Example: --server-name brokers.example
            """,
            valueName: "name"))
    var serverName: [String] = []

    @Option(
        help: ArgumentHelp(
            """
            A PEM file with this server's certificate and the intermediate ones: the port then speaks TLS only \
            (https, wss, smqs). A changed file is noticed. Example: --tls-certificate broker.pem --tls-key broker.key
            """,
            valueName: "file"))
    var tlsCertificate: String?

    @Option(help: ArgumentHelp("The certificate's key: a PEM file or a pkcs11: address.", valueName: "file"))
    var tlsKey: String?

    @Option(
        help: ArgumentHelp(
            "Let in only clients whose certificate one of this PEM file's authorities has signed.", valueName: "file"))
    var tlsClientCa: String?

    @Option(
        help: ArgumentHelp(
            """
            A JSON file, which others cannot read, with who may connect and use which topics; a changed file is noticed. \
            Without it everybody may. See docs/smq.md. Example: --accounts /etc/smq/accounts.json
            """,
            valueName: "file"))
    var accounts: String?

    @Option(help: ArgumentHelp("Clients at once. Example: --max-clients 500", valueName: "number"))
    var maxClients = 10_000

    @Option(
        help: ArgumentHelp(
            """
            Topics in use at once, and as many sub-topics. Default: four for each client, at least 10000. \
            Example: --max-topics 50000
            """,
            valueName: "number"))
    var maxTopics: Int?

    @Option(
        help: ArgumentHelp(
            """
            Messages and requests a second from one client, on average; it is read more slowly above that. Default: any \
            number. \
            Example: --max-rate 100
            """,
            valueName: "number"))
    var maxRate: Int?

    @Option(
        help: ArgumentHelp(
            """
            Bytes a second from one client, on average; it is read more slowly above that. Default: any number. \
            Example: --max-bytes 100000
            """,
            valueName: "number"))
    var maxBytes: Int?

    @Option(
        help: ArgumentHelp(
            """
            Bytes of a frame, payload and 15 more, also of a message in pieces; a longer one ends the session. \
            Example: --max-frame 4096
            """,
            valueName: "number"))
    var maxFrame = SMQSize.maximumFrame

    @Option(
        help: ArgumentHelp(
            """
            The time over which SIGTERM spreads the requests to leave; clients are served for two seconds more. \
            Example: --drain 10s
            """,
            valueName: "duration"))
    var drain = "1s"

    @Option(
        help: ArgumentHelp(
            """
            The other nodes of a cluster, by address or name; a name stands for all its addresses, this node's own among \
            them. Needs the cluster's password in DEVICE_CLUSTER_PASSWORD or --cluster-password-file, except on loopback. \
            Example: --peers 127.0.0.2,brokers.example:1901
            """,
            valueName: "peer,..."))
    var peers: String?

    @Option(
        help: ArgumentHelp(
            """
            The port of links between nodes, at the address of --listen; without it \(SMQLinkFormat.defaultPort). \
            Example: --link-port 1901
            """, valueName: "port")
    )
    var linkPort: Int?

    @Option(
        help: ArgumentHelp(
            "A file with the cluster's password that others cannot read. Example: --cluster-password-file /etc/smq/cluster",
            valueName: "file"))
    var clusterPasswordFile: String?

    @Option(
        help: ArgumentHelp(
            """
            Secure the links between nodes: each shows its certificate (--tls-certificate, --tls-key), which one of this \
            PEM file's authorities has signed for a name or address that the others' --peers has. \
            Example: --link-tls-ca /etc/smq/nodes-ca.pem
            """,
            valueName: "file"))
    var linkTlsCa: String?

    @Flag(help: "Log each session to standard error.")
    var verbose = false

    @Option(
        help: ArgumentHelp(
            """
            Settings from a JSON file with comments; its keys are these flags. Flags win over the environment \
            (DEVICE_LISTEN=...), which wins over the file.
            """,
            valueName: "file"))
    var config: String?

    /// Of `/status`; the package has no release yet.
    private static let version = "0"

    /// All flags, for the environment and the settings file.
    private static let flags: [FlagDescription] = [
        .option("listen"), .flag("lan"), .flag("open"), .list("server-name"), .option("tls-certificate"),
        .option("tls-key"), .option("tls-client-ca"), .option("accounts"), .option("max-clients"),
        .option("max-topics"), .option("max-rate"), .option("max-bytes"), .option("max-frame"), .option("drain"),
        .option("peers"), .option("link-port"), .option("cluster-password-file"), .option("link-tls-ca"),
        .flag("verbose"), .option("config"),
    ]

    static func main() async {
        do throws(DeviceError) {
            await main(try SettingsSources.arguments(flags: flags, ignoring: DeviceVariables.all))
        } catch {
            fail(error)
        }
    }

    private static func fail(_ error: DeviceError) -> Never {
        StandardError.write("smq-broker: \(error)\n")
        Glibc.exit(error.exitStatus)
    }

    func run() async throws {
        do throws(DeviceError) { try await serve() } catch { Self.fail(error) }
    }

    private func brokerLimits() throws(DeviceError) -> SMQBrokerLimits {
        func check(_ value: Int?, _ range: ClosedRange<Int>, _ flag: String) throws(DeviceError) {
            guard let value, !range.contains(value) else { return }
            throw DeviceError(
                .invalidArgument, "\(flag) is a number from \(range.lowerBound) to \(range.upperBound)")
        }
        try check(maxClients, 1...1_000_000, "--max-clients")
        try check(maxTopics, 1...10_000_000, "--max-topics")
        try check(maxRate, 1...1_000_000_000, "--max-rate")
        try check(maxBytes, 1...1_000_000_000, "--max-bytes")
        // A connect with the longest unique id and credentials has to fit.
        try check(maxFrame, 1024...SMQSize.maximumFrame, "--max-frame")
        var limits = SMQBrokerLimits()
        limits.clients = maxClients
        limits.topics = maxTopics ?? max(10_000, 4 * maxClients)
        limits.messagesPerSecond = maxRate
        limits.bytesPerSecond = maxBytes
        limits.frameLength = maxFrame
        return limits
    }

    private func cluster(_ address: ListenAddress, logger: Logger) throws(DeviceError) -> SMQBroker.Cluster? {
        guard let peers else {
            let given = [
                (linkPort != nil, "--link-port"), (clusterPasswordFile != nil, "--cluster-password-file"),
                (linkTlsCa != nil, "--link-tls-ca"),
            ]
            guard let (_, option) = given.first(where: \.0) else { return nil }
            throw DeviceError(
                .invalidArgument, "\(option) needs --peers", hint: "Add the other nodes. Example: --peers 192.0.2.2")
        }
        let password = getenv("DEVICE_CLUSTER_PASSWORD").map { String(cString: $0) }
        var cluster = try ClusterOptions(
            peers: peers, linkPort: linkPort ?? SMQLinkFormat.defaultPort, passwordFile: clusterPasswordFile,
            password: password,
            name: "\(HostName.current) \(address)"
        ).cluster(listen: address)
        guard let linkTlsCa else { return cluster }
        guard let identity = try TLSIdentity(certificate: tlsCertificate, key: tlsKey) else {
            throw DeviceError(
                .invalidArgument, "--link-tls-ca needs this node's certificate",
                hint: "Add --tls-certificate FILE --tls-key FILE")
        }
        cluster.tls = try LinkTLS(identity: identity, authorities: linkTlsCa, peers: cluster.peers, logger: logger)
        return cluster
    }

    /// Waits until the program is to end; says whether clients are to be asked to leave first.
    private static func isToDrain(_ requests: AsyncStream<Void>) async -> Bool {
        await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                for await signal in await UnixSignalsSequence(trapping: .sigint, .sigterm) { return signal == .sigterm }
                return false
            }
            group.addTask {
                for await _ in requests { return true }
                return false
            }
            defer { group.cancelAll() }
            return await group.next() ?? false
        }
    }

    /// Until all clients have gone, or time or patience is over.
    private static func drain(_ broker: SMQBroker, within time: Duration) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await broker.drain(within: time) }
            // A sequence of its own: one allows a single iterator, and traps at the second.
            group.addTask { for await _ in await UnixSignalsSequence(trapping: .sigint, .sigterm) { break } }
            await group.next()
            group.cancelAll()
        }
    }

    private func serve() async throws(DeviceError) {
        let address = try ListenAddress(listen)
        guard address.isLoopback || lan else {
            throw DeviceError(
                .invalidArgument, "\(address) is reachable from other machines",
                hint: "Add --lan, which protects it by a token")
        }
        guard !open || lan else { throw DeviceError(.invalidArgument, "--open needs --lan") }
        let limits = try brokerLimits()
        let drainTime = try DurationText.parse(drain)
        let access = lan && !open ? try AccessToken.load() : nil
        let token = access?.value
        if let warning = access?.warning { StandardError.write("smq-broker: \(warning.printable)\n") }
        OpenFiles.raiseLimit()
        var logger = Logger(label: "smq-broker") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = verbose ? .debug : .notice
        let tls = try TLSServerConfiguration(
            certificate: tlsCertificate, key: tlsKey, clientAuthorities: tlsClientCa
        ).map { configuration throws(DeviceError) in try TLSServerContext(configuration, logger: logger) }

        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        var configuration = SMQBroker.Configuration()
        configuration.limits = limits
        let accountFile = try accounts.map { path throws(DeviceError) in try AccountFile(path, logger: logger) }
        if let file = accountFile {
            configuration.authenticate = { file.authenticate($0) }
            configuration.permit = { file.permits($0) }
        }
        configuration.cluster = try cluster(address, logger: logger)
        let broker = SMQBroker(configuration, eventLoop: group.next(), logger: logger)
        var routes = WebPages.routes
        routes.merge(broker.routes())
        let (drainRequests, drainRequest) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        routes.merge(broker.statusRoutes(version: Self.version) { drainRequest.yield() })
        routes.merge(
            OperationPages.routes(
                isReady: { await !broker.snapshot().isDraining },
                metrics: { await broker.snapshot().metrics + (tls?.metrics ?? []) }))
        var connectionLimits = HTTPListener.Limits()
        // Pages and their requests on top.
        connectionLimits.connections = maxClients + limits.handshakes + 500
        let listener = try await HTTPListener.start(
            on: address, eventLoop: group.next(), routes: routes,
            access: HTTPAccessPolicy(
                names: HostName.ownNames.union(serverName.map { $0.lowercased() }), token: token, isOpen: open),
            limits: connectionLimits,
            tls: tls, logger: logger)
        let links = try await broker.startLinks()
        let query = token.map { "?token=\($0)" } ?? ""
        for address in listener.address.reachable {
            let secure = listener.isSecure ? "s" : ""
            StandardOutput.write("Page: http\(secure)://\(address)/\(query)\n")
            StandardOutput.write("Broker: smq\(secure)://\(address)/smq.lsp\(query)\n")
        }
        if let links { StandardOutput.write("Links: \(links)\n") }
        if open {
            StandardOutput.write(
                "Open: anybody on this network can use this broker, and so can any web page that is open there.\n")
        }
        let following = accountFile.map { file in Task { await file.follow(for: broker) } }
        defer { following?.cancel() }
        if await Self.isToDrain(drainRequests) { await Self.drain(broker, within: drainTime) }
        // First nobody new, then the goodbye: else who comes back at once would be taken in and cut off again.
        await listener.stopAccepting()
        await broker.shutDown()
        await listener.close()
        try? await group.shutdownGracefully()
    }
}
