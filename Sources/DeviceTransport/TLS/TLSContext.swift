import DeviceCore
import Logging
import NIOCore

/// The current ``TLSContextHandle``: made anew when its files change, so that a rotated certificate needs no restart.
///
/// Files are looked at when a connection begins, at most once an interval. A new context is for new connections; those
/// that are open keep theirs. Where the new files are broken the old context stays.
final class TLSContext: Sendable {
    /// A context and what it was made of.
    struct Version: Sendable {
        var handle: TLSContextHandle
        /// The files' state; part of a session's key, because other roots would perhaps not have trusted it.
        var files: [FileIdentity?]
    }

    private struct State {
        var version: Version
        var nextLook: NIODeadline
        /// Files that were found broken, so that this is reported once.
        var broken: [FileIdentity?]?
        var reloads: UInt64 = 0
        var failures: UInt64 = 0
    }

    let role: TLSContextHandle.Role
    private let paths: [String]
    private let interval: TimeAmount
    private let onFailure: @Sendable (DeviceError) -> Void
    private let logger: Logger
    private let state: Locked<State>

    init(
        _ role: TLSContextHandle.Role, interval: Duration, logger: Logger,
        onFailure: @escaping @Sendable (DeviceError) -> Void
    ) throws(DeviceError) {
        self.role = role
        self.interval = .nanoseconds(interval.wholeNanoseconds)
        self.logger = logger
        self.onFailure = onFailure
        paths = role.paths
        // Before they are read: what changes meanwhile is seen at the next look.
        let files = paths.map { FileIdentity($0) }
        let version = Version(handle: try TLSContextHandle(role), files: files)
        state = Locked(State(version: version, nextLook: .now() + self.interval))
    }

    /// Contexts made because files had changed, and attempts at it that failed.
    var counters: (reloads: UInt64, failures: UInt64) { state.withLock { ($0.reloads, $0.failures) } }

    /// The context for a connection that begins now.
    func current() -> Version {
        let (version, failure) = state.withLock { state -> (Version, DeviceError?) in
            let now = NIODeadline.now()
            guard now >= state.nextLook else { return (state.version, nil) }
            state.nextLook = now + interval
            let failure = look(&state)
            return (state.version, failure)
        }
        if let failure {
            logger.error("changed TLS files are not used, the old ones stay", metadata: ["error": "\(failure)"])
            onFailure(failure)
        }
        return version
    }

    /// Takes changed files. Gives the error of broken ones, once.
    private func look(_ state: inout State) -> DeviceError? {
        let files = paths.map { FileIdentity($0) }
        guard files != state.version.files else {
            state.broken = nil
            return nil
        }
        guard files != state.broken else { return nil }
        do throws(DeviceError) {
            state.version = Version(handle: try TLSContextHandle(role), files: files)
            state.broken = nil
            state.reloads += 1
            logger.notice("changed TLS files are in use", metadata: ["files": "\(paths.joined(separator: ", "))"])
            return nil
        } catch {
            state.broken = files
            state.failures += 1
            return error
        }
    }
}
