import ArgumentParser
import ClusterClient
import DeviceCore
import DeviceProtocols
import DeviceTransport
import Glibc
import UnixSignals

@main
struct FleetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "device-fleet",
        abstract: "Thousands of virtual devices in one process, and what becomes of their messages.",
        discussion: """
            Each device has a simulated board and the client that real devices have. Receivers on connections of their \
            own count what arrives. Arrival and think times come from the seed; what the clients do when a node fails \
            is up to them.

            Exit status: 0 done, 64 usage, 69 unavailable, 74 I/O, 78 configuration.
            """)

    @Option(help: ArgumentHelp("Devices. Example: --devices 5000", valueName: "number"))
    var devices = 100

    @Option(
        help: ArgumentHelp(
            """
            A SMQ broker. A name stands for all nodes that it resolves to; several --broker mean several nodes. \
            Example: --broker smq://127.0.0.1:8080 --broker smq://127.0.0.2:8080
            """,
            valueName: "url"))
    var broker: [String] = []

    @Option(
        help: ArgumentHelp(
            """
            Where a receiver connects; give it once for each. Default: one at each address of the brokers, which \
            brokers that are not linked need.
            """,
            valueName: "url"))
    var receiver: [String] = []

    @Option(
        help: ArgumentHelp(
            "DNS servers to ask instead of the system's. Example: --dns 127.0.0.1:5353", valueName: "addr[:port]"))
    var dns: String?

    @Option(
        help: ArgumentHelp(
            "A file in the form of /etc/hosts that is read instead of it. Example: --hosts fleet.hosts",
            valueName: "file"))
    var hosts: String?

    @Option(
        help: ArgumentHelp(
            "How soon a silent node is left: relaxed (75 s), normal (4.5 s), fast (0.4 s).", valueName: "profile"))
    var profile = "normal"

    @Option(
        help: ArgumentHelp(
            """
            How a node is chosen: round-robin, random, least-connections, response-time, resource or sticky. \
            Example: --policy least-connections
            """,
            valueName: "policy"))
    var policy = "random"

    @Option(
        help: ArgumentHelp(
            """
            Find the nodes by SRV records of this service, with their ports, priorities and weights. Example: --service \
            _smq._tcp --broker smq://example.com
            """,
            valueName: "service"))
    var service: String?

    @Flag(help: "Each device keeps a second session at another node.")
    var standby = false

    @Option(help: ArgumentHelp("What arrival and think times are drawn from. Example: --seed 7", valueName: "number"))
    var seed: UInt64 = 7

    @Option(help: ArgumentHelp("Devices arrive over this time; 0s for all at once.", valueName: "duration"))
    var ramp = "10s"

    @Option(help: ArgumentHelp("Mean time between two readings of a device.", valueName: "duration"))
    var every = "10s"

    @Option(
        name: .customLong("for"),
        help: ArgumentHelp("End after this time. Default: at Ctrl-C. Example: --for 60s", valueName: "duration"))
    var duration: String?

    @Option(help: ArgumentHelp("mixed, sensors, leds or idle.", valueName: "scenario"))
    var scenario = "mixed"

    @Option(
        help: ArgumentHelp(
            "A Lua script that devices run too, each on its own board. Example: --script heartbeat.xlua",
            valueName: "file"))
    var script: String?

    @Option(
        help: ArgumentHelp(
            "So many devices run the script, at most \(FleetOptions.scriptLimit). Default: all.", valueName: "number"))
    var scripted: Int?

    @Option(
        help: ArgumentHelp(
            """
            How readings are sent: live, or kept in an outbox until the broker has them (broker) or a receiver has \
            (endToEnd). The latter two need --state.
            """,
            valueName: "level"))
    var delivery = "live"

    @Option(
        help: ArgumentHelp(
            "A directory for outboxes; what an earlier run left there is sent too.", valueName: "directory"))
    var state: String?

    @Option(help: ArgumentHelp("Event loops for the devices; receivers have one more.", valueName: "number"))
    var threads = 1

    @Option(
        help: ArgumentHelp(
            "A PEM file with the authorities that are trusted for smqs:// and wss://.", valueName: "file"))
    var tlsCa: String?

    @Option(help: ArgumentHelp("Write the summary as JSON. Example: --json fleet.json", valueName: "file"))
    var json: String?

    @Option(help: ArgumentHelp("Draw the summary. Example: --svg fleet.svg", valueName: "file"))
    var svg: String?

    @Option(
        help: ArgumentHelp(
            """
            Settings from a JSON file with comments; its keys are these flags. Flags win over the environment \
            (DEVICE_DEVICES=...), which wins over the file.
            """,
            valueName: "file"))
    var config: String?

    /// All flags, for the environment and the settings file.
    private static let flags: [FlagDescription] = [
        .option("devices"), .list("broker"), .list("receiver"), .option("dns"), .option("hosts"), .option("profile"),
        .option("policy"), .option("service"), .flag("standby"), .option("seed"), .option("ramp"), .option("every"),
        .option("for"), .option("scenario"), .option("script"), .option("scripted"),
        .option("delivery"), .option("state"), .option("threads"), .option("tls-ca"), .option("json"), .option("svg"),
        .option("config"),
    ]

    static func main() async {
        do throws(DeviceError) {
            await main(try SettingsSources.arguments(flags: flags, ignoring: DeviceVariables.all))
        } catch {
            fail(error)
        }
    }

    private static func fail(_ error: DeviceError) -> Never {
        StandardError.write("device-fleet: \(error.description.printable)\n")
        Glibc.exit(error.exitStatus)
    }

    func run() async throws {
        do throws(DeviceError) { try await runFleet() } catch { Self.fail(error) }
    }

    private func runFleet() async throws(DeviceError) {
        let options = try options()
        try options.check()
        // A long run must not end in a summary that has no place.
        for file in [json, svg] { if let file { try AtomicFile.check(file) } }
        Glibc.signal(SIGPIPE, SIG_IGN)
        let terminal = FleetTerminal(devices: options.devices)
        let fleet = Fleet(options) { terminal.show($0) }
        let signals = Task {
            for await _ in await UnixSignalsSequence(trapping: .sigint, .sigterm) {
                fleet.stop()
                break
            }
        }
        defer { signals.cancel() }
        let summary = try await fleet.run()
        terminal.show(summary)
        if let json { try AtomicFile.write(summary.json.description + "\n", to: json) }
        if let svg { try AtomicFile.write(FleetPicture(summary).svg, to: svg) }
        guard summary.everConnected > 0 else {
            throw DeviceError(.unavailable, "no device was ever connected", hint: "See the lines above")
        }
    }

    func options() throws(DeviceError) -> FleetOptions {
        var options = FleetOptions()
        options.devices = devices
        for text in broker { options.brokers.append(try BrokerURL(text)) }
        for text in receiver { options.receivers.append(try BrokerURL(text)) }
        if dns != nil || hosts != nil {
            var resolver =
                try dns.map { text throws(DeviceError) in try ResolverConfiguration(servers: text) }
                ?? ResolverConfiguration()
            if let hosts { resolver.hostsFile = try ResolverConfiguration.hostsFile(setting: hosts) }
            options.resolver = try NameResolver(resolver)
        }
        guard let profile = ClusterProfile(rawValue: profile) else {
            throw DeviceError(
                .invalidArgument, "--profile \(profile) is unknown", hint: "Use relaxed, normal or fast")
        }
        // A flag without a value elsewhere, and programs may share one environment.
        if let json, ["true", "false"].contains(json.lowercased()) {
            throw DeviceError(
                .invalidArgument, "--json (DEVICE_JSON) is a file's name here, not \(json)",
                hint: "Example: --json fleet.json")
        }
        options.profile = profile
        options.policy = try NodePolicyName(setting: policy)
        options.service = try service.map { text throws(DeviceError) in try ServiceName.check(text) }
        options.keepsStandby = standby
        options.plan.seed = seed
        options.plan.ramp = try DurationText.parse(ramp)
        options.plan.every = try DurationText.parse(every)
        options.duration = try duration.map { text throws(DeviceError) in try DurationText.parse(text) }
        guard let scenario = FleetScenario(rawValue: scenario) else {
            throw DeviceError(
                .invalidArgument, "--scenario \(scenario) is unknown", hint: "Use mixed, sensors, leds or idle")
        }
        options.plan.scenario = scenario
        guard let delivery = FleetDelivery(rawValue: delivery) else {
            throw DeviceError(
                .invalidArgument, "--delivery \(delivery) is unknown", hint: "Use live, broker or endToEnd")
        }
        options.delivery = delivery
        if delivery != .live { options.settle = .seconds(30) }
        options.stateDirectory = state
        options.threads = threads
        if let script {
            options.scripts = FleetScripts.Settings(path: script, devices: min(scripted ?? devices, devices))
        } else if scripted != nil {
            throw DeviceError(
                .invalidArgument, "--scripted needs a script", hint: "Example: --script heartbeat.xlua --scripted 100")
        }
        if let tlsCa { options.tls.trustRoots = .file(tlsCa) }
        return options
    }
}
