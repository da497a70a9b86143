public import DeviceCore
import DeviceProtocols

/// Where a program listens: `ADDR:PORT`, `[IPv6]:PORT` or `PORT` on loopback.
public struct ListenAddress: Hashable, Sendable, CustomStringConvertible {
    /// An address or name, IPv6 without brackets.
    public var host: String
    /// The port; 0 lets the system choose.
    public var port: Int

    /// Makes an address.
    public init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// Reads an address.
    ///
    /// - Throws: ``DeviceError`` `invalidArgument`.
    public init(_ text: String) throws(DeviceError) {
        let wrong = DeviceError(
            .invalidArgument, "\"\(text.prefix(100))\" is not an address to listen on",
            hint: "Write ADDR:PORT, for example 127.0.0.1:8080 or [::1]:8080")
        var host = "127.0.0.1"
        var portText = Substring(text)
        if text.hasPrefix("[") {
            guard let end = text.firstRange(of: "]:") else { throw wrong }
            host = String(text[text.index(after: text.startIndex)..<end.lowerBound])
            guard host.contains(":") else { throw wrong }
            portText = text[end.upperBound...]
        } else if let colon = text.lastIndex(of: ":") {
            host = String(text[..<colon])
            portText = text[text.index(after: colon)...]
            guard !host.contains(":") else { throw wrong }
        }
        guard !host.isEmpty, !host.contains(where: { "[]".contains($0) }), !portText.hasPrefix("+"),
            let port = Int(portText), (0...65535).contains(port)
        else { throw wrong }
        self.init(host: host, port: port)
    }

    /// Whether only programs on this machine reach it.
    public var isLoopback: Bool { host.lowercased() == "localhost" || IPAddress(host)?.isLoopback == true }

    /// The address as in a URL.
    public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
