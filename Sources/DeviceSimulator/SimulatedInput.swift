import DeviceCore

/// Inputs of a simulated board, debounced on the board's clock.
final class SimulatedInput: InputRequest {
    private struct State {
        var isClosed = false
        var lost: UInt64 = 0
        var debouncers: [QuietPeriodDebouncer] = []
        var timers: [Int: Task<Void, Never>] = [:]
    }

    let lines: [GPIOLine]
    let edges: AsyncStream<EdgeEvent>
    private let continuation: AsyncStream<EdgeEvent>.Continuation
    private let board: SimulatedBoard
    private let settings: InputSettings
    private let mine = Locked(State())

    init(board: SimulatedBoard, lines: [GPIOLine], settings: InputSettings) {
        self.board = board
        self.lines = lines
        self.settings = settings
        let size = min(max(settings.bufferSize, 1), 65536)
        (edges, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(size))
    }

    var lostEdges: UInt64 { mine.withLock { $0.lost } }

    /// Becomes the owner of the lines; the board's lock is held and the lines are free.
    func take(_ state: inout SimulatedBoard.State) {
        for (index, line) in lines.enumerated() {
            let level = board.change(line, in: &state) { line in
                line.consumer = settings.consumer
                line.isUsed = true
                line.isOutput = false
                line.isActiveLow = bit(settings.activeLow, index)
                line.bias = settings.bias
                return line.isHigh != line.isActiveLow
            }
            mine.withLock {
                $0.debouncers.append(QuietPeriodDebouncer(period: settings.debounce, level: level ?? false))
            }
            // Only now: the resistor that the request brings is no edge.
            guard settings.reportsEdges else { continue }
            _ = board.change(line, in: &state) { line in
                line.watcher = self
                line.watcherIndex = index
            }
        }
    }

    func values() throws(DeviceError) -> UInt64 {
        if mine.withLock({ $0.isClosed }) { throw GPIOError.closed(lines) }
        return board.state.withLock { state in
            var values: UInt64 = 0
            for (index, line) in lines.enumerated() {
                guard let line = state.lines[SimulatedBoard.Key(line)] else { continue }
                if line.isHigh != line.isActiveLow { values |= 1 << UInt64(index) }
            }
            return values
        }
    }

    func close() {
        let timers: [Task<Void, Never>]? = mine.withLock { mine in
            guard !mine.isClosed else { return nil }
            mine.isClosed = true
            defer { mine.timers = [:] }
            return Array(mine.timers.values)
        }
        guard let timers else { return }
        for timer in timers { timer.cancel() }
        board.state.withLock { state in
            for line in lines { _ = board.change(line, in: &state) { $0.release() } }
        }
        continuation.finish()
    }

    /// The level of a line changed; the board's lock is held.
    func edge(_ index: Int, isHigh: Bool, at time: MonotonicTime) {
        mine.withLock { mine in
            guard !mine.isClosed, mine.debouncers.indices.contains(index) else { return }
            mine.debouncers[index].edge(to: isHigh != bit(settings.activeLow, index), at: time)  // safe: checked above
            guard settings.debounce > .zero, let deadline = mine.debouncers[index].deadline else {  // safe: as above
                return report(index, at: time, &mine)
            }
            mine.timers[index]?.cancel()
            mine.timers[index] = Task { [weak self, clock = board.clock] in
                guard (try? await clock.sleep(until: deadline)) != nil else { return }
                self?.quiet(index, at: clock.now)
            }
        }
    }

    private func quiet(_ index: Int, at time: MonotonicTime) {
        mine.withLock { report(index, at: time, &$0) }
    }

    private func report(_ index: Int, at time: MonotonicTime, _ mine: inout State) {
        guard !mine.isClosed, mine.debouncers.indices.contains(index),
            let change = mine.debouncers[index].fire(at: time)  // safe: checked in the same condition
        else { return }
        let event = EdgeEvent(index: index, isActive: change.level, time: change.time)
        if case .dropped = continuation.yield(event) { mine.lost += 1 }
    }
}
