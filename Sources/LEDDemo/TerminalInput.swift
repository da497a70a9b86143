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

    /// - Returns: nil when standard input is no terminal, or one that this process has only in the background, where
    ///   the system would stop who reads.
    init?() {
        var settings = termios()
        guard isatty(STDIN_FILENO) == 1, tcgetpgrp(STDIN_FILENO) == getpgrp(), tcgetattr(STDIN_FILENO, &settings) == 0
        else { return nil }
        original = settings
        settings.c_lflag &= ~tcflag_t(ICANON | ECHO)
        guard tcsetattr(STDIN_FILENO, TCSANOW, &settings) == 0 else { return nil }
    }

    /// Reads until the task is cancelled. Blocking reads have a thread of their own.
    func run() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isStarted = BlockingThread.start { [self] in
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
    }

    /// Puts the terminal back as it was.
    func restore() {
        var settings = original
        tcsetattr(STDIN_FILENO, TCSANOW, &settings)
    }

    private func readKeys() {
        var poller = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
        var buffer = [UInt8](repeating: 0, count: 64)
        while !isStopping.load(ordering: .relaxed) {
            guard poll(&poller, 1, 100) > 0 else { continue }
            let count = read(STDIN_FILENO, &buffer, buffer.count)
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

/// A thread for blocking calls, which must not hold up the tasks of the process.
enum BlockingThread {
    private final class Body: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    /// - Returns: false when the system has no thread to give; then nothing runs.
    static func start(_ run: @escaping @Sendable () -> Void) -> Bool {
        var thread = pthread_t()
        let argument = Unmanaged.passRetained(Body(run)).toOpaque()
        let result = pthread_create(
            &thread, nil,
            { argument in
                if let argument { Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run() }
                return nil
            }, argument)
        guard result == 0 else {
            Unmanaged<Body>.fromOpaque(argument).release()
            return false
        }
        pthread_detach(thread)
        return true
    }
}
