public import DeviceCore

/// Counts edges of lines in software: some thousands a second, not the millions of a hardware counter. What was too
/// fast is counted in ``lostEdges``.
public final class PulseCounter: Sendable {
    /// What the reading task works on; it does not hold the counter, so that a counter nobody holds any more ends.
    private final class Counting: Sendable {
        let events = BoundedStream<PulseCounterEvent>(limit: 64)
        let machine: Locked<PulseCounterStateMachine>

        init(_ machine: PulseCounterStateMachine) { self.machine = Locked(machine) }

        func take(_ edge: EdgeEvent) {
            events.send(contentsOf: machine.withLock { $0.edge(edge.index, isHigh: edge.isActive) })
        }
    }

    private let request: any InputRequest
    private let counting: Counting
    private let reader: Task<Void, Never>

    /// Takes the lines as inputs and counts nothing before ``start()``.
    ///
    /// - Parameters:
    ///   - addresses: lines of one chip, in the order that the settings number them.
    ///   - glitch: levels shorter than this do not count; at least a microsecond, or zero.
    /// - Throws: `.invalidArgument` and what the lines' request throws.
    public init(
        _ settings: PulseCounterSettings, lines addresses: [LineAddress], on backend: any GPIOBackend,
        bias: Bias = .pullUp, glitch: Duration = .zero, consumer: String = "DeviceSDK counter"
    ) throws(DeviceError) {
        try settings.check(lines: addresses.count)
        var lines: [GPIOLine] = []
        for address in addresses { lines.append(try backend.find(address)) }
        let request = try backend.requestInputs(
            lines, InputSettings(consumer: consumer, bias: bias, debounce: glitch, bufferSize: 16384))
        let values: UInt64
        do throws(DeviceError) { values = try request.values() } catch {
            request.close()
            throw error
        }
        let levels = lines.indices.map { values >> UInt64($0) & 1 == 1 }
        let counting = Counting(PulseCounterStateMachine(settings, levels: levels))
        self.request = request
        self.counting = counting
        reader = Task { [edges = request.edges] in for await edge in edges { counting.take(edge) } }
    }

    deinit { close() }

    /// Counts that were reached, for one reader.
    public var events: BoundedStream<PulseCounterEvent> { counting.events }
    /// The count.
    public var count: Int { counting.machine.withLock { $0.count } }
    /// Edges that came faster than they could be counted.
    public var lostEdges: UInt64 { request.lostEdges }

    /// Edges count from now on.
    public func start() { counting.machine.withLock { $0.isRunning = true } }
    /// Edges do not count from now on; the count stays.
    public func stop() { counting.machine.withLock { $0.isRunning = false } }
    /// Begins again at zero.
    public func clear() { counting.machine.withLock { $0.clear() } }

    /// Gives the lines back.
    public func close() {
        request.close()
        reader.cancel()
        counting.events.finish()
    }
}
