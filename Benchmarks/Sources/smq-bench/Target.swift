import Glibc

/// A broker to measure: `NAME=PID@HOST:PORT/PATH`; without a pid its memory and CPU time are not reported.
///
/// With a second `,PID@HOST:PORT/PATH` it is two nodes of a cluster: publishers are on the first, subscribers on the other.
struct Target {
    var name: String
    var pid: pid_t?
    var host: String
    var port: UInt16
    var path: String

    /// The other node of a cluster, for subscribers. One element at most: a value cannot hold itself.
    private var others: [Target] = []

    /// Where subscribers are.
    var subscribers: Target { others.first ?? self }
    /// Whether it is two nodes.
    var isPair: Bool { !others.isEmpty }

    init(_ text: String) throws {
        let nodes = text.split(separator: ",", maxSplits: 1)
        if nodes.count == 2, let name = text.split(separator: "=").first {
            try self.init(node: String(nodes[0]))
            others = [try Target(node: "\(name)=\(nodes[1])")]
        } else {
            try self.init(node: text)
        }
    }

    private init(node text: String) throws {
        let wrong = BenchError(
            "\"\(text)\" is not a broker; write NAME=PID@HOST:PORT/PATH, for example peer=4711@127.0.0.1:9000/smq.lsp")
        guard let equals = text.firstIndex(of: "=") else { throw wrong }
        name = String(text[..<equals])
        var rest = text[text.index(after: equals)...]
        if let at = rest.firstIndex(of: "@") {
            guard let number = pid_t(rest[..<at]), number > 0 else { throw wrong }
            pid = number
            rest = rest[rest.index(after: at)...]
        }
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        path = slash == rest.endIndex ? "/smq.lsp" : String(rest[slash...])
        let parts = rest[..<slash].split(separator: ":")
        guard !name.isEmpty, parts.count == 2, let number = UInt16(parts[1]) else { throw wrong }
        host = String(parts[0])
        port = number
        var address = in_addr()
        guard inet_pton(AF_INET, host, &address) == 1 else { throw BenchError("\"\(host)\" is not an IPv4 address") }
        self.address = address.s_addr
    }

    /// The address in network byte order.
    var address: in_addr_t
}
