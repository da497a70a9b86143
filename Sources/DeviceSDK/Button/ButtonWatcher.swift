import DeviceCore

/// Turns the edges of a button's line into presses, releases and holds, and hands them to every stream.
///
/// Its task holds this object and not the ``Button``, so that a button that nobody holds any more ends its task.
final class ButtonWatcher: Sendable {
    private struct Subscriber {
        let kind: ButtonEvent.Kind?
        let continuation: AsyncStream<ButtonEvent>.Continuation
    }

    private struct State {
        var isPressed: Bool
        var isHeld = false
        var isClosed = false
        var lost: UInt64 = 0
        /// Counts changes; a hold timer that belongs to an earlier press reports nothing.
        var change: UInt64 = 0
        var holdTimer: Task<Void, Never>?
        var subscribers: [UInt64: Subscriber] = [:]
        var nextSubscriber: UInt64 = 0

        mutating func publish(_ event: ButtonEvent) {
            for subscriber in subscribers.values where subscriber.kind == nil || subscriber.kind == event.kind {
                if case .dropped = subscriber.continuation.yield(event) { lost += 1 }
            }
        }
    }

    let request: any InputRequest
    private let holdTime: Duration
    private let bufferSize: Int
    private let clock: DeviceClock
    private let state: Locked<State>

    init(request: any InputRequest, isPressed: Bool, holdTime: Duration, bufferSize: Int, clock: DeviceClock) {
        self.request = request
        self.holdTime = holdTime
        self.bufferSize = bufferSize
        self.clock = clock
        state = Locked(State(isPressed: isPressed))
    }

    var isPressed: Bool { state.withLock { $0.isPressed } }
    var isHeld: Bool { state.withLock { $0.isHeld } }
    var lostEvents: UInt64 { state.withLock { $0.lost } + request.lostEdges }

    /// Follows the edges until the request is closed.
    func begin() {
        Task { [self] in
            for await edge in request.edges { handle(edge) }
            close()
        }
    }

    func subscribe(_ kind: ButtonEvent.Kind?) -> AsyncStream<ButtonEvent> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: ButtonEvent.self, bufferingPolicy: .bufferingNewest(bufferSize))
        let id: UInt64? = state.withLock { state in
            guard !state.isClosed else { return nil }
            state.nextSubscriber += 1
            state.subscribers[state.nextSubscriber] = Subscriber(kind: kind, continuation: continuation)
            return state.nextSubscriber
        }
        guard let id else {
            continuation.finish()
            return stream
        }
        continuation.onTermination = { [weak self] _ in
            self?.state.withLock { _ = $0.subscribers.removeValue(forKey: id) }
        }
        return stream
    }

    private func handle(_ edge: EdgeEvent) {
        state.withLock { state in
            // Two equal edges: the one between was lost, and counted by the request.
            guard !state.isClosed, edge.isActive != state.isPressed else { return }
            state.isPressed = edge.isActive
            state.isHeld = false
            state.change &+= 1
            state.holdTimer?.cancel()
            state.holdTimer = nil
            state.publish(ButtonEvent(kind: edge.isActive ? .pressed : .released, time: edge.time))
            guard edge.isActive else { return }
            let change = state.change
            let due = clock.now + holdTime
            state.holdTimer = Task { [self, clock] in
                guard (try? await clock.sleep(until: due)) != nil else { return }
                held(change, at: due)
            }
        }
    }

    private func held(_ change: UInt64, at time: MonotonicTime) {
        state.withLock { state in
            guard state.change == change, !state.isClosed else { return }
            state.isHeld = true
            state.holdTimer = nil
            state.publish(ButtonEvent(kind: .held, time: time))
        }
    }

    func close() {
        let subscribers: [Subscriber]? = state.withLock { state in
            guard !state.isClosed else { return nil }
            state.isClosed = true
            state.holdTimer?.cancel()
            state.holdTimer = nil
            defer { state.subscribers = [:] }
            return Array(state.subscribers.values)
        }
        guard let subscribers else { return }
        // Outside the lock: finishing runs onTermination, which takes it.
        for subscriber in subscribers { subscriber.continuation.finish() }
        request.close()
    }
}
