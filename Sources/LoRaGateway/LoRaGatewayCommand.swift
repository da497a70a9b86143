import ArgumentParser
import DeviceCore
import DeviceTransport
import Glibc

@main
struct LoRaGatewayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "LoRaGateway",
        abstract: "Hears what LoRa packet forwarders hear: takes Semtech's UDP protocol from any vendor's forwarder.",
        discussion: """
            Point a forwarder's server_address and ports at it. It acknowledges what comes and prints each frame. \
            It ends with SIGTERM or SIGINT and prints a summary.

            What it does not do yet: drive a radio of its own, send frames to devices, pass frames on to network \
            servers, keep them while a server is away. All that comes in later versions.

            Exit status: 0 done, 64 usage, 69 unavailable, 74 I/O, 77 permission, 78 configuration.
            """)

    @Option(
        help: ArgumentHelp(
            "Where to listen, UDP. Example: --listen 127.0.0.1:1680, or --lan --listen 0.0.0.0:1700",
            valueName: "addr:port"))
    var listen = "127.0.0.1:1700"

    @Flag(
        help: """
            Allow an address that other machines reach. The protocol has no passwords: anybody there can send frames. \
            Example: --lan --listen 0.0.0.0:1700
            """)
    var lan = false

    @Option(
        help: ArgumentHelp(
            """
            Gateways in the table. When it is full, one that was silent for ten minutes makes room, else new ones are \
            refused. Example: --max-gateways 50
            """, valueName: "number"))
    var maxGateways = 1000

    @Option(
        name: .customLong("for"),
        help: ArgumentHelp("End after this time: 10s, 500ms, 2m. Example: --for 10s", valueName: "duration"))
    var duration: String?

    @Flag(help: "Print lines of JSON.")
    var json = false

    @Option(
        help: ArgumentHelp(
            """
            Settings from a JSON file with comments; its keys are these flags. Flags win over the environment \
            (DEVICE_LISTEN=...), which wins over the file.
            """,
            valueName: "file"))
    var config: String?

    /// All flags, for the environment and the settings file.
    private static let flags: [FlagDescription] = [
        .option("listen"), .flag("lan"), .option("max-gateways"), .option("for"), .flag("json"), .option("config"),
    ]

    static func main() async {
        do throws(DeviceError) {
            await main(try SettingsSources.arguments(flags: flags, ignoring: DeviceVariables.all))
        } catch {
            fail(error)
        }
    }

    private static func fail(_ error: DeviceError) -> Never {
        StandardError.write("LoRaGateway: \(error)\n")
        Glibc.exit(error.exitStatus)
    }

    func run() async throws {
        do throws(DeviceError) {
            try await LoRaGateway(options: try options()).run(giveUp: { _exit(0) })
        } catch {
            Self.fail(error)
        }
    }

    func options() throws(DeviceError) -> LoRaGatewayOptions {
        var options = LoRaGatewayOptions()
        options.listen = try ListenAddress(listen)
        guard options.listen.isLoopback || lan else {
            throw DeviceError(
                .invalidArgument, "\(options.listen) is reachable from other machines",
                hint: "Add --lan; anybody on that network can then send frames, since the protocol has no passwords")
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
