import DeviceCore
import Synchronization

/// Outputs of a simulated board.
final class SimulatedOutput: OutputRequest {
    private struct State {
        var values: UInt64
        var isClosed = false
        /// Direction and level before the request.
        var before: [(isOutput: Bool, isHigh: Bool)] = []
    }

    let lines: [GPIOLine]
    private let board: SimulatedBoard
    private let settings: OutputSettings
    private let mine: Mutex<State>

    init(board: SimulatedBoard, lines: [GPIOLine], settings: OutputSettings) {
        self.board = board
        self.lines = lines
        self.settings = settings
        mine = Mutex(State(values: settings.values))
    }

    deinit { close(nil) }

    var values: UInt64 { mine.withLock { $0.values } }

    /// Becomes the owner of the lines; the board's lock is held and the lines are free.
    func take(_ state: inout SimulatedBoard.State) {
        for (index, line) in lines.enumerated() {
            let before = board.change(line, in: &state) { line in
                let before = (isOutput: line.isOutput, isHigh: line.outputIsHigh)
                line.consumer = settings.consumer
                line.isUsed = true
                line.isOutput = true
                line.isActiveLow = bit(settings.activeLow, index)
                line.drive = settings.drive
                line.bias = settings.bias
                line.outputIsHigh = bit(settings.values ^ settings.activeLow, index)
                return before
            }
            if let before { mine.withLock { $0.before.append(before) } }
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
