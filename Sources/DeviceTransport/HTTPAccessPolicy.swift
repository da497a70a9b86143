import DeviceCore

/// Who may use a listener.
///
/// A page of any site can make a browser send requests and open WebSockets to loopback and to the local network, and
/// a site can point its own name at such an address (DNS rebinding). So a request's Host has to be an address, a
/// name of this machine or an allowed name, and an Origin has to be the listener's own.
public struct HTTPAccessPolicy: Sendable {
    /// Names of this listener besides addresses and `localhost`, in lower case.
    public var names: Set<String>
    /// The secret that streams and pages need; nil for none.
    public var token: String?
    /// Lets every Host and Origin in, for existing third-party pages and devices.
    public var isOpen: Bool
    /// Whether the Host is checked. Not with TLS: there a browser has found the name in the certificate, so a foreign
    /// name that points here gets nothing.
    var checksHost = true

    /// A policy.
    public init(names: Set<String> = [], token: String? = nil, isOpen: Bool = false) {
        self.names = names
        self.token = token
        self.isOpen = isOpen
    }

    /// Whether a page or a stream may be served.
    ///
    /// - Parameter needsToken: false for files without which a page cannot even ask for the token.
    /// - Returns: the refusal, or nil.
    package func refusal(of request: HTTPRequest, needsToken: Bool) -> HTTPResponse? {
        guard !isOpen else { return nil }
        // A device without a Host header is not a browser.
        if checksHost, let host = request.header("Host"), !isOwn(hostName(of: host)) {
            return .text(
                403, "The name \"\(host.prefix(100))\" is not one of this server's. Use its address or localhost.")
        }
        if let origin = request.header("Origin") {
            let host = request.header("Host")?.lowercased() ?? ""
            let own = ["http://\(host)", "https://\(host)"]
            guard own.contains(origin.lowercased()) else {
                return .text(403, "A page of another site (\(origin.prefix(100))) may not use this server.")
            }
        }
        if needsToken, let token, !isToken(token, in: request) {
            return .text(
                401, "This address needs the token that the program printed at its start: add ?token=... to it.")
        }
        return nil
    }

    /// Whether something may be changed.
    func refusal(ofAction request: HTTPRequest) -> HTTPResponse? {
        var policy = self
        policy.isOpen = false
        if let refusal = policy.refusal(of: request, needsToken: true) { return refusal }
        let address = request.remoteAddress
        guard token != nil || address.hasPrefix("127.") || address == "::1" else {
            return .text(403, "Only programs on the server's own machine may do this.")
        }
        return nil
    }

    private func isToken(_ token: String, in request: HTTPRequest) -> Bool {
        let given = request.queryItem("token") ?? request.header("Authorization").map { String($0.dropFirst(7)) } ?? ""
        return given.utf8.equalsSecretly(token.utf8)
    }

    private func hostName(of host: String) -> String {
        let text = host.lowercased()
        if text.hasPrefix("[") { return String(text.dropFirst().prefix { $0 != "]" }) }
        return String(text.prefix { $0 != ":" })
    }

    private func isOwn(_ name: String) -> Bool {
        let isIPv4 = name.utf8.allSatisfy { $0 == 0x2E || (0x30...0x39).contains($0) } && !name.isEmpty
        let isIPv6 = name.contains(":")
        return isIPv4 || isIPv6 || name == "localhost" || names.contains(name)
    }
}
