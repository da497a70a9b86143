import ArgumentParser
import DeviceCore
import DeviceLua
import DeviceProtocols
import DeviceSDK
import DeviceScripts
import DeviceTransport
import Glibc

@main
struct LEDDemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "LEDDemo",
        abstract: "LEDs of a board, switched from a browser, the terminal and a button, through a SMQ broker.",
        discussion: """
            Without --broker it carries a broker and a page of its own on loopback: open the address that it prints. \
            Without GPIO chips it uses a simulated Raspberry Pi 4.

            Keys: 1 to 9 toggle a LED, arrows change the simulated temperature, b presses the button of a simulated \
            board, q quits.

            Exit status: 0 done, 64 usage, 69 unavailable, 74 I/O, 77 permission, 78 configuration.
            """)

    @Option(
        help: ArgumentHelp(
            """
            A SMQ broker. A name stands for all nodes that the DNS gives for it; several --broker mean several nodes. \
            Example: --broker smq://cluster.local:80/smq.lsp
            """,
            valueName: "url"))
    var broker: [String] = []

    @Option(
        help: ArgumentHelp(
            """
            How soon a silent node is left: relaxed (75 s), normal (4.5 s), fast (0.4 s). Default: normal, with --cluster \
            fast. Example: --profile fast
            """,
            valueName: "profile"))
    var profile: String?

    @Option(
        help: ArgumentHelp(
            """
            How a node is chosen: round-robin, random (default), least-connections, response-time, resource or sticky. \
            Example: --policy least-connections
            """,
            valueName: "policy"))
    var policy: String?

    @Option(
        help: ArgumentHelp(
            """
            Find the nodes by SRV records of this service, with their ports, priorities and weights. Example: --service \
            _smq._tcp --broker smq://example.com
            """,
            valueName: "service"))
    var service: String?

    @Flag(
        help: """
            Keep a second session at another node, which takes over without a handshake. Example: --standby --profile \
            fast
            """)
    var standby = false

    @Option(
        help: ArgumentHelp(
            """
            The demo of a cluster: starts so many brokers (smq-broker, beside this program) and a device that moves \
            between them, and serves a page on which brokers are stopped, frozen and started. Example: --cluster 2
            """,
            valueName: "nodes"))
    var cluster: Int?

    @Option(
        help: ArgumentHelp(
            "A file with names and addresses to read in place of /etc/hosts. Example: --hosts nodes.hosts",
            valueName: "file"))
    var hosts: String?

    @Option(
        help: ArgumentHelp(
            """
            Publish so many numbered messages a second, each kept on disk until a receiver has it. \
            Example: --heartbeat 20/s
            """,
            valueName: "rate"))
    var heartbeat: String?

    @Option(
        help: ArgumentHelp(
            "With --broker: show this as the address of the page. Example: --page http://broker.example/",
            valueName: "url"))
    var page: String?

    @Option(
        help: ArgumentHelp(
            "A file or pipe that gets the events as lines of JSON, too. Example: --events /dev/fd/3", valueName: "file")
    )
    var events: String?

    @Option(
        help: ArgumentHelp(
            "DNS servers to ask instead of the system's. Example: --dns 192.168.1.1 or --dns 127.0.0.1:5353",
            valueName: "addr[:port]"))
    var dns: String?

    @Option(
        help: ArgumentHelp(
            """
            Where the embedded broker and the page listen: exactly there. Default: 127.0.0.1:8080 or the next free \
            port. Example: --listen 127.0.0.1:9000
            """,
            valueName: "addr:port"))
    var listen: String?

    @Option(
        help: ArgumentHelp(
            """
            With --broker: serve /health and /metrics here; beyond loopback they need the token that is printed. \
            Example: --monitor 127.0.0.1:9100
            """,
            valueName: "addr:port"))
    var monitor: String?

    @Flag(
        help: """
            Listen on all addresses; the page and devices need the token that is printed. Example: --lan --listen \
            0.0.0.0:8080
            """)
    var lan = false

    @Flag(
        help: """
            With --lan: no token and no check of Host and Origin, for pages and devices of others. Anybody on the \
            network can switch the LEDs.
            """)
    var open = false

    @Option(
        help: ArgumentHelp(
            """
            auto, the name of a board (\(Board.all.map(\.name).joined(separator: ", "))), sim for a simulated Raspberry \
            Pi 4, or sim:NAME. Example: --board sim:rockpi4b
            """,
            valueName: "board"))
    var board = "auto"

    @Option(
        help: ArgumentHelp(
            """
            A LED; give it once for each. LINE is a line name, pin11, or label:offset. Default: red, yellow, green and \
            blue on header pins 11, 13, 15 and 16. Example: --led name=Door,color=green,line=GPIO17,active-low
            """,
            valueName: "led"))
    var led: [String] = []

    @Option(
        help: ArgumentHelp(
            "A push button between a line and ground, and the LED that it toggles. Example: --button line=pin18,led=1",
            valueName: "button"))
    var button: String?

    @Option(
        help: ArgumentHelp(
            "What becomes of the LEDs' lines at the end: off, leave (as they are) or input. Example: --on-exit leave",
            valueName: "policy"))
    var onExit = "off"

    @Option(help: ArgumentHelp("The device's name on pages. Example: --name Kitchen", valueName: "name"))
    var name: String?

    @Option(
        help: ArgumentHelp(
            """
            The device's unique id for brokers, 6 to 255 bytes. Default: from the network card's address; on a \
            simulated board another one at each start. Example: --uid kitchen-lamp
            """,
            valueName: "text"))
    var uid: String?

    @Option(
        help: ArgumentHelp(
            """
            A PEM file with the authorities that may have signed a smqs:// or wss:// broker's certificate, in place of \
            the system's; with --listen, that of the embedded broker. Example: --tls-ca /etc/leddemo/ca.pem
            """,
            valueName: "file"))
    var tlsCa: String?

    @Option(
        help: ArgumentHelp(
            """
            A PEM file with a certificate and its intermediate ones. With --broker it is shown to brokers that ask for \
            one; otherwise the embedded broker and the page speak TLS with it (https). A changed file is noticed.
            """,
            valueName: "file"))
    var tlsCertificate: String?

    @Option(help: ArgumentHelp("The certificate's key: a PEM file or a pkcs11: address.", valueName: "file"))
    var tlsKey: String?

    @Option(
        help: ArgumentHelp(
            """
            Run every app of a directory: each folder with .xlua files, and each .xlua file. A file that is saved is loaded \
            again. Example: --apps ./apps
            """,
            valueName: "dir"))
    var apps: String?

    @Option(
        help: ArgumentHelp(
            "Run a Lua script as an app of its own; give it once for each. Example: --script Examples/lua/blink.xlua",
            valueName: "file"))
    var script: [String] = []

    @Flag(
        help:
            "Run lines of the standard input in the first app, and print what they give. Example: --script a.xlua --repl"
    )
    var repl = false

    @Option(
        help: ArgumentHelp(
            """
            The line that a pin number of scripts means; other numbers are Broadcom's, by their place on the header. \
            Example: --script-pin 4=pin16
            """,
            valueName: "pin"))
    var scriptPin: [String] = []

    @Option(
        help: ArgumentHelp(
            """
            A hardware PWM output for scripts: the line, and chip and channel of /sys/class/pwm. Example: --pwm GPIO18=0:0
            """,
            valueName: "output"))
    var pwm: [String] = []

    @Option(
        help: ArgumentHelp(
            """
            What apps may use; give it once for each app, without app= for all. Keys: \
            \(LuaAppSettings.limitKeys.joined(separator: ", ")). Example: --app-limit app=blink,memory=512KB,timers=4
            """,
            valueName: "limits"))
    var appLimit: [String] = []

    @Option(
        help: ArgumentHelp(
            """
            What apps may touch; give it once for each app, without app= for all. Kinds: \
            \(AppOptions.permissionKinds.map(\.name).joined(separator: ", ")); values: all, none, or names with + between \
            them. Example: --app-permit app=blink,pins=4+17,hosts=none
            """,
            valueName: "permissions"))
    var appPermit: [String] = []

    @Flag(help: "With --lan: scripts can be shown, changed, stopped and started from other machines, with the token.")
    var appsOnLan = false

    @Option(
        name: .customLong("for"),
        help: ArgumentHelp("End after this time: 10s, 500ms, 2m. Example: --for 10s", valueName: "duration"))
    var duration: String?

    @Flag(help: "Print events as lines of JSON instead of the picture.")
    var json = false

    @Flag(help: "Log what broker and client do, to standard error.")
    var verbose = false

    @Option(
        help: ArgumentHelp(
            """
            Settings from a JSON file with comments; its keys are these flags. Flags win over the environment \
            (DEVICE_LISTEN=...), which wins over the file. Example: --config /etc/leddemo.json
            """,
            valueName: "file"))
    var config: String?

    /// All flags, for the environment and the settings file.
    private static let flags: [FlagDescription] = [
        .list("broker"), .option("cluster"), .option("hosts"), .option("heartbeat"), .option("page"), .option("events"),
        .option("profile"), .option("policy"), .option("service"), .flag("standby"), .option("dns"), .option("listen"),
        .option("monitor"),
        .flag("lan"),
        .flag("open"), .option("board"), .list("led", separator: ";"), .option("button"), .option("on-exit"),
        .option("name"), .option("uid"), .option("tls-ca"), .option("tls-certificate"), .option("tls-key"),
        .option("apps"), .list("script"), .flag("repl"), .list("script-pin"), .list("pwm"),
        .list("app-limit", separator: ";"), .list("app-permit", separator: ";"), .flag("apps-on-lan"),
        .option("for"), .flag("json"), .flag("verbose"), .option("config"),
    ]

    static func main() async {
        do throws(DeviceError) {
            let arguments = try SettingsSources.arguments(flags: flags, ignoring: DeviceVariables.all)
            await main(arguments)
        } catch {
            StandardError.write("LEDDemo: \(error.description.printable)\n")
            Glibc.exit(error.exitStatus)
        }
    }

    func run() async throws {
        do throws(DeviceError) {
            let options = try options()
            let status: Int32
            if let nodes = options.cluster {
                status = try await ClusterDemo(options: options, nodes: nodes, device: deviceArguments).run()
            } else {
                status = try await LEDDemo(options: options).run()
            }
            if status != 0 {
                throw DeviceError(.unavailable, "no broker was ever connected", hint: "See the lines above")
            }
        } catch {
            StandardError.write("LEDDemo: \(error.description.printable)\n")
            throw ExitCode(error.exitStatus)
        }
    }

    func options() throws(DeviceError) -> LEDDemoOptions {
        var options = LEDDemoOptions()
        for text in broker { options.brokers.append(try BrokerURL(text)) }
        let name = profile ?? "normal"
        guard let profile = ClusterProfile(rawValue: name) else {
            throw DeviceError(
                .invalidArgument, "--profile \(name) is unknown", hint: "Use relaxed, normal or fast")
        }
        options.profile = profile
        options.policy = try policy.map { text throws(DeviceError) in try NodePolicyName(setting: text) }
        options.service = try service.map { text throws(DeviceError) in try ServiceName.check(text) }
        options.hostsFile = hosts
        options.heartbeat = try heartbeat.map { text throws(DeviceError) in try Heartbeat.rate(text) }
        options.page = page
        options.events = events
        try checkCluster()
        options.cluster = cluster
        options.keepsStandby = standby
        options.dns = try dns.map { text throws(DeviceError) in try ResolverConfiguration(servers: text) }
        if let listen { options.listen = try ListenAddress(listen) }
        if let monitor { options.monitor = try ListenAddress(monitor) }
        if broker.isEmpty, cluster == nil, policy != nil || service != nil {
            throw DeviceError(
                .invalidArgument, "--policy and --service are for a device with --broker",
                hint: "The embedded broker is the only node")
        }
        if broker.isEmpty, page != nil {
            throw DeviceError(
                .invalidArgument, "--page is for a device with --broker", hint: "The embedded broker has its own page")
        }
        if broker.isEmpty, monitor != nil {
            throw DeviceError(
                .invalidArgument, "--monitor is for a device with --broker",
                hint: "The embedded broker serves /health and /metrics beside its page")
        }
        if !broker.isEmpty, listen != nil || lan || open {
            throw DeviceError(
                .invalidArgument, "--listen, --lan and --open belong to the embedded broker, which --broker replaces",
                hint: "Leave out one or the other")
        }
        if open, !lan { throw DeviceError(.invalidArgument, "--open needs --lan") }
        if lan, let address = options.listen, address.isLoopback {
            throw DeviceError(
                .invalidArgument, "--lan and --listen \(address) contradict each other",
                hint: "Listen on 0.0.0.0:\(address.port), or leave --lan out")
        }
        if let address = options.listen, !address.isLoopback, !lan {
            throw DeviceError(
                .invalidArgument, "\(address) is reachable from other machines",
                hint: "Add --lan, which protects it by a token")
        }
        options.isLAN = lan
        options.isOpen = open
        options.board = board
        options.leds = try LEDSpecification.parse(led)
        options.hasOwnLEDs = !led.isEmpty
        options.button = try button.map { text throws(DeviceError) in try ButtonSpecification(text) }
        guard let policy = ReleasePolicy(rawValue: onExit), policy != .initial else {
            throw DeviceError(.invalidArgument, "--on-exit \(onExit) is unknown", hint: "Use off, leave or input")
        }
        options.onExit = policy
        if let button = options.button, button.led > options.leds.count {
            throw DeviceError(
                .invalidArgument, "--button toggles LED \(button.led), but there are \(options.leds.count) LEDs",
                hint: "Give it led=1 to led=\(options.leds.count)")
        }
        if let uid {
            guard (SMQSize.minimumUID...SMQSize.maximumUID).contains(uid.utf8.count) else {
                throw DeviceError(
                    .invalidArgument, "--uid has \(uid.utf8.count) bytes",
                    hint: "A unique id has \(SMQSize.minimumUID) to \(SMQSize.maximumUID) bytes")
            }
            options.uid = Array(uid.utf8)
        }
        options.tlsAuthorities = tlsCa
        options.tlsIdentity = try TLSIdentity(certificate: tlsCertificate, key: tlsKey)
        options.name = self.name
        options.duration = try duration.map { text throws(DeviceError) in try DurationText.parse(text) }
        options.apps = try appOptions()
        options.isJSON = json
        options.isVerbose = verbose
        return options
    }
}

