import CNetShim
import DeviceCore

/// Sessions that a client can take up again: one, the newest, for each key, and a bounded number of keys.
///
/// A resumed session skips the check of the certificate. So a session is found only by those who would have checked it
/// in the same way: the key holds everything that the check depends on. As a second lock, a session whose certificate
/// has expired or is not for the name is not offered.
public final class TLSSessionCache: Sendable {
    /// What a session was made for.
    struct Key: Hashable, Sendable {
        var name: String
        var port: Int
        var configuration: TLSClientConfiguration
        /// The state of the files of trusted roots and of the client's certificate.
        var files: [FileIdentity?]
    }

    /// Since the start.
    public struct Counters: Hashable, Sendable {
        /// Sessions stored.
        public var stored: UInt64 = 0
        /// Sessions offered to servers, which may have declined.
        public var offered: UInt64 = 0
        /// Connections for which there was no session.
        public var missed: UInt64 = 0
        /// Sessions that made room for others.
        public var evicted: UInt64 = 0
        /// Sessions that were not offered any more: too old, certificate expired.
        public var expired: UInt64 = 0
    }

    /// A session of OpenSSL.
    ///
    /// @unchecked Sendable because sessions count their references atomically and are not changed once they are made.
    final class Session: @unchecked Sendable {
        let pointer: OpaquePointer
        init(_ pointer: OpaquePointer) { self.pointer = pointer }
        deinit { cnet_tls_session_free(pointer) }
    }

    private struct State {
        var sessions: [Key: (session: Session, used: UInt64)] = [:]
        var clock: UInt64 = 0
        var counters = Counters()
    }

    private let limit: Int
    private let state = Locked(State())

    /// A cache for so many names. A session is some kilobytes.
    public init(limit: Int = 64) { self.limit = max(1, limit) }

    /// Since the start.
    public var counters: Counters { state.withLock { $0.counters } }
    /// Sessions now.
    public var count: Int { state.withLock { $0.sessions.count } }

    /// A session for that key. One that should be used once only leaves the cache.
    func take(_ key: Key, isAddress: Bool) -> Session? {
        state.withLock { state in
            guard let session = state.sessions[key]?.session else {
                state.counters.missed += 1
                return nil
            }
            let isChecked = !key.configuration.acceptsEveryCertificateForTestsOnly
            if isChecked, cnet_tls_session_is_for(session.pointer, key.name, isAddress ? 1 : 0) != 1 {
                state.sessions[key] = nil
                state.counters.expired += 1
                return nil
            }
            state.clock += 1
            state.sessions[key]?.used = state.clock
            if cnet_tls_session_is_single_use(session.pointer) == 1 { state.sessions[key] = nil }
            state.counters.offered += 1
            return session
        }
    }

    /// Keeps a session in place of the key's older one; where there are too many the least recently used goes.
    func store(_ session: Session, _ key: Key) {
        state.withLock { state in
            state.clock += 1
            if state.sessions[key] == nil, state.sessions.count >= limit,
                let oldest = state.sessions.min(by: { $0.value.used < $1.value.used })?.key
            {
                state.sessions[oldest] = nil
                state.counters.evicted += 1
            }
            state.sessions[key] = (session, state.clock)
            state.counters.stored += 1
        }
    }

    /// Forgets the session of a handshake that failed.
    func remove(_ key: Key) { state.withLock { $0.sessions[key] = nil } }
}
