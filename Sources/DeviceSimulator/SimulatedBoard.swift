public import DeviceCore

/// A board that exists only in memory: the chips, names and pins of a real one, driven by a test or a terminal.
///
/// ```swift
/// let board = SimulatedBoard(try Board.named("rpi4"))
/// let led = try LED("GPIO17", on: board)
/// try led.on()
/// try board.isHigh("GPIO17")          // true
/// try board.press("GPIO22")           // a button between the pin and the opposite level
/// ```
public final class SimulatedBoard: GPIOBackend {
    struct Key: Hashable {
        let device: String
        let offset: Int
        init(_ line: GPIOLine) {
            device = line.device
            offset = line.offset
        }
    }

    struct State {
        var lines: BoardLines
        var recorder = ChangeRecorder()
        var deniesPermission = false
    }

    /// The board whose pins this one has.
    public let board: Board
    /// `simulated Raspberry Pi 4 Model B`.
    public var name: String { "simulated \(board.model)" }

    let clock: DeviceClock
    let state: Locked<State>
    private let allChips: [GPIOChip]
    let resolver: LineResolver

    /// Makes a board with nobody on its lines but the LEDs that the real kernel drives.
    public init(_ board: Board, clock: any Clock<Duration> = ContinuousClock()) {
        self.board = board
        self.clock = DeviceClock(clock)
        let table = SimulatedChips.table(of: board)
        allChips = table.chips
        resolver = LineResolver(board: board, chips: table.chips)
        state = Locked(State(lines: BoardLines(table.lines)))
    }

    /// A simulated Raspberry Pi 4, the board that stands in where there is none.
    public convenience init(clock: any Clock<Duration> = ContinuousClock()) {
        self.init((try? Board.named("rpi4")) ?? .unknown(model: "board without pins"), clock: clock)
    }

    /// The chips of the board.
    public func chips() throws(DeviceError) -> [GPIOChip] {
        try checkPermission()
        return allChips
    }

    /// The line at an address; errors as on a real board.
    public func find(_ address: LineAddress) throws(DeviceError) -> GPIOLine {
        try checkPermission()
        return try resolver.find(address)
    }

    /// What is known of a line now.
    public func info(_ line: GPIOLine) throws(DeviceError) -> LineInfo {
        try checkPermission()
        return try withLine(line) { line in
            LineInfo(
                line: line.line, consumer: line.consumer, isUsed: line.isUsed, isOutput: line.isOutput,
                isActiveLow: line.isActiveLow)
        }
    }

    /// Takes lines of one chip as outputs.
    public func requestOutputs(
        _ lines: [GPIOLine], _ settings: OutputSettings
    ) throws(DeviceError) -> any OutputRequest {
        try checkPermission()
        try GPIOError.check(lines)
        let request = SimulatedOutput(board: self, lines: lines, settings: settings)
        let before = try state.withLock { (state: inout State) throws(DeviceError) in
            try self.checkFree(lines, state)
            return request.take(&state)
        }
        request.remember(before)
        return request
    }

    /// Takes lines of one chip as inputs.
    public func requestInputs(_ lines: [GPIOLine], _ settings: InputSettings) throws(DeviceError) -> any InputRequest {
        try checkPermission()
        try GPIOError.check(lines)
        let request = SimulatedInput(board: self, lines: lines, settings: settings)
        try state.withLock { (state: inout State) throws(DeviceError) in
            try self.checkFree(lines, state)
            request.take(&state)
        }
        return request
    }

    private func checkPermission() throws(DeviceError) {
        if state.withLock({ $0.deniesPermission }) { throw GPIOError.permission("/dev/gpiochip0") }
    }

    private func checkFree(_ lines: [GPIOLine], _ state: State) throws(DeviceError) {
        for line in lines {
            guard let found = state.lines[Key(line)] else {
                throw DeviceError(.notFound, "line \(line) is not one of the \(name)")
            }
            if found.isUsed { throw GPIOError.busy(line, owner: found.consumer, board: board) }
        }
    }

    /// Reads or changes a line; a change of its level is recorded and reported.
    func withLine<Result: Sendable>(
        _ line: GPIOLine, _ body: @Sendable (inout SimulatedLine) -> Result
    ) throws(DeviceError) -> Result {
        let result: Result? = state.withLock { state in self.change(line, in: &state, body) }
        guard let result else { throw DeviceError(.notFound, "line \(line) is not one of the \(name)") }
        return result
    }

    /// As ``withLine(_:_:)``, with the lock held already; nil where there is no such line.
    func change<Result>(
        _ line: GPIOLine, in state: inout State, _ body: (inout SimulatedLine) -> Result
    ) -> Result? {
        let key = Key(line)
        guard var simulated = state.lines[key] else { return nil }
        let before = simulated.isHigh
        let result = body(&simulated)
        state.lines[key] = simulated
        let after = simulated.isHigh
        if before != after {
            let now = clock.now
            state.recorder.record(LineChange(line: simulated.line, isHigh: after, time: now))
            simulated.watcher?.edge(simulated.watcherIndex, isHigh: after, at: now)
        }
        return result
    }
}
