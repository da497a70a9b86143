import Glibc

/// A value behind a lock; used as `Synchronization.Mutex` is.
///
/// Its lock is pthread's, because ThreadSanitizer does not see that of `Mutex` and takes every value behind one for a
/// data race. Uncontended, the two cost about the same.
///
/// @unchecked Sendable because the value is only reached with the lock held.
package final class Locked<Value>: @unchecked Sendable {
    private let lock: UnsafeMutablePointer<pthread_mutex_t>
    /// Outside the object, so that the lock's holder pays for no second check of exclusive access.
    private let value: UnsafeMutablePointer<Value>

    /// Makes a lock around a value.
    package init(_ value: consuming sending Value) {
        lock = .allocate(capacity: 1)
        lock.initialize(to: pthread_mutex_t())
        pthread_mutex_init(lock, nil)
        self.value = .allocate(capacity: 1)
        self.value.initialize(to: value)
    }

    deinit {
        pthread_mutex_destroy(lock)
        lock.deallocate()
        value.deinitialize(count: 1)
        value.deallocate()
    }

    /// Runs `body` with the value while no other thread can. Not to be nested.
    package func withLock<Result, Failure: Error>(
        _ body: (inout sending Value) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        return try body(&value.pointee)
    }
}
