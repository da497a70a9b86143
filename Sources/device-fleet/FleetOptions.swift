import DeviceCore
import DeviceProtocols
import DeviceTransport

/// The command line, checked.
struct FleetOptions: Sendable {
    var devices = 100
    var brokers: [BrokerURL] = []
    /// Where receivers connect; empty for each address that the brokers' names resolve to.
    var receivers: [BrokerURL] = []
    var resolver: NameResolver?
    var profile = ClusterProfile.normal
    var policy = NodePolicyName.random
    /// For SRV records.
    var service: String?
    var keepsStandby = false
    var plan = DevicePlan.Settings()
    /// From the first arrival to the last action; nil until a signal.
    var duration: Duration?
    var delivery = FleetDelivery.live
    /// Where outboxes live; needed unless delivery is live.
    var stateDirectory: String?
    /// The script that devices run, and how many of them.
    var scripts: FleetScripts.Settings?
    var threads = 1
    var tls = TLSClientConfiguration()
    /// Marks the messages of this run.
    var run = UInt32.random(in: .min ... .max)
    /// How long what is under way is waited for at the end.
    var settle = Duration.seconds(3)

    /// The most that one process takes: more would need more source ports than there are for two addresses.
    static let deviceLimit = 100_000
    /// Each outbox has three threads, and receivers remember so many senders.
    static let outboxLimit = 500
    /// Each script has a thread.
    static let scriptLimit = 1000
    static let receiverLimit = 64

    /// - Throws: `invalidArgument` that says what does not fit.
    func check() throws(DeviceError) {
        guard (1...Self.deviceLimit).contains(devices) else {
            throw DeviceError(
                .invalidArgument, "--devices \(devices) is not within 1 to \(Self.deviceLimit)",
                hint: "Start several fleets for more")
        }
        guard !brokers.isEmpty else {
            throw DeviceError(
                .invalidArgument, "there is no broker to connect to",
                hint: "Example: --broker smq://127.0.0.1:8080")
        }
        guard receivers.count <= Self.receiverLimit else {
            throw DeviceError(.invalidArgument, "more than \(Self.receiverLimit) receivers are given")
        }
        guard (1...64).contains(threads) else {
            throw DeviceError(.invalidArgument, "--threads \(threads) is not within 1 to 64")
        }
        guard plan.every >= .milliseconds(10) else {
            throw DeviceError(.invalidArgument, "--every is less than 10ms")
        }
        try checkScripts()
        guard delivery != .live else { return }
        guard stateDirectory != nil else {
            throw DeviceError(
                .invalidArgument, "--delivery \(delivery.rawValue) needs outboxes", hint: "Add --state DIRECTORY")
        }
        guard devices <= Self.outboxLimit else {
            throw DeviceError(
                .invalidArgument,
                "\(devices) devices with an outbox are too many for one process: each outbox has three threads",
                hint: "Use at most \(Self.outboxLimit), or --delivery live")
        }
    }

    private func checkScripts() throws(DeviceError) {
        guard let scripts else { return }
        do throws(DeviceError) { _ = try SystemFile.read(scripts.path, limit: 1) } catch {
            throw DeviceError(.invalidArgument, "--script: \(error.message)", hint: "Give it a .xlua file")
        }
        guard (1...Self.scriptLimit).contains(scripts.devices) else {
            throw DeviceError(
                .invalidArgument,
                "\(scripts.devices) devices cannot run a script in one process: each has a thread for it",
                hint: "Let some of them do so, 1 to \(Self.scriptLimit): --scripted 100")
        }
    }

    /// What this machine allows.
    ///
    /// - Returns: warnings.
    /// - Throws: `limitExceeded` when there are fewer files than sockets are needed.
    func checkMachine(endpoints: Int) throws(DeviceError) -> [String] {
        OpenFiles.raiseLimit()
        // A script connects by itself, if it does.
        let scripted = scripts?.devices ?? 0
        let connections = (devices + scripted) * (keepsStandby ? 2 : 1)
        // While a session is replaced there are two of it; an outbox has a lock and a segment for each of three logs.
        let needed = connections + connections / 4 + (delivery == .live ? 0 : devices * 12) + scripted + 256
        if let limit = OpenFiles.limit, limit < needed {
            throw DeviceError(
                .limitExceeded, "\(devices) devices need \(needed) open files; this process may have \(limit)",
                hint: "Raise it before the start: ulimit -n \(needed), or LimitNOFILE= of the unit")
        }
        let ports = SourcePorts.count
        // When one address is gone, all go to the others.
        let addresses = max(1, endpoints - 1)
        guard connections > ports * addresses else { return [] }
        return [
            "\(connections) connections to \(addresses == 1 ? "one address" : "\(addresses) addresses") "
                + "(one of \(endpoints) may be gone) need more source ports than the \(ports) that this machine has for each: "
                + "give more broker addresses, or widen net.ipv4.ip_local_port_range."
        ]
    }
}

/// The ports from which this machine connects: each can be used once for one address and port of a broker.
enum SourcePorts {
    static var count: Int {
        let text = (try? SystemFile.text("/proc/sys/net/ipv4/ip_local_port_range")) ?? ""
        let bounds = text.split { $0 == " " || $0 == "\t" }.compactMap { Int($0) }
        guard bounds.count == 2, let low = bounds.first, let high = bounds.last, low <= high else { return 28_232 }
        return high - low + 1
    }
}

/// This process's memory.
enum ResidentMemory {
    /// Bytes in memory, those shared with other processes included; 0 where /proc is missing.
    static var bytes: Int {
        let fields = ((try? SystemFile.text("/proc/self/statm")) ?? "").split(separator: " ")
        return (fields.dropFirst().first.flatMap { Int($0) } ?? 0) * 4096
    }
}
