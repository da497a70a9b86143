import CLuaShim
import DeviceCore
import Glibc

/// A few threads for calls that block a little: file and bus access. They start when there is work.
final class LuaWorkers: Sendable {
    private struct State {
        var work: [@Sendable () -> Void] = []
        var threads = 0
        var idle = 0
    }

    private let state = Locked(State())
    private let maximumThreads: Int
    private let maximumWork: Int

    init(threads: Int = 4, work: Int = 256) {
        maximumThreads = threads
        maximumWork = work
    }

    /// Runs it soon. Throws when too much waits already.
    func run(_ work: @escaping @Sendable () -> Void) throws {
        let starts = try state.withLock { state throws(LuaError) -> Bool in
            guard state.work.count < maximumWork else { throw LuaError("too many calls wait for a thread") }
            state.work.append(work)
            guard state.threads < maximumThreads else { return false }
            state.threads += 1
            return true
        }
        if starts { LuaThread.start("lua-worker") { self.loop() } }
    }

    /// A thread ends when there is no work: starting one costs less than keeping it.
    private func loop() {
        while true {
            let next = state.withLock { state -> (@Sendable () -> Void)? in
                if state.work.isEmpty {
                    state.threads -= 1
                    return nil
                }
                return state.work.removeFirst()
            }
            guard let next else { return }
            next()
        }
    }
}

/// Starts threads.
enum LuaThread {
    /// Starts a detached thread; false when there cannot be one.
    @discardableResult
    static func start(_ name: String, stack: Int = 1 << 20, _ body: @escaping @Sendable () -> Void) -> Bool {
        SystemThread.tryDetach(stack: stack) {
            clua_thread_prepare(name)
            body()
        }
    }
}
