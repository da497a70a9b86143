public import DeviceCore
public import DeviceProtocols
import DeviceTransport
public import Logging

/// Accounts in a file that may be changed while the broker runs: who connects next is measured by the new ones.
///
/// A changed file that cannot be read or is wrong changes nothing; it is logged once.
public final class AccountFile: Sendable {
    private struct State {
        var accounts: BrokerAccounts
        var version: FileIdentity?
    }

    /// The largest file.
    private static let limit = 1 << 20
    private let path: String
    private let logger: Logger
    private let state: Locked<State>

    /// Reads the file.
    ///
    /// - Throws: ``DeviceError`` `configuration` for what is wrong in it, or when everybody on this machine may read it;
    ///   `notFound`, `permission`, `io`.
    public init(_ path: String, logger: Logger) throws(DeviceError) {
        self.path = path
        self.logger = logger
        let version = FileIdentity(path)
        state = Locked(State(accounts: try Self.read(path), version: version))
    }

    private static func read(_ path: String) throws(DeviceError) -> BrokerAccounts {
        try BrokerAccounts(SecretFile.read(path, "the accounts", limit: limit), named: path)
    }

    /// For ``SMQBroker/Configuration/authenticate``.
    public func authenticate(_ request: SMQConnectRequest) -> SMQConnectDecision {
        readIfChanged()
        return state.withLock { $0.accounts }.decide(request, crypto: OpenSSLCrypto())
    }

    /// For ``SMQBroker/Configuration/permit``.
    public func permits(_ request: SMQTopicRequest) -> Bool { state.withLock { $0.accounts }.permits(request) }

    private func readIfChanged() {
        let version = FileIdentity(path)
        let isNew = state.withLock { state in
            defer { state.version = version }
            return state.version != version
        }
        guard isNew else { return }
        do throws(DeviceError) {
            let accounts = try Self.read(path)
            state.withLock { $0.accounts = accounts }
            logger.notice("The accounts are those of the changed \(path).")
        } catch {
            logger.warning("The accounts stay as they were: \(error)")
        }
    }
}
