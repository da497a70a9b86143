import DeviceCore

/// A sync of a log's active segment that another thread waits for, so that the log's own one writes and reads on:
/// a flash card may take a second for it.
///
/// @unchecked Sendable: the files are open as long as this lives, and syncing them is all that the other thread does.
final class SyncFlight: @unchecked Sendable {
    /// Of the active segment, when this began: what is on the disk once it has succeeded.
    let bytes: Int64
    let last: UInt64
    /// Whether the directory's names are synced too.
    var coversDirectory: Bool { directory != nil }
    let began = MonotonicTime.monotonicNow

    private let file: StoreFile
    private let directory: StateDirectory?
    private let result = Locked<Result<Void, DeviceError>?>(nil)
    private let signal = WorkerThread.Signal()

    init(_ file: StoreFile, bytes: Int64, last: UInt64, directory: StateDirectory?) {
        self.file = file
        self.bytes = bytes
        self.last = last
        self.directory = directory
    }

    var isOver: Bool { result.withLock { $0 != nil } }

    /// Waits for the disk.
    func run() {
        let outcome: Result<Void, DeviceError>
        do throws(DeviceError) {
            try file.sync()
            try directory?.sync()
            outcome = .success(())
        } catch {
            outcome = .failure(error)
        }
        result.withLock { $0 = outcome }
        signal.raise(stop: false)
    }

    /// Waits until it is over. Throws what the disk said.
    func finish() throws(DeviceError) {
        while true {
            if let outcome = result.withLock({ $0 }) { return try outcome.get() }
            _ = signal.wait(until: nil)
        }
    }
}

/// The thread that waits for a log's syncs. It starts with the first of them.
final class SyncThread: Sendable {
    private struct State {
        var next: SyncFlight?
        var worker: WorkerThread?
    }

    private let state = Locked(State())
    private let log: WorkerThread

    /// - Parameter log: woken at each sync's end.
    init(log: WorkerThread) { self.log = log }

    /// Lets the thread run a sync; the one before must be over. False when the system has no thread to give.
    func start(_ flight: SyncFlight) -> Bool {
        let worker = state.withLock { state -> WorkerThread? in
            if state.worker == nil { state.worker = try? WorkerThread.start("outbox-sync") { [self] in run() } }
            if state.worker != nil { state.next = flight }
            return state.worker
        }
        worker?.wake()
        return worker != nil
    }

    func stop() { state.withLock { $0.worker }?.stop() }

    private func run() {
        let next = state.withLock { state in
            defer { state.next = nil }
            return state.next
        }
        guard let next else { return }
        next.run()
        log.wake()
    }
}
