import ArgumentParser
import DeviceCore

/// Which brokers, and how to keep them.
struct ClientOptions: ParsableArguments {
    @Option(help: "The name behind which the brokers are.")
    var name: String?

    @Option(help: "The brokers' port, with --name.")
    var port = 8080

    @Option(help: "A node, ADDR:PORT. Again for more.")
    var node: [String] = []

    @Option(help: "The DNS server, IP:PORT; the system's when not given.")
    var dns: String?

    @Option(help: "Connect by TLS, and trust the certificate authorities in this file.")
    var ca: String?

    @Option(help: "relaxed, normal or fast.")
    var profile = "normal"

    @Flag(help: "Keep a second session open on another node.")
    var standby = false

    @Option(help: "live, broker or endToEnd.")
    var level = "live"

    @Flag(help: "Each message is on the disk before the next one.")
    var durable = false

    @Option(help: "Directory of what has to survive the process.")
    var state: String?

    @Option(help: "The topic.")
    var topic = "rig/numbers"

    func validate() throws {
        guard name != nil || !node.isEmpty else { throw ValidationError("--name or --node is needed") }
        guard DeviceClient.profiles.contains(profile) else {
            throw ValidationError("--profile is one of \(DeviceClient.profiles.joined(separator: ", "))")
        }
        guard DeviceClient.levels.contains(level) else {
            throw ValidationError(
                "--level \(level): this build's client has \(DeviceClient.levels.joined(separator: ", "))")
        }
        guard !standby || DeviceClient.hasStandby else {
            throw ValidationError("--standby: this build's client has none")
        }
        guard dns == nil || DeviceClient.hasResolver else {
            throw ValidationError("--dns: this build's client uses the system's resolver")
        }
        guard level == "live" || state != nil else { throw ValidationError("--level \(level) needs --state") }
    }
}

/// A random id, so that no two processes take each other's place.
func randomUID() -> [UInt8] { (0..<12).map { _ in UInt8.random(in: .min ... .max) } }
