import DeviceCore

/// The state of an LED, shared by its owner and its background effect.
///
/// The effect holds this object and not the ``LED``, so that an LED that nobody holds any more ends its effect.
final class LEDDriver: Sendable {
    private struct State {
        var brightness: Double
        var effect: Task<Void, Never>?
        /// Counts commands; an effect that belongs to an earlier one may not touch the line.
        var command: UInt64 = 0
        var isClosed = false
        var failure: DeviceError?

        mutating func begin() {
            command &+= 1
            if let running = effect {
                running.cancel()
                effect = nil
            }
        }
    }

    let request: any OutputRequest
    private let clock: DeviceClock
    private let state: Locked<State>

    init(request: any OutputRequest, isLit: Bool, clock: DeviceClock) {
        self.request = request
        self.clock = clock
        state = Locked(State(brightness: isLit ? 1 : 0))
    }

    var brightness: Double { state.withLock { $0.brightness } }
    var failure: DeviceError? { state.withLock { $0.failure } }
    var hasEffect: Bool { state.withLock { $0.effect != nil } }

    func set(_ lit: Bool) throws(DeviceError) {
        try state.withLock { (state: inout State) throws(DeviceError) in
            state.begin()
            try request.set(lit ? 1 : 0, mask: 1)
            state.brightness = lit ? 1 : 0
        }
    }

    func toggle() throws(DeviceError) -> Bool {
        try state.withLock { (state: inout State) throws(DeviceError) in
            state.begin()
            let lit = state.brightness == 0
            try request.set(lit ? 1 : 0, mask: 1)
            state.brightness = lit ? 1 : 0
            return lit
        }
    }

    /// Ends the effect that runs and starts another; its first step is done when this returns.
    func start(_ effect: LEDEffect) throws(DeviceError) {
        try state.withLock { (state: inout State) throws(DeviceError) in
            state.begin()
            state.failure = nil
            try request.set(1, mask: 1)
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
        state.withLock { state in
            guard state.command == command, !state.isClosed else { return false }
            do throws(DeviceError) {
                try request.set(lit ? 1 : 0, mask: 1)
                state.brightness = brightness
                return true
            } catch {
                state.failure = error
                return false
            }
        }
    }

    private func finished(_ command: UInt64) {
        state.withLock { if $0.command == command { $0.effect = nil } }
    }

    func close(_ policy: ReleasePolicy?) {
        state.withLock { state in
            guard !state.isClosed else { return }
            state.begin()
            state.isClosed = true
            state.brightness = 0
            request.close(policy)
        }
    }
}
