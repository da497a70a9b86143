import CNetShim
import DeviceCore
import DeviceProtocols
import Glibc

/// What callers and the thread of a ``NameResolver`` share.
final class ResolverCore: Sendable {
    typealias Outcome = Result<ResolverAnswer, DeviceError>

    /// What the thread is to do.
    enum Work {
        case readHosts(flight: UInt64, name: String)
        case ask(question: UInt64, name: String, type: DNSRecordType, search: Bool)
    }

    enum ThreadState {
        case notStarted
        case running
        case ended
    }

    struct State {
        var machine: ResolverStateMachine
        var callers: [UInt64: CheckedContinuation<Outcome, Never>] = [:]
        /// Bounded by the machine's limits on flights and questions.
        var work: [Work] = []
        var thread = ThreadState.notStarted
        /// Signalled under the lock, so that it is open whenever it is signalled; -1 while there is no thread.
        var wake: Int32 = -1
        var isEnding = false
        var lastCaller: UInt64 = 0
        var endWaiters: [CheckedContinuation<Void, Never>] = []
    }

    let state: Locked<State>
    let configuration: ResolverConfiguration

    init(_ configuration: ResolverConfiguration) {
        self.configuration = configuration
        state = Locked(State(machine: ResolverStateMachine(limits: configuration.limits)))
    }

    /// The system's clock that does not go back.
    var now: MonotonicTime {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return MonotonicTime(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    /// Calls the machine, and carries its actions out: work goes to the thread, callers are resumed outside of the lock.
    func perform(_ event: (inout State, MonotonicTime) -> [ResolverAction]) {
        let now = self.now
        let finished = state.withLock { state -> [(CheckedContinuation<Outcome, Never>, Outcome)] in
            var finished: [(CheckedContinuation<Outcome, Never>, Outcome)] = []
            let queued = state.work.count
            for action in event(&state, now) {
                switch action {
                case .readHosts(let flight, let name): state.work.append(.readHosts(flight: flight, name: name))
                case .ask(let question, let name, let type, let search):
                    state.work.append(.ask(question: question, name: name, type: type, search: search))
                case .finish(let waiter, let outcome):
                    if let caller = state.callers.removeValue(forKey: waiter) { finished.append((caller, outcome)) }
                }
            }
            if state.work.count > queued, state.thread == .running { cnet_wake_signal(state.wake) }
            return finished
        }
        for (caller, outcome) in finished { caller.resume(returning: outcome) }
    }

    func resolve(_ key: ResolverKey, refresh: Bool) async -> Outcome {
        let id = state.withLock { state in
            state.lastCaller += 1
            return state.lastCaller
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                perform { state, now in
                    state.callers[id] = continuation
                    if Task.isCancelled {
                        let error = DeviceError(.closed, "the lookup of \(key.name) was cancelled")
                        return [.finish(waiter: id, .failure(error))]
                    }
                    if let error = startThread(&state) { return [.finish(waiter: id, .failure(error))] }
                    return state.machine.resolve(waiter: id, key: key, refresh: refresh, at: now)
                }
            }
        } onCancel: {
            perform { state, _ in state.machine.cancel(waiter: id) }
        }
    }

    /// Starts the thread if there is none.
    private func startThread(_ state: inout State) -> DeviceError? {
        guard state.thread == .notStarted, !state.isEnding else { return nil }
        let wake = cnet_wake_new()
        guard wake >= 0 else { return DeviceError(.io, "cannot make an eventfd: \(SystemError.text(errno))") }
        do throws(DeviceError) {
            try SystemThread.detach(for: "names") { ResolverThread(self, wake: wake).run() }
        } catch {
            close(wake)
            return error
        }
        state.wake = wake
        state.thread = .running
        return nil
    }

    /// Ends all lookups and asks the thread to end.
    func shutDown() {
        perform { state, _ in
            state.isEnding = true
            state.work = []
            if state.thread == .running { cnet_wake_signal(state.wake) }
            return state.machine.shutDown()
        }
    }

    /// Returns when there is no thread (any more).
    func waitForEnd() async {
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                if state.thread != .running { return true }
                state.endWaiters.append(continuation)
                return false
            }
            if isOver { continuation.resume() }
        }
    }

    /// The thread's last act.
    func threadEnded() {
        let waiters = state.withLock { state in
            close(state.wake)
            state.wake = -1
            state.thread = .ended
            defer { state.endWaiters = [] }
            return state.endWaiters
        }
        for waiter in waiters { waiter.resume() }
    }
}
