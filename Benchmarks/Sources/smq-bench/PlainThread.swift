import Glibc

/// A thread with one job, which may fail. POSIX threads, because the publisher blocks in its socket.
final class PlainThread {
    private final class Job {
        let work: () throws -> Void
        var error: (any Error)?
        init(_ work: @escaping () throws -> Void) { self.work = work }
    }

    private let job: Job
    private var thread = pthread_t()

    /// Starts at once. The job's values must not be used elsewhere until ``join()``.
    init(_ work: @escaping () throws -> Void) throws {
        job = Job(work)
        let result = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                let job = Unmanaged<Job>.fromOpaque(context).takeRetainedValue()
                do { try job.work() } catch { job.error = error }
                return nil
            }, Unmanaged.passRetained(job).toOpaque())
        guard result == 0 else { throw BenchError("a thread cannot be made: \(result)") }
    }

    /// Waits for its end and throws what it threw.
    func join() throws {
        pthread_join(thread, nil)
        if let error = job.error { throw error }
    }
}
