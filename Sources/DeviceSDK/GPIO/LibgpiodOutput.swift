import CDeviceShim
import DeviceCore
import Glibc
import Synchronization

/// Outputs of a kernel chip. A write is one lock without contention and one system call.
final class LibgpiodOutput: OutputRequest {
    /// What a line was before.
    struct Before {
        let isOutput: Bool
        let isHigh: Bool
    }

    private struct State {
        /// nil when closed.
        var handle: RequestHandle?
        var values: UInt64
    }

    let lines: [GPIOLine]
    private let settings: OutputSettings
    private let before: [Before]
    private let state: Mutex<State>

    init(lines: [GPIOLine], handle: RequestHandle, settings: OutputSettings, before: [Before]) {
        self.lines = lines
        self.settings = settings
        self.before = before
        state = Mutex(State(handle: handle, values: settings.values))
    }

    deinit { close(nil) }

    var values: UInt64 { state.withLock { $0.values } }

    func set(_ values: UInt64, mask: UInt64) throws(DeviceError) {
        // An error is made outside the lock, so that the way without one stays short.
        let error: Int32 = state.withLock { state in
            guard let handle = state.handle else { return -1 }
            guard cdev_request_set(handle.pointer, values, mask) == 0 else { return errno }
            state.values = (state.values & ~mask) | (values & mask)
            return 0
        }
        if error < 0 { throw GPIOError.closed(lines) }
        if error > 0 { throw RequestHandle.failure("set", lines, error) }
    }

    func close(_ policy: ReleasePolicy?) {
        state.withLock { state in
            guard let handle = state.handle else { return }
            state.handle = nil
            // Nobody is left to tell when one of these fails.
            switch policy ?? settings.release {
            case .leave: break
            case .off: cdev_request_set(handle.pointer, 0, .max)
            case .input: cdev_request_to_input(handle.pointer)
            case .initial: restore(handle)
            }
            handle.release()
        }
    }

    /// Outputs get their level back; where all lines were inputs they become inputs again.
    private func restore(_ handle: RequestHandle) {
        guard before.count == lines.count else { return }
        if before.allSatisfy({ !$0.isOutput }) {
            cdev_request_to_input(handle.pointer)
            return
        }
        var levels: UInt64 = 0
        for (index, line) in before.enumerated() where line.isHigh { levels |= 1 << UInt64(index) }
        cdev_request_set(handle.pointer, levels ^ settings.activeLow, .max)
    }
}
