public import DeviceCore
public import DeviceProtocols
import DeviceTransport
public import Logging

/// Accounts in a file that may be changed while the broker runs (``follow(for:every:)``): who has another account
/// then, or none, has to connect again.
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
        state.withLock { $0.accounts }.decide(request, crypto: OpenSSLCrypto())
    }

    /// For ``SMQBroker/Configuration/permit``.
    public func permits(_ request: SMQTopicRequest) -> Bool { state.withLock { $0.accounts }.permits(request) }

    /// Looks for changes of the file until the task is cancelled, and has the broker's clients follow them.
    public func follow(for broker: SMQBroker, every interval: Duration = .seconds(1)) async {
        while !Task.isCancelled {
            guard let old = readIfChanged() else {
                try? await Task.sleep(for: interval)
                continue
            }
            let new = state.withLock { $0.accounts }
            await broker.review { old.account(for: $0) == new.account(for: $0) }
        }
    }

    /// Returns the accounts that were valid before, when there are new ones.
    private func readIfChanged() -> BrokerAccounts? {
        let version = FileIdentity(path)
        let isNew = state.withLock { state in
            defer { state.version = version }
            return state.version != version
        }
        guard isNew else { return nil }
        do throws(DeviceError) {
            let accounts = try Self.read(path)
            let old = state.withLock { state in
                defer { state.accounts = accounts }
                return state.accounts
            }
            logger.notice("The accounts are those of the changed \(path).")
            return old
        } catch {
            logger.warning("The accounts stay as they were: \(error)")
            return nil
        }
    }
}
