import DeviceCore
import Glibc

/// Writes lines and a picture to standard output on a thread of its own, so that output which nobody drains (a full
/// pipe, Ctrl-S in a terminal) holds up nothing but itself.
///
/// Lines wait in a bounded queue; when it is full the oldest make room and are counted, and a line tells of them when
/// it goes on. Of pictures only the newest waits.
final class OutputWriter: Sendable {
    private struct State {
        var lines: [String] = []
        var dropped = 0
        var picture: TerminalScreen?
        /// The picture that stands there now; drawn again when the terminal's size changes.
        var newest: TerminalScreen?
        var mustForget = false
        var isWriting = false
        var isGone = false
    }

    private let file: Int32
    private let limit: Int
    private let size: @Sendable () -> (columns: Int, rows: Int)
    private let dropNote: @Sendable (Int) -> String
    private let state = Locked(State())
    /// A pipe that wakes the writer: reading end, writing end.
    private let wake: (read: Int32, write: Int32)
    /// Gets one element, and ends, when nobody will ever read the output any more.
    let readerGone = BoundedStream<Void>(limit: 1)

    /// - Parameters:
    ///   - file: where to; it is never closed.
    ///   - limit: lines that wait.
    ///   - size: the terminal's columns and rows.
    ///   - dropNote: the line that tells how many were dropped.
    init(
        file: Int32 = STDOUT_FILENO, limit: Int = 1000,
        size: @escaping @Sendable () -> (columns: Int, rows: Int) = { StandardOutput.size },
        dropNote: @escaping @Sendable (Int) -> String
    ) {
        self.file = file
        self.limit = max(1, limit)
        self.size = size
        self.dropNote = dropNote
        var ends: [Int32] = [-1, -1]
        let isReady = pipe(&ends) == 0
        if isReady {
            for end in ends {
                _ = fcntl(end, F_SETFL, O_NONBLOCK)
                _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            }
        }
        wake = (ends[0], ends[1])  // safe: two elements
        // The thread, and with it the writer, lives until the process ends.
        if !isReady || !SystemThread.tryDetach({ [self] in run() }) { state.withLock { $0.isGone = true } }
    }

    /// Adds lines, and a new picture below them.
    func post(_ lines: [String], picture: TerminalScreen? = nil) {
        let isNew = state.withLock { state in
            guard !state.isGone else { return false }
            state.lines += lines
            let excess = state.lines.count - limit
            if excess > 0 {
                state.lines.removeFirst(excess)
                state.dropped += excess
            }
            if let picture {
                state.picture = picture
                state.newest = picture
            }
            return true
        }
        if isNew { signal() }
    }

    /// Draws the picture again.
    ///
    /// - Parameter forget: others have written to the terminal since, so the old picture is left standing.
    func refresh(forget: Bool) {
        state.withLock { state in
            state.picture = state.newest
            if forget { state.mustForget = true }
        }
        signal()
    }

    /// Waits until everything is written, but no longer than `time`.
    func drain(atMost time: Duration) async {
        let end = ContinuousClock.now + time
        while isBusy, ContinuousClock.now < end {
            // Cancelled or not, the last lines get their time.
            try? await Task.sleep(for: .milliseconds(2))
            if Task.isCancelled { await Task.yield() }
        }
    }

    private var isBusy: Bool {
        state.withLock { !$0.isGone && ($0.isWriting || !$0.lines.isEmpty || $0.dropped > 0 || $0.picture != nil) }
    }

    private func signal() {
        // A full pipe wakes as well as one byte does.
        _ = withUnsafeBytes(of: UInt8(1)) { write(wake.write, $0.baseAddress, 1) }
    }

    // MARK: The thread

    private func run() {
        var drawn: [String] = []
        while waitForWork() {
            let (text, isEmpty) = next(&drawn)
            guard !isEmpty else {
                state.withLock { $0.isWriting = false }
                continue
            }
            do throws(DeviceError) {
                try FileDescriptorText.write(text, to: file, patience: -1)
            } catch {
                return giveUp(tell: error.code == .closed)
            }
            state.withLock { $0.isWriting = false }
        }
    }

    /// Waits for something to write, and watches a pipe's reader meanwhile.
    ///
    /// - Returns: false when nobody will read.
    private func waitForWork() -> Bool {
        while true {
            var pollers = [
                pollfd(fd: wake.read, events: Int16(POLLIN), revents: 0), pollfd(fd: file, events: 0, revents: 0),
            ]
            guard poll(&pollers, 2, -1) >= 0 else {
                if errno == EINTR { continue }
                giveUp(tell: false)
                return false
            }
            let gone = Int32(pollers[1].revents)  // safe: two elements
            if gone & (POLLERR | POLLHUP | POLLNVAL) != 0 {
                // An error without a hang-up is a pipe without a reader; a terminal that is gone has its own signal.
                giveUp(tell: gone & POLLERR != 0)
                return false
            }
            if pollers[0].revents != 0 {  // safe: two elements
                var bytes = [UInt8](repeating: 0, count: 4096)
                _ = read(wake.read, &bytes, bytes.count)
                return true
            }
        }
    }

    private func giveUp(tell: Bool) {
        state.withLock { state in
            state.isGone = true
            state.lines = []
        }
        if tell { readerGone.send(()) }
        readerGone.finish()
    }

    /// Everything that waits as one text.
    private func next(_ drawn: inout [String]) -> (text: String, isEmpty: Bool) {
        let (lines, dropped, picture, mustForget) = state.withLock { state in
            defer {
                state.lines = []
                state.dropped = 0
                state.picture = nil
                state.mustForget = false
            }
            state.isWriting = !state.lines.isEmpty || state.picture != nil
            return (state.lines, state.dropped, state.picture ?? state.newest, state.mustForget)
        }
        // In the background the terminal is the shell's: lines may appear there, the picture waits for `fg`.
        let group = tcgetpgrp(file)
        let isInForeground = group < 0 || group == getpgrp()
        if mustForget || !isInForeground { drawn = [] }
        let isRedrawn = picture != nil && isInForeground
        guard isRedrawn || !lines.isEmpty else { return ("", true) }
        let size = size()
        var text = isRedrawn ? Self.erasing(drawn, size) : ""
        if dropped > 0 { text += dropNote(dropped) + "\n" }
        for line in lines { text += line + "\n" }
        if let picture, isRedrawn {
            drawn = picture.rows(width: size.columns, height: size.rows)
            for row in drawn { text += row + "\n" }
        }
        return (text, false)
    }

    /// Goes to the start of the old picture and clears from there. A terminal that became narrower has wrapped its
    /// rows, and what has left the screen at the top cannot be reached.
    static func erasing(_ drawn: [String], _ size: (columns: Int, rows: Int)) -> String {
        guard !drawn.isEmpty else { return "" }
        let width = max(1, size.columns)
        let rows = drawn.reduce(0) { $0 + max(1, (TerminalText.columns($1) + width - 1) / width) }
        let up = min(rows, max(0, size.rows - 1))
        return (up > 0 ? "\u{1B}[\(up)F" : "\r") + "\u{1B}[J"
    }
}
