import Glibc

/// A broker to measure: `NAME=PID@HOST:PORT/PATH`; without a pid its memory and CPU time are not reported.
struct Target {
    var name: String
    var pid: pid_t?
    var host: String
    var port: UInt16
    var path: String

    init(_ text: String) throws {
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
