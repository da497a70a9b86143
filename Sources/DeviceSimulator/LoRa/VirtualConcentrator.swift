public import DeviceCore
public import DeviceProtocols

/// A LoRa concentrator that needs no hardware: it hears virtual devices and sends to them, on any clock.
///
/// ```swift
/// let radio = VirtualConcentrator(devices: VirtualDeviceSettings.fleet(10), crypto: OpenSSLCrypto())
/// try await radio.start(plan)
/// for await uplink in radio.uplinks { print(uplink.frequency, uplink.payload.count) }
/// ```
///
/// The devices begin to live at the first start. While it is stopped they go on, and what they send is lost. On a
/// ``ManualClock`` nothing happens until the clock is moved.
public final class VirtualConcentrator: Radio {
    private struct State {
        var world: LoRaWorld
        var isRunning = false
        var driver: Task<Void, Never>?
        /// Sleeps until the next event; cancelled when there is an earlier one.
        var sleeper: Task<Void, Never>?
        var sleepsUntil: UInt64?
        /// When the world began.
        var origin: MonotonicTime?
        /// Who waits for a step to be made is told by this number.
        var epoch: UInt64 = 0
    }

    /// `virtual concentrator`.
    public let name = "virtual concentrator"
    /// 10 to 60 ms, as for a concentrator of our own.
    public let handOver: ClosedRange<UInt64> = 10_000...60_000
    /// It does.
    public let listensBeforeTalk = true
    /// What was heard; see ``Radio/uplinks``.
    public let uplinks: BoundedStream<RadioUplink>

    private let clock: DeviceClock
    private let startTime: Duration
    private let state: Locked<State>

    /// A concentrator that is off, among devices that do not live yet.
    ///
    /// - Parameter crypto: the devices' ciphers.
    public init(
        _ settings: VirtualConcentratorSettings = VirtualConcentratorSettings(), devices: [VirtualDeviceSettings],
        crypto: any Crypto, clock: DeviceClock = DeviceClock(.continuous)
    ) {
        self.clock = clock
        startTime = settings.startTime
        uplinks = BoundedStream(limit: settings.uplinkLimit)
        state = Locked(State(world: LoRaWorld(settings, devices: devices, crypto: crypto)))
    }

    deinit { state.withLock { $0.sleeper }?.cancel() }

    // MARK: Radio

    /// Starts it; throws only for an empty plan and what ``VirtualFault/failingStarts(_:)`` asked for.
    public func start(_ plan: RadioPlan) async throws(DeviceError) {
        await stop()
        guard !plan.channels.isEmpty else {
            throw DeviceError(
                .configuration, "the plan has no channel to listen to", hint: "Turn on one of chan_multiSF_0 to 7")
        }
        if startTime > .zero { try? await clock.sleep(until: clock.now + startTime) }
        let epoch = try state.withLock { state throws(DeviceError) in
            let time = step(&state)
            try state.world.start(plan)
            state.isRunning = true
            state.epoch += 1
            state.world.advance(to: time)
            return state.epoch
        }
        let driver = Task { [weak self] in
            while let sleeper = self?.nextSleep(epoch) { await sleeper.value }
        }
        state.withLock { $0.driver = driver }
    }

    /// Stops it.
    public func stop() async {
        let (driver, sleeper) = state.withLock { state in
            _ = step(&state)
            state.world.stop()
            state.isRunning = false
            state.epoch += 1
            defer { (state.driver, state.sleeper) = (nil, nil) }
            return (state.driver, state.sleeper)
        }
        sleeper?.cancel()
        await driver?.value
    }

    /// Its clock; see ``Radio/now()``.
    public func now() -> UInt64 {
        state.withLock { $0.world.counter(ifNow: worldTime(&$0)) }
    }

    /// Takes a frame to send; see ``Radio/transmit(_:)``. One whose time has passed is taken and never sent.
    public func transmit(_ downlink: RadioDownlink) throws(DeviceError) {
        let sleeper = try state.withLock { state throws(DeviceError) in
            _ = step(&state)
            try state.world.transmit(downlink)
            guard let next = state.world.nextEvent, next < state.sleepsUntil ?? .max else {
                return nil as Task<Void, Never>?
            }
            return state.sleeper
        }
        sleeper?.cancel()
    }

    /// What an RF chain does now.
    public func transmitStatus(rfChain: UInt8) -> RadioTransmitStatus {
        state.withLock { state in
            _ = step(&state)
            return state.world.transmitStatus(rfChain: rfChain)
        }
    }

    /// Takes back what waits or is on the air.
    public func abortTransmit(rfChain: UInt8) {
        state.withLock { state in
            _ = step(&state)
            state.world.abortTransmit(rfChain: rfChain)
        }
    }

    /// What it has done so far; lost are frames that found no demodulator, and those that nobody read in time.
    public var counters: RadioCounters {
        var counters = state.withLock { $0.world.counters }
        counters.lost += uplinks.dropped
        return counters
    }

    /// The tie to GPS time, with ``VirtualConcentratorSettings/gpsTime``.
    public var timeReference: RadioTimeReference? {
        state.withLock { state in
            _ = step(&state)
            return state.isRunning ? state.world.timeReference : nil
        }
    }

    // MARK: The world around it

    /// Makes something go wrong, now.
    public func inject(_ fault: VirtualFault) {
        state.withLock { state in
            _ = step(&state)
            state.world.inject(fault)
        }
    }

    /// What became of frames on the way up.
    public var airCounters: VirtualAirCounters { state.withLock { $0.world.airCounters } }
    /// How long before their time frames were handed over.
    public var handOverTimes: VirtualHandOver { state.withLock { $0.world.handOver } }
    /// The devices, in the order in which they were given.
    public var devices: [VirtualDeviceState] { state.withLock { $0.world.devices } }

    // MARK: Time

    /// The world's time, which begins with the first look at it after the first start has begun.
    private func worldTime(_ state: inout State) -> UInt64 {
        let now = clock.now
        guard let origin = state.origin else {
            state.origin = now
            return 0
        }
        return UInt64(max(0, (now - origin).wholeNanoseconds) / 1000)
    }

    /// Lets happen what is due, and hands out what was heard. The lock is held, so that frames stay in order.
    private func step(_ state: inout State) -> UInt64 {
        let time = worldTime(&state)
        state.world.advance(to: time)
        var heard = state.world.takeUplinks()
        if !heard.isEmpty {
            let now = clock.now
            for index in heard.indices { heard[index].receivedAt = now }  // safe: the array's own indices
            uplinks.send(contentsOf: heard)
        }
        return time
    }

    /// Makes a step and begins to sleep until the next; nil when the concentrator was stopped.
    private func nextSleep(_ epoch: UInt64) -> Task<Void, Never>? {
        state.withLock { state in
            guard state.isRunning, state.epoch == epoch, let origin = state.origin else { return nil }
            let time = step(&state)
            // A world without devices and ghosts looks up once a minute.
            let next = max(time + 1, state.world.nextEvent ?? time + 60_000_000)
            state.sleepsUntil = next
            let deadline = origin + .microseconds(Int64(clamping: next))
            let sleeper = Task { [clock] in
                do { try await clock.sleep(until: deadline) } catch {}
            }
            state.sleeper = sleeper
            return sleeper
        }
    }
}
