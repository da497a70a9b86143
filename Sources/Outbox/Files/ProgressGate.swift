import DeviceCore

/// Where tasks wait until a store has come so far.
final class ProgressGate: Sendable {
    /// What a task waits for.
    enum Goal: Sendable {
        /// Everything up to a number is in files: it survives the process.
        case stored(UInt64)
        /// Everything up to a number is on the disk: it survives the machine.
        case durable(UInt64)
        /// There is room in memory for one more.
        case room
        /// The store has been closed.
        case closed
    }

    /// How far a store has come.
    struct Progress: Sendable {
        var stored: UInt64 = 0
        var durable: UInt64 = 0
        var hasRoom = true
        var isClosed = false

        func reaches(_ goal: Goal) -> Bool {
            switch goal {
            case .stored(let number): stored >= number
            case .durable(let number): durable >= number
            case .room: hasRoom
            case .closed: isClosed
            }
        }
    }

    private typealias Continuation = CheckedContinuation<Void, any Error>
    private struct State {
        var progress = Progress()
        var waiting: [UInt64: (goal: Goal, continuation: Continuation)] = [:]
        var next: UInt64 = 0
    }

    private let state = Locked(State())
    private let limit: Int

    /// `limit` tasks may wait; more are refused.
    init(limit: Int) { self.limit = limit }

    /// Returns when the goal is reached. Throws the failure that came meanwhile, `.closed`, `.limitExceeded` when too
    /// many wait, or `CancellationError`. `begin` is called once it cannot miss its goal any more.
    func wait(for goal: Goal, begin: () -> Void) async throws {
        let number = state.withLock { state -> UInt64 in
            state.next &+= 1
            return state.next
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: Continuation) in
                let result = state.withLock { state -> Result<Void, any Error>? in
                    // Room may be gone since it was last reported; `begin` brings a new report.
                    if case .room = goal {} else if state.progress.reaches(goal) { return .success(()) }
                    if state.progress.isClosed { return .failure(Self.closed) }
                    if Task.isCancelled { return .failure(CancellationError()) }
                    guard state.waiting.count < limit else { return .failure(Self.crowded(limit)) }
                    state.waiting[number] = (goal, continuation)
                    return nil
                }
                if let result { continuation.resume(with: result) } else { begin() }
            }
        } onCancel: {
            let waiting = state.withLock { $0.waiting.removeValue(forKey: number) }
            waiting?.continuation.resume(throwing: CancellationError())
        }
    }

    /// Reports how far the store has come, and a failure to those who still wait.
    func advance(to progress: Progress, failure: DeviceError? = nil) {
        let ended = state.withLock { state -> [(Result<Void, any Error>, Continuation)] in
            state.progress = progress
            var ended: [(Result<Void, any Error>, Continuation)] = []
            guard !state.waiting.isEmpty else { return ended }
            for (number, waiter) in state.waiting {
                let result: Result<Void, any Error>
                if progress.reaches(waiter.goal) {
                    result = .success(())
                } else if case .closed = waiter.goal {
                    continue
                } else if let failure {
                    result = .failure(failure)
                } else if progress.isClosed {
                    result = .failure(Self.closed)
                } else {
                    continue
                }
                state.waiting[number] = nil
                ended.append((result, waiter.continuation))
            }
            return ended
        }
        for (result, continuation) in ended { continuation.resume(with: result) }
    }

    /// Ends all waiting.
    func close() {
        var progress = state.withLock { $0.progress }
        progress.isClosed = true
        advance(to: progress)
    }

    static let closed = DeviceError(.closed, "the store has been closed")
    private static func crowded(_ limit: Int) -> DeviceError {
        DeviceError(.limitExceeded, "\(limit) tasks already wait for the disk", hint: "Wait for several at once")
    }
}
