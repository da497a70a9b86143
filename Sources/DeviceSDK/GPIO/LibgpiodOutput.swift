import CDeviceShim
import DeviceCore
import Glibc

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
    private let makeInputs: @Sendable ([GPIOLine]) -> Void
    private let state: Locked<State>

    /// `before` is empty unless it may be asked for; `makeInputs` turns free lines into inputs.
    init(
        lines: [GPIOLine], handle: RequestHandle, settings: OutputSettings, before: [Before],
        makeInputs: @escaping @Sendable ([GPIOLine]) -> Void
    ) {
        self.lines = lines
        self.settings = settings
        self.before = before
        self.makeInputs = makeInputs
        state = Locked(State(handle: handle, values: settings.values))
    }

    deinit { close(nil) }

    var values: UInt64 { state.withLock { $0.values } }

    /// The request itself, for an owner that alone uses this object and has a lock of its own: it may write to the
    /// handle until it calls ``close(_:)``. ``values`` does not follow.
    var handleForOwner: RequestHandle? { state.withLock { $0.handle } }

    func levels() throws(DeviceError) -> UInt64 {
        try state.withLock { (state: inout State) throws(DeviceError) in
            guard let handle = state.handle else { throw GPIOError.closed(lines) }
            return try handle.get(lines)
        }
    }

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
            var policy = policy ?? settings.release
            // What was before is only known where it was asked for at the start.
            if policy == .initial, before.count != lines.count { policy = .input }
            // Nobody is left to tell when one of these fails.
            switch policy {
            case .leave: break
            case .off: cdev_request_set(handle.pointer, 0, .max)
            case .input: cdev_request_to_input(handle.pointer)
            case .initial: return restore(handle)
            }
            handle.release()
        }
    }

    /// Gives every line the direction and level that it had, and releases the request.
    private func restore(_ handle: RequestHandle) {
        var levels: UInt64 = 0
        for (index, line) in before.enumerated() where line.isHigh { levels |= 1 << UInt64(index) }
        let inputs = zip(lines, before).filter { !$0.1.isOutput }.map(\.0)
        if inputs.count == lines.count {
            cdev_request_to_input(handle.pointer)
        } else {
            cdev_request_set(handle.pointer, levels ^ settings.activeLow, .max)
        }
        handle.release()
        // A request has one direction for all its lines: those that were inputs among outputs are made inputs alone.
        if inputs.count < lines.count, !inputs.isEmpty { makeInputs(inputs) }
    }
}
