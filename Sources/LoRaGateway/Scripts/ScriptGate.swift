import DeviceCore
import DeviceLua
import NIOCore

/// Where frames wait for what scripts say of them: in their order, and never for long. Lives on the gateway's event
/// loop.
///
/// Scripts are asked of one frame after the other. A frame whose answer has not come in time goes on as it is; then
/// nobody is asked for a second, so that a script that hangs delays one frame in a second and no more. When more frames
/// wait than ``limit``, all go on as they are. No frame is ever lost here.
final class ScriptGate<Frame> {
    struct Counters: Hashable, Sendable {
        /// Frames that scripts were asked of.
        var asked: UInt64 = 0
        var changed: UInt64 = 0
        var refused: UInt64 = 0
        /// Frames that went on as they were because the answer did not come in time.
        var late: UInt64 = 0
        /// Frames that nobody was asked of: too many waited, there was no time, or a script had been late.
        var unasked: UInt64 = 0
        /// Answers that no frame can be made of; the frame went on as it was.
        var invalid: UInt64 = 0

        /// For the page and the metrics.
        var named: [(name: String, value: UInt64)] {
            [
                ("asked", asked), ("changed", changed), ("refused", refused), ("late", late), ("unasked", unasked),
                ("invalid", invalid),
            ]
        }
    }

    /// What is to happen with a frame; whoever gets it says whether an answer could be used.
    typealias Decide = (Frame, HookDecision) -> Bool

    private struct Entry {
        var frame: Frame
        var until: MonotonicTime
    }

    /// Frames that may wait.
    static var limit: Int { 256 }
    private static var rest: Duration { .seconds(1) }

    private(set) var counters = Counters()
    private let hooks: ScriptHooks
    private let name: ScriptHooks.Name
    private let patience: Duration
    private let context: LinkContext
    private let question: (Frame) -> JSONValue
    private let decide: Decide
    private var waiting: [Entry] = []
    /// The question that is open: answers to others come too late.
    private var open: UInt64?
    private var number: UInt64 = 0
    private var alarm: Scheduled<Void>?
    private var restsUntil = MonotonicTime.zero

    /// - Parameters:
    ///   - patience: how long a frame waits at most.
    ///   - question: what scripts are told of a frame.
    ///   - decide: lets a frame happen, be it changed or not, or drops it.
    init(
        _ hooks: ScriptHooks, _ name: ScriptHooks.Name, patience: Duration, context: LinkContext,
        question: @escaping (Frame) -> JSONValue, decide: @escaping Decide
    ) {
        self.hooks = hooks
        self.name = name
        self.patience = patience
        self.context = context
        self.question = question
        self.decide = decide
    }

    /// Whether frames pass without a question now.
    var isIdle: Bool { waiting.isEmpty && !hooks.isUsed(name) }

    /// Takes a frame, which leaves through `decide`, perhaps at once.
    ///
    /// - Parameter hasTime: false for one that cannot wait as long as the gate's patience: it overtakes all others.
    func take(_ frame: Frame, hasTime: Bool = true) {
        guard !isIdle else { return pass(frame) }
        let now = context.clock.now
        if !hasTime || waiting.isEmpty && now < restsUntil {
            counters.unasked += 1
            return pass(frame)
        }
        if waiting.count >= Self.limit { flush() }
        waiting.append(Entry(frame: frame, until: now + patience))
        if waiting.count == 1 { ask() }
    }

    /// Lets all that waits go on as it is.
    func flush() {
        close()
        let all = waiting
        waiting = []
        counters.unasked += UInt64(all.count)
        for entry in all { pass(entry.frame) }
    }

    private func close() {
        open = nil
        alarm?.cancel()
        alarm = nil
    }

    private func pass(_ frame: Frame) { _ = decide(frame, .pass) }

    /// Asks of the first frame that still has time.
    private func ask() {
        while let first = waiting.first {
            let left = first.until - context.clock.now
            guard left <= .zero else { return ask(first, within: left) }
            waiting.removeFirst()
            counters.unasked += 1
            pass(first.frame)
        }
    }

    private func ask(_ entry: Entry, within left: Duration) {
        number += 1
        let number = number
        open = number
        counters.asked += 1
        alarm = context.eventLoop.assumeIsolated().scheduleTask(in: .nanoseconds(left.wholeNanoseconds)) {
            [weak self] in self?.ring(number)
        }
        let bound = NIOLoopBound(WeakGate(gate: self), eventLoop: context.eventLoop)
        Task { [hooks, name, eventLoop = context.eventLoop, value = question(entry.frame)] in
            let decision = await hooks.decide(name, value)
            eventLoop.execute { bound.value.gate?.answered(number, decision) }
        }
    }

    private func answered(_ number: UInt64, _ decision: HookDecision) {
        guard open == number, let first = waiting.first else { return }
        close()
        waiting.removeFirst()
        let isUsable = decide(first.frame, decision)
        switch decision {
        case .pass: break
        case .change where isUsable: counters.changed += 1
        case .change:
            counters.invalid += 1
            pass(first.frame)
        case .refuse: counters.refused += 1
        }
        ask()
    }

    private func ring(_ number: UInt64) {
        guard open == number, let first = waiting.first else { return }
        counters.late += 1
        restsUntil = context.clock.now + Self.rest
        waiting.removeFirst()
        close()
        pass(first.frame)
        flush()
    }

    private struct WeakGate {
        weak var gate: ScriptGate?
    }
}
