public import NIOCore
import NIOHTTP1

/// A HTTP request as routes see it.
public struct HTTPRequest: Sendable {
    /// "GET", "POST"…
    public var method: String
    /// The path without its query, as it was sent.
    public var path: String
    /// What follows the question mark, or nothing.
    public var query: String
    /// Header fields in the order in which they came.
    public var headers: [(name: String, value: String)]
    /// The body, at most 64 KB.
    public var body = ByteBuffer()
    /// The peer's address without its port; an IPv4 address that came mapped into IPv6 is shown as IPv4.
    public var remoteAddress: String

    /// The first value of a header field, whatever its case.
    public func header(_ name: String) -> String? {
        headers.first { $0.name.lowercased() == name.lowercased() }?.value
    }

    /// The first value of a query item. %XX is decoded.
    public func queryItem(_ name: String) -> String? {
        for item in query.split(separator: "&") {
            let parts = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.first.map(String.init) == name { return String(parts.count > 1 ? parts[1] : "").percentDecoded }
        }
        return nil
    }

    init(method: String, uri: String, headers: [(name: String, value: String)], remoteAddress: String) {
        self.method = method
        var uri = uri
        var headers = headers
        // The form that is sent to proxies; its host counts, not the field's (RFC 9112, section 3.2.2).
        if let target = Self.absolute(uri) {
            uri = target.path
            if headers.filter({ $0.name.lowercased() == "host" }).count < 2 {
                headers.removeAll { $0.name.lowercased() == "host" }
                headers.append(("Host", target.host))
            }
        }
        let parts = uri.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        path = String(parts.first ?? "")
        query = parts.count > 1 ? String(parts[1]) : ""
        self.headers = headers
        self.remoteAddress = remoteAddress
    }

    /// The host and the rest of a target like `http://host/path`; nil for the usual form.
    private static func absolute(_ uri: String) -> (host: String, path: String)? {
        let lower = uri.prefix(8).lowercased()
        guard let scheme = ["http://", "https://"].first(where: { lower.hasPrefix($0) }) else { return nil }
        let rest = uri.dropFirst(scheme.count)
        let host = rest.prefix { $0 != "/" && $0 != "?" }
        let path = rest.dropFirst(host.count)
        return (String(host), path.hasPrefix("/") ? String(path) : "/" + path)
    }

    /// Why no server may answer this, or nil. Two hosts could mean one to a proxy and the other to us (RFC 9112,
    /// section 3.2).
    var flaw: HTTPResponse? {
        let hosts = headers.filter { $0.name.lowercased() == "host" }
        if hosts.count > 1 { return .text(400, "The request has \(hosts.count) Host fields.") }
        let length = headers.reduce(path.utf8.count + query.utf8.count) { sum, field in
            sum + field.name.utf8.count + field.value.utf8.count
        }
        return length > StreamDetectionHandler.headLimit ? StreamDetectionHandler.longHead : nil
    }

    init(_ head: HTTPRequestHead, remoteAddress: String) {
        self.init(
            method: head.method.rawValue, uri: head.uri, headers: head.headers.map { ($0.name, $0.value) },
            remoteAddress: remoteAddress)
    }
}

/// A HTTP response.
public struct HTTPResponse: Sendable {
    /// The status code.
    public var status: Int
    /// Header fields; length and connection are added.
    public var headers: [(name: String, value: String)]
    /// The body.
    public var body: ByteBuffer

    /// A response with any body.
    public init(status: Int = 200, contentType: String, body: ByteBuffer) {
        self.status = status
        headers = [("Content-Type", contentType)]
        self.body = body
    }

    /// A response with a line of text.
    public static func text(_ status: Int, _ text: String) -> HTTPResponse {
        HTTPResponse(status: status, contentType: "text/plain; charset=utf-8", body: ByteBuffer(string: text + "\n"))
    }
}

extension String {
    /// The text with each %XX replaced by its byte; a % that is not followed by two digits stays.
    var percentDecoded: String {
        var bytes: [UInt8] = []
        var rest = utf8[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16),
                rest.count >= 2
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension SocketAddress {
    /// The address without its port, an IPv4-mapped IPv6 address as IPv4; for programs of this package.
    package var plainAddress: String {
        guard let address = ipAddress else { return "local" }
        return address.hasPrefix("::ffff:") && address.contains(".") ? String(address.dropFirst(7)) : address
    }
}
