import DeviceCore
import DeviceProtocols
import NIOCore

/// Starts a radio, reads it, and starts it anew when it goes deaf or cannot be started; the process and the up-links
/// go on meanwhile.
///
/// A radio is deaf when its clock stands still, or, where the user asks for it, when nothing was heard for a time.
final class RadioHost: Sendable {
    /// How the radio is doing.
    struct Status: Sendable, Hashable {
        var isRunning = false
        var restarts: UInt64 = 0
        var failedStarts: UInt64 = 0
        /// What was wrong last; nil while it runs.
        var problem: String?
        /// When its clock was last seen to advance.
        var advancedAt: MonotonicTime?
    }

    struct Settings: Sendable {
        /// How often the clock is looked at.
        var interval = Duration.seconds(1)
        /// How long it may stand still.
        var standstill = Duration.seconds(5)
        /// How long nothing may be heard; nil for ever.
        var deafAfter: Duration?
        /// How long a start may take before it is given up.
        var backOff = BackOff(base: .seconds(1), cap: .seconds(30))
    }

    let radio: any Radio
    private let plan: Locked<RadioPlan>
    private let settings: Settings
    private let clock: DeviceClock
    private let state = Locked(Status())
    private let restart = BoundedStream<String>(limit: 1)
    private let warn: @Sendable (String, String) -> Void

    init(
        _ radio: any Radio, plan: RadioPlan, settings: Settings = Settings(), clock: DeviceClock,
        warn: @escaping @Sendable (String, String) -> Void
    ) {
        self.radio = radio
        self.plan = Locked(plan)
        self.settings = settings
        self.clock = clock
        self.warn = warn
    }

    var status: Status { state.withLock { $0 } }
    var currentPlan: RadioPlan { plan.withLock { $0 } }

    /// Starts the radio with another plan.
    func use(_ new: RadioPlan) {
        let isOther = plan.withLock { plan in
            defer { plan = new }
            return plan != new
        }
        if isOther { restart.send("it gets another plan") }
    }

    /// Runs until the task is cancelled; then stops the radio.
    ///
    /// - Parameters:
    ///   - eventLoop: where `receive` is called; a radio whose socket lives there hands frames on without a change of
    ///     threads.
    ///   - receive: gets what was heard, in batches.
    func run(on eventLoop: any EventLoop, receive: @escaping @Sendable ([RadioUplink]) -> Void) async {
        let handOn: @Sendable () -> Void = { [radio] in
            if let batch = radio.uplinks.takeAll(), !batch.isEmpty { receive(batch) }
        }
        // In the loop's next turn also where the sender is on it: a radio may send out of any of its functions, with its
        // lock held, and whoever called that one expects no frames meanwhile.
        radio.uplinks.notify { eventLoop.execute(handOn) }
        await keepRunning()
        await radio.stop()
        radio.uplinks.notify(nil)
        try? await eventLoop.submit(handOn).get()
    }

    private func keepRunning() async {
        var backOff = settings.backOff
        var random = SplitMix64()
        while !Task.isCancelled {
            do throws(DeviceError) {
                try await radio.start(currentPlan)
                state.withLock { state in
                    state.isRunning = true
                    state.problem = nil
                    state.advancedAt = clock.now
                }
            } catch {
                state.withLock { state in
                    state.failedStarts += 1
                    state.problem = error.message
                }
                warn("radio-start", "\(radio.name) cannot be started: \(error)")
                let wait = max(.milliseconds(100), backOff.next(using: &random))
                try? await clock.sleep(until: clock.now + wait)
                continue
            }
            let why = await watch { backOff.reset() }
            state.withLock { $0.isRunning = false }
            guard let why else { return }
            state.withLock { state in
                state.restarts += 1
                state.problem = why
            }
            warn("radio-restart", "\(radio.name) is started anew: \(why)")
            await radio.stop()
        }
    }

    /// Looks at the clock until something is wrong.
    ///
    /// - Returns: what is; nil when the task was cancelled.
    private func watch(_ isWell: () -> Void) async -> String? {
        var last = radio.now()
        var lastAdvance = clock.now
        var lastReceived = (radio.counters.received, clock.now)
        while true {
            try? await clock.sleep(until: clock.now + settings.interval)
            if Task.isCancelled { return nil }
            if let wish = restart.takeAll()?.last { return wish }
            let now = clock.now
            let count = radio.now()
            if count > last {
                (last, lastAdvance) = (count, now)
                state.withLock { $0.advancedAt = now }
                isWell()
            } else if now - lastAdvance >= settings.standstill {
                return "its clock has stood still for \(now - lastAdvance)"
            }
            let received = radio.counters.received
            if received > lastReceived.0 { lastReceived = (received, now) }
            if let limit = settings.deafAfter, now - lastReceived.1 >= limit { return "nothing was heard for \(limit)" }
        }
    }
}
