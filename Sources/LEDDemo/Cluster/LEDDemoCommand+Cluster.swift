import DeviceCore

extension LEDDemoCommand {
    /// Nodes that the page has room for.
    static let nodes = 2...4

    /// Checks what goes with `--cluster`.
    func checkCluster() throws(DeviceError) {
        guard let cluster else { return }
        guard Self.nodes.contains(cluster) else {
            throw DeviceError(
                .invalidArgument, "--cluster \(cluster) is not possible",
                hint: "Give it \(Self.nodes.lowerBound) to \(Self.nodes.upperBound) nodes")
        }
        guard broker.isEmpty else {
            throw DeviceError(
                .invalidArgument, "--cluster starts its own brokers, and --broker uses others",
                hint: "Leave out one or the other")
        }
        guard !lan, !open, monitor == nil, tlsCa == nil, tlsCertificate == nil, tlsKey == nil, dns == nil, hosts == nil,
            service == nil
        else {
            throw DeviceError(
                .invalidArgument, "--cluster is a demo on this machine alone",
                hint: "Leave out --lan, --open, --monitor, --dns, --hosts, --service and --tls-...; smq-broker has them"
            )
        }
    }

    /// The flags that `--cluster` passes on to its device.
    var deviceArguments: [String] {
        func option(_ flag: String, _ value: String?) -> [String] { value.map { ["--\(flag)=\($0)"] } ?? [] }
        let lists = led.flatMap { option("led", $0) }
        let flags = (json ? ["--json"] : []) + (verbose ? ["--verbose"] : [])
        return option("board", board) + lists + option("button", button) + option("on-exit", onExit)
            + option("name", name) + option("uid", uid) + option("profile", profile ?? "fast")
            + option("policy", policy) + option("for", duration) + flags
    }
}
