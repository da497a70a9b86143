import DeviceCore

/// Outputs of a simulated board.
final class SimulatedOutput: OutputRequest {
    /// Direction and level before the request.
    struct Before {
        let isOutput: Bool
        let isHigh: Bool
    }

    private struct State {
        var values: UInt64
        /// Until the lines were taken there is nothing to give back.
        var isClosed = true
        var before: [Before] = []
    }

    let lines: [GPIOLine]
    private let board: SimulatedBoard
    private let settings: OutputSettings
    private let mine: Locked<State>

    init(board: SimulatedBoard, lines: [GPIOLine], settings: OutputSettings) {
        self.board = board
        self.lines = lines
        self.settings = settings
        mine = Locked(State(values: settings.values))
    }

    deinit { close(nil) }

    var values: UInt64 { mine.withLock { $0.values } }

    /// Becomes the owner of the lines; the board's lock is held and the lines are free.
    /// Returns what the lines were before, for ``remember(_:)``.
    func take(_ state: inout SimulatedBoard.State) -> [Before] {
        lines.enumerated().compactMap { index, line in
            board.change(line, in: &state) { line in
                let before = Before(isOutput: line.isOutput, isHigh: line.outputIsHigh)
                line.consumer = settings.consumer
                line.isUsed = true
                line.isOutput = true
                line.isActiveLow = bit(settings.activeLow, index)
                line.drive = settings.drive
                line.bias = settings.bias
                line.outputIsHigh = bit(settings.values ^ settings.activeLow, index)
                return before
            }
        }
    }

    /// Opens the request with what the lines were before. Apart from ``take(_:)``, where the board's lock is held: elsewhere that lock
    /// is taken second.
    func remember(_ before: [Before]) {
        mine.withLock { mine in
            mine.before = before
            mine.isClosed = false
        }
    }

    func levels() throws(DeviceError) -> UInt64 {
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

    func set(_ values: UInt64, mask: UInt64) throws(DeviceError) {
        let isOpen = mine.withLock { mine in
            guard !mine.isClosed else { return false }
            mine.values = (mine.values & ~mask) | (values & mask)
            write(mine.values, mask: mask)
            return true
        }
        if !isOpen { throw GPIOError.closed(lines) }
    }

    func close(_ policy: ReleasePolicy?) {
        mine.withLock { mine in
            guard !mine.isClosed else { return }
            mine.isClosed = true
            var policy = policy ?? settings.release
            // As on a kernel chip, which is asked what was before only then.
            if policy == .initial, settings.release != .initial { policy = .input }
            if policy == .off { write(0, mask: .max) }
            board.state.withLock { state in
                for (line, before) in zip(lines, mine.before) {
                    _ = board.change(line, in: &state) { line in
                        if policy == .input { line.isOutput = false }
                        if policy == .initial {
                            line.isOutput = before.isOutput
                            line.outputIsHigh = before.isHigh
                        }
                        line.release()
                    }
                }
            }
        }
    }

    /// All lines of the mask under one lock, as the kernel does it.
    private func write(_ values: UInt64, mask: UInt64) {
        board.state.withLock { state in
            for (index, line) in lines.enumerated() where bit(mask, index) {
                _ = board.change(line, in: &state) { $0.outputIsHigh = bit(values ^ settings.activeLow, index) }
            }
        }
    }
}

/// Bit `index` of a mask.
func bit(_ mask: UInt64, _ index: Int) -> Bool { mask >> UInt64(index) & 1 == 1 }
