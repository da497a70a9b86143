public import DeviceCore

/// The places where scripts see, change or refuse what a device does.
///
/// A program asks here before it acts; scripts add functions with `require"device".on(name, function)`. Functions are
/// asked in the order in which they were added, each with what the one before made of it, until one refuses. A script
/// that fails, or that does not answer in ``patience``, is passed over and counted: no script holds the device up.
public final class ScriptHooks: Sendable {
    /// A place.
    public enum Name: String, CaseIterable, Sendable {
        /// An LED is about to be switched: `{id, name, on, source}`; `on` can be changed.
        case led
        /// The device is about to be described to pages: the description; all of it can be changed.
        case announce
        /// The client has moved to another node: `{from, to, cause, gap}`. Seen only.
        case move
        /// A LoRa frame was received; what is in it is the gateway's to say.
        case uplink
        /// A LoRa frame is about to be sent.
        case downlink
    }

    /// What a function of a script answered.
    package enum Answer: Sendable {
        case decision(HookDecision)
        /// It raised an error, or its app is gone.
        case failed
    }

    /// Asks a script's function. Has to return; late answers are not waited for.
    package typealias Asking = @Sendable (JSONValue, @escaping @Sendable (Answer) -> Void) -> Void

    /// How the hooks are used.
    public struct Counters: Hashable, Sendable {
        /// Questions that at least one script was asked.
        public var asked: UInt64 = 0
        /// Questions whose answer changed something.
        public var changed: UInt64 = 0
        /// Questions that a script refused.
        public var refused: UInt64 = 0
        /// Answers that did not come in time.
        public var late: UInt64 = 0
        /// Functions that failed.
        public var failed: UInt64 = 0
    }

    private struct State {
        var functions: [Name: [(id: UInt64, ask: Asking)]] = [:]
        var nextID: UInt64 = 1
        var counters = Counters()
    }

    /// How long a function may take.
    public let patience: Duration
    /// Functions for one place.
    public static let limit = 32
    private let state = Locked(State())

    /// Hooks without functions.
    public init(patience: Duration = .milliseconds(250)) { self.patience = patience }

    /// How the hooks are used.
    public var counters: Counters { state.withLock { $0.counters } }

    /// Whether any script wants to be asked.
    public func isUsed(_ name: Name) -> Bool { state.withLock { !($0.functions[name] ?? []).isEmpty } }

    /// Adds a function. Throws `.limitExceeded`.
    package func add(_ name: Name, _ ask: @escaping Asking) throws(DeviceError) -> UInt64 {
        try state.withLock { (state: inout State) throws(DeviceError) in
            guard (state.functions[name]?.count ?? 0) < Self.limit else {
                throw DeviceError(.limitExceeded, "\(Self.limit) functions are asked at \"\(name.rawValue)\" already")
            }
            let id = state.nextID
            state.nextID += 1
            state.functions[name, default: []].append((id, ask))
            return id
        }
    }

    /// Takes a function away.
    package func remove(_ id: UInt64) {
        state.withLock { state in
            for name in state.functions.keys { state.functions[name]?.removeAll { $0.id == id } }
        }
    }

    /// Asks all functions of a place.
    public func decide(_ name: Name, _ value: JSONValue) async -> HookDecision {
        let functions = state.withLock { state in
            let functions = state.functions[name] ?? []
            if !functions.isEmpty { state.counters.asked += 1 }
            return functions.map(\.ask)
        }
        var current = value
        for ask in functions {
            switch await answer(ask, current) {
            case .decision(.pass)?: break
            case .decision(.change(let changed))?: current = changed
            case .decision(.refuse(let reason))?:
                state.withLock { $0.counters.refused += 1 }
                return .refuse(reason)
            case .failed?: state.withLock { $0.counters.failed += 1 }
            case nil: state.withLock { $0.counters.late += 1 }
            }
        }
        guard current != value else { return .pass }
        state.withLock { $0.counters.changed += 1 }
        return .change(current)
    }

    /// Tells scripts of something that has happened; nobody waits for what they answer.
    public func tell(_ name: Name, _ value: JSONValue) {
        let functions = state.withLock { state in
            let functions = state.functions[name] ?? []
            if !functions.isEmpty { state.counters.asked += 1 }
            return functions.map(\.ask)
        }
        for ask in functions { ask(value) { _ in } }
    }

    /// Nil when the answer did not come in time.
    private func answer(_ ask: Asking, _ value: JSONValue) async -> Answer? {
        let first = OneShot<Answer?>()
        let alarm = Task { [patience] in
            guard (try? await Task.sleep(for: patience)) != nil else { return }
            first.decide(nil)
        }
        defer { alarm.cancel() }
        ask(value) { first.decide($0) }
        return await first.value()
    }
}
