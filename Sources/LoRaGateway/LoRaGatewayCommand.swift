import ArgumentParser
import DeviceCore
import DeviceLua
import DeviceTransport
import Glibc

@main
struct LoRaGatewayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "LoRaGateway",
        abstract: "A LoRa gateway: takes frames from a radio to any number of network servers, and their answers back.",
        discussion: """
            LoRaGateway --simulate
                A virtual concentrator with virtual devices and a virtual network server; the page shows the frames.
            LoRaGateway --config /etc/loragateway/global_conf.json
                Semtech's global_conf.json and local_conf.json as they are, and loragateway.json beside them for what \
            those lack.
            LoRaGateway --simulate --config global_conf.json
                The virtual concentrator with the servers of that file.
            LoRaGateway
                Takes Semtech's UDP protocol from any vendor's forwarder, acknowledges, and prints each frame.

            SIGHUP reads the up-links' settings again without stopping the radio; SIGTERM and SIGINT end it.

            Exit status: 0 done, 64 usage, 69 unavailable, 74 I/O, 77 permission, 78 configuration.
            """)

    @Flag(help: "A virtual concentrator with virtual devices instead of a radio.")
    var simulate = false

    @Option(
        help: ArgumentHelp(
            """
            Semtech's global_conf.json, or this program's own file. Without --simulate or such a file: settings whose \
            keys are these flags.
            """, valueName: "file"))
    var config: String?

    @Flag(help: "Say what is wrong with the settings, a sentence a line, and end: status 0 or 78.")
    var checkConfig = false

    @Option(
        help: ArgumentHelp(
            "A directory as Basics Station has it: tc.uri, tc.trust, tc.key, station.conf; its radio is the socket spidev.",
            valueName: "directory"))
    var station: String?

    @Option(
        help: ArgumentHelp(
            "Where the page is. Default with --simulate: 127.0.0.1:8090. Example: --page 127.0.0.1:8000",
            valueName: "addr:port"))
    var page: String?

    @Option(help: ArgumentHelp("With --simulate: virtual devices, 0 to 10000.", valueName: "number"))
    var devices = 10

    @Option(
        help: ArgumentHelp("With --simulate: how often each device sends. Example: --every 5s", valueName: "duration"))
    var every = "30s"

    @Option(
        help: ArgumentHelp("With --simulate: chance begins here; the same number, the same run.", valueName: "number"))
    var seed: UInt64 = 1

    @Option(
        help: ArgumentHelp(
            """
            With --simulate: what the radio's clock shows at its start, in microseconds, or "wrap": 15 s before its low \
            32 bits begin anew, which they do every 71.6 minutes. Example: --counter-start wrap
            """, valueName: "number"))
    var counterStart = "0"

    @Option(
        help: ArgumentHelp(
            "With --simulate and no --config: how the built-in server is spoken to: gwmp or lns.", valueName: "protocol"
        ))
    var server = "gwmp"

    @Option(
        help: ArgumentHelp(
            "Without --simulate, --config and --station: where to listen for forwarders, UDP. Example: --listen 127.0.0.1:1680",
            valueName: "addr:port"))
    var listen = "127.0.0.1:1700"

    @Flag(
        help: """
            Allow addresses that other machines reach. The page then needs the token that is printed; the forwarders' \
            protocol has no passwords: anybody there can send frames. Example: --lan --listen 0.0.0.0:1700
            """)
    var lan = false

    @Option(
        help: ArgumentHelp(
            """
            With --listen: gateways in the table. When it is full, one that was silent for ten minutes makes room, else \
            new ones are refused. Example: --max-gateways 50
            """, valueName: "number"))
    var maxGateways = 1000

    @Option(
        help: ArgumentHelp(
            """
            Run every app of a directory: each folder with .xlua files, and each .xlua file. Scripts see, change and refuse \
            frames. A file that is saved is loaded again. Example: --apps ./apps
            """, valueName: "dir"))
    var apps: String?

    @Option(
        help: ArgumentHelp(
            """
            Run a Lua script as an app of its own; give it once for each. Example: --script Examples/lua/lora-filter.xlua
            """, valueName: "file"))
    var script: [String] = []

    @Option(
        help: ArgumentHelp(
            """
            What apps may use; give it once for each app, without app= for all. Keys: \
            \(LuaAppSettings.limitKeys.joined(separator: ", ")). Example: --app-limit app=filter,memory=512KB,time=20ms
            """, valueName: "limits"))
    var appLimit: [String] = []

    @Option(
        help: ArgumentHelp(
            """
            What apps may touch; give it once for each app, without app= for all. Kinds: \
            \(GatewayConfiguration.scriptPermissionKinds.map(\.name).joined(separator: ", ")); values: all, none, or names with + \
            between them. Example: --app-permit hosts=none
            """, valueName: "permissions"))
    var appPermit: [String] = []

    @Option(
        name: .customLong("for"),
        help: ArgumentHelp("End after this time: 10s, 500ms, 2m. Example: --for 10s", valueName: "duration"))
    var duration: String?

    @Flag(help: "Print lines of JSON.")
    var json = false

    @Flag(help: "Print no line for each frame.")
    var quiet = false

    /// All flags, for the environment and the settings file.
    private static let flags: [FlagDescription] = [
        .flag("simulate"), .flag("check-config"), .option("station"), .option("page"), .option("devices"),
        .option("every"), .option("seed"), .option("counter-start"), .option("server"), .option("listen"), .flag("lan"),
        .option("max-gateways"),
        .option("apps"), .list("script"), .list("app-limit"), .list("app-permit"), .option("for"), .flag("json"),
        .flag("quiet"),
    ]

    static func main() async {
        do throws(DeviceError) {
            await main(try arguments())
        } catch {
            fail(error)
        }
    }

    /// A file of the gateway's own is not one whose keys are flags: it is read later, by who knows it.
    private static func arguments() throws(DeviceError) -> [String] {
        let path =
            CommandLine.arguments.firstIndex(of: "--config").flatMap { index in
                CommandLine.arguments.dropFirst(index + 1).first
            } ?? getenv("DEVICE_CONFIG").map { String(cString: $0) }
        guard let path, ConfigurationLoader().isGatewayFile(path) else {
            return try SettingsSources.arguments(flags: flags + [.option("config")], ignoring: DeviceVariables.all)
        }
        let arguments = try SettingsSources.arguments(flags: flags, ignoring: DeviceVariables.all)
        return arguments.contains("--config") ? arguments : arguments + ["--config", path]
    }

    private static func fail(_ error: DeviceError) -> Never {
        StandardError.write("LoRaGateway: \(error)\n")
        Glibc.exit(error.exitStatus)
    }

    func run() async throws {
        do throws(DeviceError) {
            if checkConfig { return try check() }
            if let options = try serviceOptions() {
                try await GatewayService(options: options).run(giveUp: { _exit(0) })
            } else {
                try await ForwarderEar(options: try options()).run(giveUp: { _exit(0) })
            }
        } catch {
            Self.fail(error)
        }
    }

    /// Prints the problems and ends with 78, or says what the settings are.
    private func check() throws(DeviceError) {
        guard source != nil, let options = try serviceOptions() else {
            throw DeviceError(.invalidArgument, "there is nothing to check", hint: "Add --config FILE or --station DIR")
        }
        let (configuration, problems) = ServiceSettings(options).load()
        guard problems.isEmpty else {
            StandardOutput.write(problems.text + "\n")
            Glibc.exit(78)
        }
        StandardOutput.write(ConfigurationSummary(configuration).text + "\n")
    }

    /// Where the gateway's settings are; nil for none.
    private var source: GatewayServiceOptions.Source? {
        if let station { return .station(station) }
        guard let config, simulate || checkConfig || ConfigurationLoader().isGatewayFile(config) else { return nil }
        return .file(config)
    }

    /// The options of a gateway; nil when only forwarders are to be heard.
    func serviceOptions() throws(DeviceError) -> GatewayServiceOptions? {
        guard simulate || source != nil else { return nil }
        var options = GatewayServiceOptions()
        options.source = source ?? .builtIn
        options.isSimulated = simulate
        guard (0...10_000).contains(devices) else {
            throw DeviceError(.invalidArgument, "--devices is a number from 0 to 10000")
        }
        options.devices = devices
        options.seed = seed
        options.interval = try DurationText.parse(every)
        guard options.interval >= .milliseconds(100) else {
            throw DeviceError(.invalidArgument, "--every is at least 100ms")
        }
        guard ["gwmp", "lns"].contains(server) else {
            throw DeviceError(.invalidArgument, "--server is gwmp or lns")
        }
        options.builtInProtocol = server
        guard let counter = counterStart == "wrap" ? (1 << 32) - 15_000_000 : UInt64(counterStart), counter < 1 << 48
        else {
            throw DeviceError(
                .invalidArgument, "--counter-start is a number of microseconds below 2^48, or wrap",
                hint: "Example: --counter-start wrap")
        }
        options.counterStart = counter
        options.page = try page.map { text throws(DeviceError) in try ListenAddress(text) }
        options.isLAN = lan
        options.duration = try duration.map { text throws(DeviceError) in try DurationText.parse(text) }
        options.isJSON = json
        options.isQuiet = quiet
        options.scripts = ScriptSources(
            directory: apps, scripts: script,
            settings: try LuaAppSettings(
                limits: appLimit, permissions: appPermit, kinds: GatewayConfiguration.scriptPermissionKinds))
        guard options.scripts.isUsed || (appLimit.isEmpty && appPermit.isEmpty) else {
            throw DeviceError(
                .invalidArgument, "--app-limit and --app-permit are about the scripts of --script and --apps",
                hint: "Add --script FILE or --apps DIR, or write app-limit and app-permit beside script in the settings"
            )
        }
        return options
    }

    func options() throws(DeviceError) -> ForwarderEarOptions {
        var options = ForwarderEarOptions()
        options.listen = try ListenAddress(listen)
        guard options.listen.isLoopback || lan else {
            throw DeviceError(
                .invalidArgument, "\(options.listen) is reachable from other machines",
                hint: "Add --lan; anybody on that network can then send frames, since the protocol has no passwords")
        }
        guard apps == nil, script.isEmpty else {
            throw DeviceError(
                .invalidArgument, "--apps and --script are for a gateway, and this only listens to forwarders",
                hint: "Add --simulate or --config FILE")
        }
        guard (1...100_000).contains(maxGateways) else {
            throw DeviceError(.invalidArgument, "--max-gateways is a number from 1 to 100000")
        }
        options.isLAN = lan
        options.maxGateways = maxGateways
        options.duration = try duration.map { text throws(DeviceError) in try DurationText.parse(text) }
        options.isJSON = json
        return options
    }
}
