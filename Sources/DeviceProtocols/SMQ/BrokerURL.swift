public import DeviceCore

/// The address of a SMQ broker: `smq://host[:80][/smq.lsp]`, `http://…`, or `ws://…` with a path.
///
/// The secure forms are `smqs`, `https` and `wss`.
public struct BrokerURL: Hashable, Sendable, CustomStringConvertible {
    /// How the broker is spoken to.
    public var framing: SMQFraming
    /// Whether TLS is below.
    public var isSecure: Bool
    /// Name or address, IPv6 without its brackets.
    public var host: String
    /// TCP port.
    public var port: Int
    /// Path and query, beginning with a slash.
    public var path: String

    /// Reads an address. A missing scheme means `smq`, a missing path `/smq.lsp`.
    ///
    /// - Throws: ``DeviceError`` `invalidArgument` that says what is wrong.
    public init(_ text: String) throws(DeviceError) {
        func wrong(_ what: String) -> DeviceError {
            DeviceError(
                .invalidArgument, "the broker address \"\(text.prefix(200))\" \(what)",
                hint: "The usual form is smq://host:port/smq.lsp")
        }
        var rest = Substring(text)
        var scheme = "smq"
        if let range = text.firstRange(of: "://") {
            scheme = text[..<range.lowerBound].lowercased()
            rest = text[range.upperBound...]
        }
        switch scheme {
        case "smq", "http": (framing, isSecure) = (.raw, false)
        case "smqs", "https": (framing, isSecure) = (.raw, true)
        case "ws": (framing, isSecure) = (.webSocket, false)
        case "wss": (framing, isSecure) = (.webSocket, true)
        default: throw wrong("has the unknown scheme \"\(scheme)\"; smq, smqs, http, https, ws and wss are known")
        }
        let pathStart = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        let authority = rest[..<pathStart]
        var path = String(rest[pathStart...])
        if path.isEmpty || path == "/" { path = "/smq.lsp" }
        if path.hasPrefix("/?") { path.removeFirst() }
        if path.hasPrefix("?") { path = "/smq.lsp" + path }
        guard path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw wrong("has a character in its path that must be written as %XX")
        }
        self.path = path
        guard !authority.contains("@") else { throw wrong("must not hold a user name or password") }
        var portText: Substring?
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else { throw wrong("has a [ without its ]") }
            host = String(authority[authority.index(after: authority.startIndex)..<end])
            guard host.contains(":") else { throw wrong("has [ ] around something that is no IPv6 address") }
            let after = authority[authority.index(after: end)...]
            guard after.isEmpty || after.hasPrefix(":") else { throw wrong("has text between ] and the port") }
            if !after.isEmpty { portText = after.dropFirst() }
        } else {
            let parts = authority.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count <= 2 else { throw wrong("holds an IPv6 address, which needs [ ] around it") }
            host = String(parts.first ?? "")
            portText = parts.count == 2 ? parts.last : nil
        }
        guard !host.isEmpty, host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { throw wrong("has no host name") }
        guard !host.contains(where: { "[]".contains($0) }) else { throw wrong("has a bracket within its host name") }
        if let portText {
            guard !portText.hasPrefix("+"), let number = Int(portText), (1...65535).contains(number) else {
                throw wrong("has the port \"\(portText.prefix(20))\"; a port is a number from 1 to 65535")
            }
            port = number
        } else {
            port = isSecure ? 443 : 80
        }
    }

    /// Host and port as in a Host header.
    public var authority: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// The address in its usual form. A query, which may hold a token, is left out.
    public var description: String {
        let scheme =
            switch (framing, isSecure) {
            case (.raw, false): "smq"
            case (.raw, true): "smqs"
            case (.webSocket, false): "ws"
            case (.webSocket, true): "wss"
            }
        return "\(scheme)://\(authority)\(path.prefix { $0 != "?" })"
    }
}
