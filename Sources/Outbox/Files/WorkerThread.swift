import DeviceCore
import Glibc

/// A thread for blocking file calls, so that no thread of Swift's pool ever waits for a disk.
///
/// It makes a resource, which no other thread ever sees, and calls one function with it: whenever it was woken, and at
/// the time that the function asked for.
final class WorkerThread: Sendable {
    private let signal = Signal()

    /// Starts a thread and waits until it has made its resource.
    ///
    /// `step` returns when to be called again, or nil to wait for ``wake()``; its last call has `true`. `ended` is
    /// called when the resource is gone.
    static func start<Resource, Report: Sendable>(
        _ name: String,
        open: @escaping @Sendable () throws(DeviceError) -> (Resource, Report),
        step: @escaping @Sendable (Resource, Bool) -> MonotonicTime?,
        ended: @escaping @Sendable () -> Void
    ) async throws(DeviceError) -> (WorkerThread, Report) {
        let worker = WorkerThread()
        let signal = worker.signal
        let result: Result<Report, DeviceError> = await withCheckedContinuation { continuation in
            do throws(DeviceError) {
                try SystemThread.detach(for: name) {
                    do throws(DeviceError) {
                        let (resource, report) = try open()
                        continuation.resume(returning: .success(report))
                        var next: MonotonicTime?
                        while signal.wait(until: next) { next = step(resource, false) }
                        _ = step(resource, true)
                    } catch {
                        return continuation.resume(returning: .failure(error))
                    }
                    ended()
                }
            } catch {
                continuation.resume(returning: .failure(error))
            }
        }
        return (worker, try result.get())
    }

    /// Starts a thread that calls a function whenever it was woken, until it is stopped.
    static func start(_ name: String, step: @escaping @Sendable () -> Void) throws(DeviceError) -> WorkerThread {
        let worker = WorkerThread()
        let signal = worker.signal
        try SystemThread.detach(for: name) {
            while signal.wait(until: nil) { step() }
        }
        return worker
    }

    /// Lets the thread call its function soon. Never blocks for long.
    func wake() { signal.raise(stop: false) }
    /// Lets the thread call its function for the last time and end.
    func stop() { signal.raise(stop: true) }

    /// What wakes the thread. @unchecked Sendable because its fields are only used with the mutex held.
    final class Signal: @unchecked Sendable {
        private let mutex: UnsafeMutablePointer<pthread_mutex_t>
        private let condition: UnsafeMutablePointer<pthread_cond_t>
        private var isRaised = false
        private var isStopped = false

        init() {
            mutex = .allocate(capacity: 1)
            mutex.initialize(to: pthread_mutex_t())
            pthread_mutex_init(mutex, nil)
            condition = .allocate(capacity: 1)
            condition.initialize(to: pthread_cond_t())
            var attributes = pthread_condattr_t()
            pthread_condattr_init(&attributes)
            pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
            pthread_cond_init(condition, &attributes)
            pthread_condattr_destroy(&attributes)
        }

        deinit {
            pthread_cond_destroy(condition)
            condition.deallocate()
            pthread_mutex_destroy(mutex)
            mutex.deallocate()
        }

        func raise(stop: Bool) {
            pthread_mutex_lock(mutex)
            isRaised = true
            if stop { isStopped = true }
            pthread_cond_signal(condition)
            pthread_mutex_unlock(mutex)
        }

        /// Waits for a call of ``raise(stop:)`` or a time; false when the thread has to end.
        func wait(until time: MonotonicTime?) -> Bool {
            pthread_mutex_lock(mutex)
            defer { pthread_mutex_unlock(mutex) }
            while !isRaised, !isStopped {
                guard let time else {
                    pthread_cond_wait(condition, mutex)
                    continue
                }
                var end = timespec(
                    tv_sec: Int(time.nanoseconds / 1_000_000_000), tv_nsec: Int(time.nanoseconds % 1_000_000_000))
                if pthread_cond_timedwait(condition, mutex, &end) == ETIMEDOUT { break }
            }
            isRaised = false
            return !isStopped
        }
    }
}

extension MonotonicTime {
    /// Now on the clock of ``WorkerThread``.
    static var monotonicNow: MonotonicTime {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return MonotonicTime(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }
}
