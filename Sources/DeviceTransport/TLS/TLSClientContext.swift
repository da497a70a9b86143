public import DeviceCore
import DeviceProtocols
public import Logging

/// What the secure connections of a client share: certificates, trusted roots, sessions to take up again.
public final class TLSClientContext: Sendable {
    /// The settings.
    public let configuration: TLSClientConfiguration
    /// Sessions; may be shared with other contexts.
    public let sessions: TLSSessionCache
    private let context: TLSContext

    /// Reads the files.
    ///
    /// - Parameters:
    ///   - sessions: where sessions are kept.
    ///   - checkInterval: at a new connection, files are looked at if that was not done for so long.
    ///   - onFailure: told once of changed files that cannot be used; the old ones stay. It is logged too.
    /// - Throws: ``DeviceError`` `configuration` that names the file that is wrong.
    public init(
        _ configuration: TLSClientConfiguration, sessions: TLSSessionCache = TLSSessionCache(),
        checkInterval: Duration = .seconds(1), logger: Logger = Logger(label: "tls"),
        onFailure: @escaping @Sendable (DeviceError) -> Void = { _ in }
    ) throws(DeviceError) {
        self.configuration = configuration
        self.sessions = sessions
        context = try TLSContext(
            .client(configuration), interval: checkInterval, logger: logger, onFailure: onFailure)
    }

    /// Contexts made because files had changed, and attempts at it that failed.
    public var counters: (reloads: UInt64, failures: UInt64) { context.counters }

    /// A handler for one connection. It has to be the first in its pipeline, and is to be used on the channel's event
    /// loop only.
    ///
    /// - Parameters:
    ///   - serverName: the cluster's name, or the IP address if that is all there is: the server's certificate must
    ///     be for it, whichever address the connection goes to.
    ///   - port: of the server; sessions of other ports are not used.
    ///   - timeout: for the handshake, from the connection.
    ///   - onHandshake: called once, on the event loop, before the first byte is handed on; never for a connection
    ///     that did not come up.
    public func makeHandler(
        serverName: String, port: Int, timeout: Duration,
        onHandshake: @escaping @Sendable (Result<TLSInfo, DeviceError>) -> Void
    ) throws(DeviceError) -> TLSHandler {
        let (name, isAddress) = Self.normal(serverName)
        let version = context.current()
        let connection = try TLSConnection(version.handle)
        try connection.setPeer(
            name, isAddress: isAddress, isChecked: !configuration.acceptsEveryCertificateForTestsOnly)
        let key = TLSSessionCache.Key(name: name, port: port, configuration: configuration, files: version.files)
        let authority = name.contains(":") ? "[\(name)]:\(port)" : "\(name):\(port)"
        let handler = TLSHandler(
            connection, .client(authority: authority, name: name, configuration), timeout: timeout,
            onHandshake: { [sessions] result in
                // Whatever was wrong, the next attempt begins anew.
                if case .failure = result { sessions.remove(key) }
                onHandshake(result)
            })
        handler.onStart = { [sessions] connection in
            if let session = sessions.take(key, isAddress: isAddress) { connection.offer(session) }
        }
        handler.onSession = { [sessions] in sessions.store($0, key) }
        return handler
    }

    /// The name as it is checked and remembered.
    static func normal(_ name: String) -> (name: String, isAddress: Bool) {
        // A zone (fe80::1%eth0) is this machine's own affair.
        if let address = IPAddress(name.prefix { $0 != "%" }) { return ("\(address)", true) }
        let lower = name.lowercased()
        return (lower.hasSuffix(".") ? String(lower.dropLast()) : lower, false)
    }
}
