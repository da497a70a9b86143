import CDeviceShim
import DeviceCore
import Glibc

/// The thread that waits for a serial port's bytes, so that no thread of Swift's pool ever blocks.
final class SerialReader: Sendable {
    /// What the thread works on. It alone uses it, from its start to its end.
    private final class Work {
        let file: Int32
        let wake: Int32
        let settings: SerialSettings
        let events: SerialInbox
        var decoder: SerialDecoder
        var overruns: Int64

        init(file: Int32, wake: Int32, settings: SerialSettings, events: SerialInbox) {
            self.file = file
            self.wake = wake
            self.settings = settings
            self.events = events
            decoder = SerialDecoder(settings)
            overruns = cdev_serial_overruns(file)
        }
    }

    /// Gathered bytes that are handed out without waiting for quiet, as an ESP32's UART does at 120 bytes.
    private static let threshold = 120

    private let thread: SystemThread
    private let wake: Int32

    /// Starts the thread. The file must stay open until ``stop()`` has returned.
    init(file: Int32, settings: SerialSettings, events: SerialInbox) throws(DeviceError) {
        wake = cdev_wake_new()
        guard wake >= 0 else { throw DeviceError(.io, "cannot make an eventfd: \(SystemError.text(errno))") }
        do throws(DeviceError) {
            thread = try SystemThread.start(for: "a serial port") { [wake] in
                Self.main(Work(file: file, wake: wake, settings: settings, events: events))
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
        cdev_thread_name("serial")
        var buffer = [UInt8](repeating: 0, count: 1024)
        // Milliseconds of quiet after which gathered bytes are handed out; at least the kernel's own grain.
        let quiet = Int32(clamping: max(1, work.settings.quiet.wholeNanoseconds / 1_000_000))
        while true {
            var pollers = [
                pollfd(fd: work.wake, events: Int16(POLLIN), revents: 0),
                pollfd(fd: work.file, events: Int16(POLLIN), revents: 0),
            ]
            let ready = poll(&pollers, 2, gathers(work) ? quiet : -1)
            if ready < 0, errno == EINTR { continue }
            guard ready >= 0, pollers[0].revents == 0 else { return }  // safe: two elements
            if ready == 0 {
                work.events.add(work.decoder.flush())
                continue
            }
            let count = read(work.file, &buffer, buffer.count)
            if count < 0, [EINTR, EAGAIN].contains(errno) { continue }
            guard count > 0 else {
                // The adapter was pulled, or the other end of a pseudo terminal is gone.
                work.events.add(work.decoder.flush() + [.error(.io)])
                return work.events.finish()
            }
            var events = work.decoder.take(buffer[..<count], at: MonotonicTime.ofKernel)  // safe: read gives no more
            let overruns = cdev_serial_overruns(work.file)
            if overruns > work.overruns { events.append(.error(.overflow)) }
            work.overruns = overruns
            // What a pattern may still end is kept until it does, or until the line is quiet.
            if !gathers(work) || (work.settings.pattern == nil && work.decoder.count >= Self.threshold) {
                events += work.decoder.flush()
            }
            work.events.add(events)
        }
    }

    private static func gathers(_ work: Work) -> Bool {
        work.decoder.count > 0 && (work.settings.quiet > .zero || work.settings.pattern != nil)
    }
}