extension LEDDemoCommand {
    /// The options of scripts.
    private func appOptions() throws(DeviceError) -> AppOptions {
        var options = AppOptions()
        options.sources = ScriptSources(directory: apps, scripts: script)
        options.hasPrompt = repl
        options.pins = try ScriptPinMap(parsing: scriptPin)
        options.pwmOutputs = try AppOptions.pwmOutputs(pwm)
        options.isOnLAN = appsOnLan
        options.sources.settings = try LuaAppSettings(
            limits: appLimit, permissions: appPermit, kinds: AppOptions.permissionKinds)
        let hasSettings = !scriptPin.isEmpty || !pwm.isEmpty || !appLimit.isEmpty || !appPermit.isEmpty
        if !options.isUsed, repl || hasSettings || appsOnLan {
            throw DeviceError(
                .invalidArgument,
                "--repl, --script-pin, --pwm, --app-limit, --app-permit and --apps-on-lan are about scripts, and there are none",
                hint: "Add --script FILE or --apps DIR")
        }
        if options.isUsed, cluster != nil {
            throw DeviceError(
                .invalidArgument, "--cluster runs its device without scripts", hint: "Leave one or the other out")
        }
        if appsOnLan, !lan { throw DeviceError(.invalidArgument, "--apps-on-lan needs --lan") }
        return options
    }
}

/// The process's environment.
enum Environment {
    static func value(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}
