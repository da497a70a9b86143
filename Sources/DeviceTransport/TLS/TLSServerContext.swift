public import DeviceCore
public import Logging

/// What the secure connections of a server share.
public final class TLSServerContext: Sendable {
    /// Since the start.
    public struct Counters: Hashable, Sendable {
        /// Handshakes that succeeded.
        public var handshakes: UInt64 = 0
        /// Those among them that took up an earlier session.
        public var resumed: UInt64 = 0
        /// Handshakes that failed.
        public var refused: UInt64 = 0
        /// Contexts made because files had changed.
        public var reloads: UInt64 = 0
        /// Changed files that could not be used.
        public var reloadFailures: UInt64 = 0
    }

    /// The settings.
    public let configuration: TLSServerConfiguration
    private let context: TLSContext
    private let counted = Locked(Counters())

    /// Reads the files.
    ///
    /// - Parameters:
    ///   - checkInterval: at a new connection, files are looked at if that was not done for so long.
    ///   - onFailure: told once of changed files that cannot be used; the old ones stay. It is logged too.
    /// - Throws: ``DeviceError`` `configuration` that names the file that is wrong.
    public init(
        _ configuration: TLSServerConfiguration, checkInterval: Duration = .seconds(1),
        logger: Logger = Logger(label: "tls"), onFailure: @escaping @Sendable (DeviceError) -> Void = { _ in }
    ) throws(DeviceError) {
        self.configuration = configuration
        context = try TLSContext(
            .server(configuration), interval: checkInterval, logger: logger, onFailure: onFailure)
    }

    /// What has happened so far.
    public var counters: Counters {
        var counters = counted.withLock { $0 }
        (counters.reloads, counters.reloadFailures) = context.counters
        return counters
    }

    /// A handler for one connection. It has to be the first in its pipeline, and is to be used on the channel's event
    /// loop only.
    ///
    /// - Parameters:
    ///   - client: the client's address, for errors.
    ///   - timeout: for the handshake, from the connection.
    ///   - onHandshake: called once, on the event loop, before the first byte is handed on; never for a connection
    ///     that did not come up.
    public func makeHandler(
        client: String, timeout: Duration, onHandshake: @escaping @Sendable (Result<TLSInfo, DeviceError>) -> Void
    ) throws(DeviceError) -> TLSHandler {
        let connection = try TLSConnection(context.current().handle)
        return TLSHandler(
            connection, .server(client: client, configuration), timeout: timeout,
            onHandshake: { [self] result in
                count(result)
                onHandshake(result)
            })
    }

    private func count(_ result: Result<TLSInfo, DeviceError>) {
        counted.withLock { counters in
            switch result {
            case .success(let info):
                counters.handshakes += 1
                if info.isResumed { counters.resumed += 1 }
            case .failure: counters.refused += 1
            }
        }
    }
}
