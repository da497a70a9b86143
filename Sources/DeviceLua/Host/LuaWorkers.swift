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
    private final class Main {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    /// Starts a detached thread; false when there cannot be one.
    @discardableResult
    static func start(_ name: String, stack: Int = 1 << 20, _ body: @escaping @Sendable () -> Void) -> Bool {
        let main = Unmanaged.passRetained(
            Main {
                clua_thread_prepare(name); body()
            })
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        pthread_attr_setstacksize(&attributes, stack)
        var thread = pthread_t()
        let error = pthread_create(
            &thread, &attributes,
            { context in
                if let context { Unmanaged<Main>.fromOpaque(context).takeRetainedValue().body() }
                return nil
            }, main.toOpaque())
        if error != 0 { main.release() }
        return error == 0
    }
}
