import DeviceCore

/// Something did not happen within a generous time.
public struct Late: Error, CustomStringConvertible {
    /// What was waited for.
    public var description: String

    /// Says what was waited for, or what came instead.
    public init(description: String) { self.description = description }
}

/// Runs an operation that must end soon: a test fails instead of hanging, even if the operation cannot be cancelled.
///
/// The time is far above what any machine needs, because tests share theirs.
public func within<Value: Sendable>(
    _ limit: Duration = .seconds(90), _ what: String = "the operation",
    _ operation: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    let first = First<Value>()
    let work = Task {
        do {
            first.decide(.success(try await operation()))
        } catch {
            first.decide(.failure(error))
        }
    }
    let alarm = Task {
        try await Task.sleep(for: limit)
        first.decide(.failure(Late(description: "\(what) did not end within \(limit)")))
    }
    defer {
        work.cancel()
        alarm.cancel()
    }
    return try await withTaskCancellationHandler {
        try await withCheckedThrowingContinuation { first.wait($0) }
    } onCancel: {
        work.cancel()
    }
}

/// The first of several results, for one who waits.
private final class First<Value: Sendable>: Sendable {
    private enum State {
        case nothing
        case waiting(CheckedContinuation<Value, any Error>)
        case result(Result<Value, any Error>)
    }
    private let state = Locked(State.nothing)

    func decide(_ result: Result<Value, any Error>) {
        let waiting = state.withLock { state -> CheckedContinuation<Value, any Error>? in
            switch state {
            case .result: return nil
            case .nothing:
                state = .result(result)
                return nil
            case .waiting(let continuation):
                state = .result(result)
                return continuation
            }
        }
        waiting?.resume(with: result)
    }

    func wait(_ continuation: CheckedContinuation<Value, any Error>) {
        let result = state.withLock { state -> Result<Value, any Error>? in
            if case .result(let result) = state { return result }
            state = .waiting(continuation)
            return nil
        }
        if let result { continuation.resume(with: result) }
    }
}

/// Waits until a condition holds, for what has no event of its own.
public func eventually(
    _ what: String, within limit: Duration = .seconds(90), _ condition: @Sendable () async throws -> Bool
) async throws {
    let end = ContinuousClock.now + limit
    while !(try await condition()) {
        guard ContinuousClock.now < end else { throw Late(description: "\(what): not within \(limit)") }
        try await Task.sleep(for: .milliseconds(5))
    }
}
