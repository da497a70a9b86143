import DeviceCore
import Glibc
import Synchronization

/// A key that was pressed.
enum TerminalKey: Equatable, Sendable {
    case character(Character)
    case up
    case down
    case left
    case right
}

/// Keys from the terminal, one by one as they are pressed. The terminal's settings are put back when it ends.
final class TerminalInput: Sendable {
    private let original: termios
    private let isStopping = Atomic(false)
    /// The keys.
    let keys = BoundedStream<TerminalKey>(limit: 64)
    /// Tells when this process has the terminal again: after Ctrl-Z, `bg` and `fg` no signal does.
    let returns = BoundedStream<Void>(limit: 1)

    /// - Returns: nil when standard input is no terminal, or one that this process has only in the background, where
    ///   the system would stop who reads.
    init?() {
        var settings = termios()
        guard isatty(STDIN_FILENO) == 1, tcgetpgrp(STDIN_FILENO) == getpgrp(), tcgetattr(STDIN_FILENO, &settings) == 0
        else { return nil }
        original = settings
        // Reading or setting the terminal just after Ctrl-Z and `bg` is an error then, and does not stop the process.
        Glibc.signal(SIGTTIN, SIG_IGN)
        guard takeKeys() else { return nil }
    }

    /// Whether this process has the terminal: after Ctrl-Z and `bg` the shell has it.
    private var isInForeground: Bool { tcgetpgrp(STDIN_FILENO) == getpgrp() }

    /// Sets the terminal to give every key at once, without echo. To be called again after SIGCONT, because the shell
    /// has set its own mode meanwhile.
    @discardableResult
    func takeKeys() -> Bool {
        guard isInForeground else { return false }
        var settings = original
        settings.c_lflag &= ~tcflag_t(ICANON | ECHO)
        return tcsetattr(STDIN_FILENO, TCSANOW, &settings) == 0
    }

    /// Reads until the task is cancelled. Blocking reads have a thread of their own.
    func run() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isStarted = SystemThread.tryDetach { [self] in
                    readKeys()
                    continuation.resume()
                }
                if !isStarted { continuation.resume() }
            }
        } onCancel: {
            isStopping.store(true, ordering: .relaxed)
        }
        restore()
        keys.finish()
        returns.finish()
    }

    /// Puts the terminal back as it was; not in the background, where it is the shell's.
    func restore() {
        guard isInForeground else { return }
        var settings = original
        tcsetattr(STDIN_FILENO, TCSANOW, &settings)
    }

    private func readKeys() {
        var poller = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
        var buffer = [UInt8](repeating: 0, count: 64)
        var hadTerminal = true
        while !isStopping.load(ordering: .relaxed) {
            let hasTerminal = isInForeground
            if hasTerminal, !hadTerminal {
                takeKeys()
                returns.send(())
            }
            hadTerminal = hasTerminal
            guard poll(&poller, 1, 100) > 0 else { continue }
            guard isInForeground || poller.revents & Int16(POLLHUP) != 0 else {
                // What is typed now is the shell's.
                usleep(100_000)
                continue
            }
            let count = read(STDIN_FILENO, &buffer, buffer.count)
            if count < 0, [EINTR, EAGAIN].contains(errno) || (errno == EIO && !isInForeground) { continue }
            // The terminal is gone.
            guard count > 0 else { return }
            keys.send(contentsOf: Self.decode(buffer[0..<count]))
        }
    }

    static func decode(_ bytes: ArraySlice<UInt8>) -> [TerminalKey] {
        var keys: [TerminalKey] = []
        var rest = bytes
        while let first = rest.popFirst() {
            if first == 0x1B, rest.first == UInt8(ascii: "[") || rest.first == UInt8(ascii: "O") {
                rest = rest.dropFirst()
                switch rest.popFirst() {
                case UInt8(ascii: "A"): keys.append(.up)
                case UInt8(ascii: "B"): keys.append(.down)
                case UInt8(ascii: "C"): keys.append(.right)
                case UInt8(ascii: "D"): keys.append(.left)
                default: break
                }
            } else if first < 0x80 {
                keys.append(.character(Character(Unicode.Scalar(first))))
            }
        }
        return keys
    }
}
