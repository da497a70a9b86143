import CDeviceShim
import DeviceCore
import Glibc

/// The state of an LED, shared by its owner and its background effect.
///
/// The effect holds this object and not the ``LED``, so that an LED that nobody holds any more ends its effect.
///
/// @unchecked Sendable because `state` is only reached through `withState`, which holds the lock.
final class LEDDriver: @unchecked Sendable {
    private struct State {
        var brightness: Double
        var effect: Task<Void, Never>?
        /// Counts commands; an effect that belongs to an earlier one may not touch the line.
        var command: UInt64 = 0
        var isClosed = false
        var failure: DeviceError?

        mutating func begin() {
            command &+= 1
            if effect != nil { endEffect() }
        }

        /// Apart from ``begin()``, which every switching runs.
        @inline(never)
        private mutating func endEffect() {
            effect?.cancel()
            effect = nil
        }
    }

    let request: any OutputRequest
    /// Of a kernel chip: the way without the request's own lock, since this object's is held whenever it is used.
    private let handle: RequestHandle?
    private let clock: DeviceClock
    /// Not `Locked`, whose generic call the compiler does not specialize in another module: switching would take
    /// twice as long on top of the system call.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    /// Outside the object, so that switching pays for no check of exclusive access: the lock sees to that.
    private let state: UnsafeMutablePointer<State>

    init(request: any OutputRequest, isLit: Bool, clock: DeviceClock) {
        self.request = request
        handle = (request as? LibgpiodOutput)?.handleForOwner
        self.clock = clock
        mutex = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        pthread_mutex_init(mutex, nil)
        state = .allocate(capacity: 1)
        state.initialize(to: State(brightness: isLit ? 1 : 0))
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
        state.deinitialize(count: 1)
        state.deallocate()
    }

    var brightness: Double { withState { $0.brightness } }
    var failure: DeviceError? { withState { $0.failure } }
    var hasEffect: Bool { withState { $0.effect != nil } }

    private func withState<Result, Failure: Error>(
        _ body: (inout State) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&state.pointee)
    }

    @inline(__always)
    func set(_ lit: Bool) throws(DeviceError) {
        try withState { (state: inout State) throws(DeviceError) in
            state.begin()
            try write(lit, state)
            state.brightness = lit ? 1 : 0
        }
    }

    func toggle() throws(DeviceError) -> Bool {
        try withState { (state: inout State) throws(DeviceError) in
            state.begin()
            let lit = state.brightness == 0
            try write(lit, state)
            state.brightness = lit ? 1 : 0
            return lit
        }
    }

    /// Sets the line; the lock is held.
    @inline(__always)
    private func write(_ lit: Bool, _ state: borrowing State) throws(DeviceError) {
        guard let handle else { return try request.set(lit ? 1 : 0, mask: 1) }
        guard !state.isClosed, cdev_request_set(handle.pointer, lit ? 1 : 0, 1) == 0 else {
            throw refused(errno, isClosed: state.isClosed)
        }
    }

    @inline(never)
    private func refused(_ error: Int32, isClosed: Bool) -> DeviceError {
        isClosed ? GPIOError.closed(request.lines) : RequestHandle.failure("set", request.lines, error)
    }

    /// Ends the effect that runs and starts another; its first step is done when this returns.
    func start(_ effect: LEDEffect) throws(DeviceError) {
        try withState { (state: inout State) throws(DeviceError) in
            state.begin()
            state.failure = nil
            try write(true, state)
            state.brightness = effect.firstBrightness
            let command = state.command
            let start = clock.now
            state.effect = Task { [self, clock] in
                await effect.run(from: start, clock: clock) { lit, brightness in
                    self.step(command, lit, brightness)
                }
                self.finished(command)
            }
        }
    }

    /// A step of an effect; false when the effect is to end.
    private func step(_ command: UInt64, _ lit: Bool, _ brightness: Double) -> Bool {
        withState { state in
            guard state.command == command, !state.isClosed else { return false }
            do throws(DeviceError) {
                try write(lit, state)
                state.brightness = brightness
                return true
            } catch {
                state.failure = error
                return false
            }
        }
    }

    private func finished(_ command: UInt64) {
        withState { if $0.command == command { $0.effect = nil } }
    }

    func close(_ policy: ReleasePolicy?) {
        withState { state in
            guard !state.isClosed else { return }
            state.begin()
            state.isClosed = true
            state.brightness = 0
            request.close(policy)
        }
    }
}
