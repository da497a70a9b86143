import DeviceCore

/// A line that a script has: what `esp32.gpio` returns, without the Lua.
final class ScriptPin: Sendable {
    private enum Request: Sendable {
        case input(any InputRequest)
        case output(any OutputRequest)
    }

    /// Calls that wait for the script, at most so many, as in Xedge32; then the newest are dropped and counted.
    static let queueLimit = 10

    let mode: GPIOMode
    private let request: Request
    private let claim: ScriptPinOwners.Claim
    private let pending: PendingCalls
    private let watcher: Task<Void, Never>?

    /// Takes a line.
    ///
    /// - Parameter call: calls the script with a level, and tells when it is done.
    init(
        _ address: LineAddress, mode: GPIOMode, bias: Bias, trigger: GPIOTrigger?, claim: ScriptPinOwners.Claim,
        on backend: any GPIOBackend, consumer: String, clock: DeviceClock,
        call: (@Sendable (Bool, @escaping @Sendable () -> Void) -> Void)?
    ) throws(DeviceError) {
        self.mode = mode
        self.claim = claim
        let pending = PendingCalls(limit: Self.queueLimit)
        self.pending = pending
        let line = try backend.find(address)
        guard mode.isInput else {
            let settings = OutputSettings(
                consumer: consumer, values: mode.drive == .openDrain ? 1 : 0, drive: mode.drive, bias: bias,
                release: .input)
            let output = try backend.requestOutputs([line], settings)
            request = .output(output)
            watcher = nil
            claim.setReader { [weak output] in (try? output?.levels()).map { $0 & 1 == 1 } }
            return
        }
        let settings = InputSettings(
            consumer: consumer, bias: bias, reportsEdges: call != nil, bufferSize: Self.queueLimit * 8)
        let input = try backend.requestInputs([line], settings)
        request = .input(input)
        claim.setReader { [weak input] in (try? input?.values()).map { $0 & 1 == 1 } }
        guard let call, let trigger else {
            watcher = nil
            return
        }
        let deliver: @Sendable (Bool) -> Void = { level in
            guard pending.begin() else { return }
            call(level) { pending.end() }
        }
        let level = (try? input.values()).map { $0 & 1 == 1 } ?? false
        let repeater = LevelRepeater(trigger, level: level, at: clock.now)
        watcher = Task { await Self.watch(input, repeater, clock, deliver) }
    }

    deinit { close() }

    /// Calls that were dropped because the script was slow.
    var droppedCalls: UInt64 { pending.dropped }

    /// The level on the line: of an open-drain output it can be another than the one that was set.
    func value() throws(DeviceError) -> Bool {
        switch request {
        case .input(let input): try input.values() & 1 == 1
        case .output(let output): try output.levels() & 1 == 1
        }
    }

    func set(_ level: Bool) throws(DeviceError) {
        guard case .output(let output) = request else {
            throw DeviceError(.invalidArgument, "the pin is an input")
        }
        try output.set(level ? 1 : 0, mask: 1)
    }

    func close() {
        watcher?.cancel()
        switch request {
        case .input(let input): input.close()
        case .output(let output): output.close(nil)
        }
        claim.release()
    }

    /// Follows edges, and for level triggers also time.
    private static func watch(
        _ input: any InputRequest, _ repeater: LevelRepeater, _ clock: DeviceClock,
        _ deliver: @escaping @Sendable (Bool) -> Void
    ) async {
        let state = SharedRepeater(repeater)
        let ticking =
            repeater.isRepeating
            ? Task {
                while !Task.isCancelled {
                    let now = clock.now
                    if let level = state.repeater.withLock({ $0.tick(at: now) }) { deliver(level) }
                    guard (try? await clock.sleep(until: now + LevelRepeater.interval)) != nil else { return }
                }
            } : nil
        for await edge in input.edges {
            let now = clock.now
            if let level = state.repeater.withLock({ $0.edge(to: edge.isActive, at: now) }) { deliver(level) }
        }
        ticking?.cancel()
    }
}

/// What the reader of edges and the clock of a level trigger share.
private final class SharedRepeater: Sendable {
    let repeater: Locked<LevelRepeater>
    init(_ repeater: LevelRepeater) { self.repeater = Locked(repeater) }
}
