import CLuaShim
public import DeviceCore

/// An app: scripts that share one Lua state, and the thread that runs them. Other threads may use this.
public final class LuaApp: Sendable {
    /// How it was configured.
    public let configuration: LuaAppConfiguration
    let mailbox: LuaMailbox
    let workers: LuaWorkers
    let files: LuaAppFiles

    private struct Shared {
        var statistics = LuaAppStatistics()
        var running: OpaquePointer?
        var runningSince: MonotonicTime?
        var lastHandle: Int64 = 0
        var isEnded = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }
    // safe: the pointer to the state is only used for clua_interrupt, and is nil before the state goes
    private let shared = Locked(Shared())

    init(_ configuration: LuaAppConfiguration, workers: LuaWorkers) throws(DeviceError) {
        self.configuration = configuration
        self.workers = workers
        files = LuaAppFiles(configuration.source)
        mailbox = try LuaMailbox(limit: configuration.limits.queuedEvents)
    }

    /// Its name.
    public var name: String { configuration.name }

    /// Its figures, as of its last activity.
    public var statistics: LuaAppStatistics {
        shared.withLock { shared in
            var figures = shared.statistics
            figures.runningSince = shared.runningSince
            return figures
        }
    }

    func begin(_ thread: @escaping @Sendable (LuaApp) -> LuaAppThread) throws(DeviceError) {
        // Lua's own limit of nested C calls, 200, needs much less.
        let started = LuaThread.start("lua-\(name)", stack: 4 << 20) {
            thread(self).run()
            let waiting = self.shared.withLock { shared in
                shared.isEnded = true
                defer { shared.waiting = [] }
                return shared.waiting
            }
            for waiter in waiting { waiter.resume() }
        }
        guard started else { throw DeviceError(.limitExceeded, "cannot start a thread for the app \(name)") }
    }

    // MARK: Commands

    /// Runs something on the app's thread, with its state. Dropped, and counted, when too much waits: false then.
    /// Nothing happens while the app does not run.
    @discardableResult
    public func post(_ event: @escaping @Sendable (LuaContext) -> Void) -> Bool { mailbox.post(event) }

    /// Tells the app's scripts of an event: those that listen by `xedge.event`, and later ones.
    public func emit(_ event: String, _ arguments: [LuaValue]) { post { $0.emit(event, arguments) } }

    /// Lets the thread look at its timers again, after a manual clock was moved.
    public func wake() { mailbox.wake() }

    /// Stops the scripts; they start again by ``restart()``.
    public func stop() {
        interrupt(true)
        mailbox.command { $0.stop() }
    }

    /// Starts the scripts anew, also out of safe mode.
    public func restart() {
        interrupt(true)
        mailbox.command { $0.restart() }
    }

    /// Files of the app changed: paths relative to its directory. A script that cannot be compiled changes nothing.
    public func filesChanged(_ paths: [String]) { mailbox.command { $0.filesChanged(paths) } }

    /// Runs a line in the app, as at a prompt: an expression's values, or a statement's.
    ///
    /// - Returns: the results as text; throws what the line raised, or `.unavailable` while the app does not run.
    public func evaluate(_ line: String) async throws(DeviceError) -> String {
        let result: Result<String, DeviceError> = await withCheckedContinuation { continuation in
            let accepted = mailbox.command { $0.evaluate(line) { continuation.resume(returning: $0) } }
            if !accepted { continuation.resume(returning: .failure(DeviceError(.closed, "the app has ended"))) }
        }
        return try result.get()
    }

    /// Returns when the app has done everything that was due when this was called.
    public func settle() async {
        await withCheckedContinuation { continuation in
            let accepted = mailbox.command { $0.settle { continuation.resume() } }
            if !accepted { continuation.resume() }
        }
    }

    /// Ends the app for good, `onunload` first.
    func end() async {
        interrupt(true)
        mailbox.command { $0.end() }
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let isEnded = shared.withLock { shared in
                if !shared.isEnded { shared.waiting.append(continuation) }
                return shared.isEnded
            }
            if isEnded { continuation.resume() }
        }
    }

    // MARK: Of the app's thread

    func nextHandle() -> Int64 {
        shared.withLock { shared in
            shared.lastHandle += 1
            return shared.lastHandle
        }
    }

    func noteRunning(_ isRunning: Bool) {
        let now = isRunning ? configuration.now() : nil
        shared.withLock { $0.runningSince = now }
    }

    func publish(_ statistics: LuaAppStatistics) {
        var statistics = statistics
        statistics.droppedEvents = mailbox.dropped
        let published = statistics
        shared.withLock { $0.statistics = published }
    }

    /// Which state a stop has to interrupt.
    func setRunning(_ host: OpaquePointer?) {
        let address = host.map { UInt(bitPattern: $0) }
        shared.withLock { $0.running = address.flatMap { OpaquePointer(bitPattern: $0) } }
    }

    private func interrupt(_ on: Bool) {
        shared.withLock { shared in
            if let host = shared.running { clua_interrupt(host, on ? 1 : 0) }
        }
    }
}
