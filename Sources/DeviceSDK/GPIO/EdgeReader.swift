import CDeviceShim
import DeviceCore
import Glibc

/// The thread that waits for the edges of one request, so that no thread of Swift's pool ever blocks.
final class EdgeReader: Sendable {
    /// What the thread works on. It alone uses it, from its start to its end.
    private final class Work {
        let handle: RequestHandle
        let wake: Int32
        let output: AsyncStream<EdgeEvent>.Continuation
        let lost: LostCounter
        /// One for each line; empty when the kernel debounces.
        var debouncers: [QuietPeriodDebouncer]
        var batch = [cdev_event](repeating: cdev_event(), count: 64)

        init(
            handle: RequestHandle, wake: Int32, output: AsyncStream<EdgeEvent>.Continuation, lost: LostCounter,
            debouncers: [QuietPeriodDebouncer]
        ) {
            self.handle = handle
            self.wake = wake
            self.output = output
            self.lost = lost
            self.debouncers = debouncers
        }
    }

    private let thread: SystemThread
    private let wake: Int32

    /// Starts the thread. The handle must live until ``stop()`` has returned.
    init(
        handle: RequestHandle, debouncers: [QuietPeriodDebouncer], output: AsyncStream<EdgeEvent>.Continuation,
        lost: LostCounter
    ) throws(DeviceError) {
        wake = cdev_wake_new()
        guard wake >= 0 else { throw DeviceError(.io, "cannot make an eventfd: \(SystemError.text(errno))") }
        do throws(DeviceError) {
            thread = try SystemThread.start(for: "GPIO edges") { [wake] in
                Self.main(Work(handle: handle, wake: wake, output: output, lost: lost, debouncers: debouncers))
            }
        } catch {
            Glibc.close(wake)
            throw error
        }
    }

    /// Ends the thread and waits for it. To be called once.
    func stop() {
        cdev_wake_signal(wake)
        thread.join()
        Glibc.close(wake)
    }

    private static func main(_ work: Work) {
        cdev_thread_name("gpio-edges")
        while true {
            let ready = cdev_request_wait(work.handle.pointer, work.wake, timeout(work))
            if ready == 2 { return }
            if ready < 0, errno != EINTR {
                // The chip is gone. The stream's end tells the reader.
                return work.output.finish()
            }
            if ready == 1, !drain(work) { return work.output.finish() }
            settle(work)
        }
    }

    /// Reads what is there; false when the chip is gone.
    private static func drain(_ work: Work) -> Bool {
        while true {
            let count = cdev_request_read(work.handle.pointer, &work.batch, work.batch.count)
            guard count >= 0 else { return errno == EINTR || errno == EAGAIN }
            for event in work.batch.prefix(Int(count)) {
                if event.lost > 0 { work.lost.add(UInt64(event.lost)) }
                let time = MonotonicTime(nanoseconds: Int64(clamping: event.timestamp_ns))
                let index = Int(event.line)
                if work.debouncers.indices.contains(index) {
                    // An edge later than the end of a quiet period does not hide what that period settled.
                    settle(work, index, at: time)
                    work.debouncers[index].edge(to: event.active != 0, at: time)  // safe: checked above
                } else {
                    report(work, EdgeEvent(index: index, isActive: event.active != 0, time: time))
                }
            }
            if count < work.batch.count { return true }
        }
    }

    /// Reports the levels that have been quiet long enough by now.
    private static func settle(_ work: Work) {
        guard !work.debouncers.isEmpty else { return }
        let now = MonotonicTime.ofKernel
        for index in work.debouncers.indices { settle(work, index, at: now) }
    }

    private static func settle(_ work: Work, _ index: Int, at time: MonotonicTime) {
        guard let change = work.debouncers[index].fire(at: time) else { return }  // safe: callers pass own indices
        report(work, EdgeEvent(index: index, isActive: change.level, time: change.time))
    }

    private static func report(_ work: Work, _ event: EdgeEvent) {
        if case .dropped = work.output.yield(event) { work.lost.add(1) }
    }

    /// Milliseconds until the first quiet period ends, rounded up; -1 when none runs.
    private static func timeout(_ work: Work) -> Int32 {
        guard let deadline = work.debouncers.compactMap(\.deadline).min() else { return -1 }
        let left = (deadline - MonotonicTime.ofKernel).wholeNanoseconds
        return left <= 0 ? 0 : Int32(clamping: (left + 999_999) / 1_000_000)
    }
}
