import DeviceCore

/// The first of several values, for one who waits.
package final class OneShot<Value: Sendable>: Sendable {
    private enum State {
        case nothing
        case waiting(CheckedContinuation<Value, Never>)
        case decided(Value)
        case done
    }
    private let state = Locked(State.nothing)

    package init() {}

    /// Waits for the value; to be called once.
    package func value() async -> Value {
        await withCheckedContinuation { continuation in
            let value: Value? = state.withLock { state in
                if case .decided(let value) = state {
                    state = .done
                    return value
                }
                state = .waiting(continuation)
                return nil
            }
            if let value { continuation.resume(returning: value) }
        }
    }

    /// Gives the value; later ones count for nothing.
    package func decide(_ value: Value) {
        let waiting: CheckedContinuation<Value, Never>? = state.withLock { state in
            switch state {
            case .nothing:
                state = .decided(value)
                return nil
            case .waiting(let continuation):
                state = .done
                return continuation
            case .decided, .done: return nil
            }
        }
        waiting?.resume(returning: value)
    }
}
