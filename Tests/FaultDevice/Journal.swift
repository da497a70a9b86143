import DeviceCore
import Glibc

/// Writes events as JSON lines to standard output.
///
/// Without a buffer a line is in the file once ``add(_:at:_:)`` returns, so that a process that is killed has said
/// everything it knew. With one, lines gather until ``flush()``.
final class Journal: Sendable {
    private let buffer = Locked("")
    private let isBuffered: Bool

    init(isBuffered: Bool = false) { self.isBuffered = isBuffered }

    /// CLOCK_MONOTONIC in nanoseconds.
    static var now: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    func add(_ event: String, at time: Int64 = Journal.now, _ fields: [(String, JSONValue)] = []) {
        var line = "{\"t\":\(time),\"event\":\(JSONWriter.quoted(event))"
        for (name, value) in fields {
            line.append(",\(JSONWriter.quoted(name)):")
            JSONWriter.append(value, to: &line)
        }
        line.append("}\n")
        let isFull = buffer.withLock { buffer in
            buffer.append(line)
            return !isBuffered || buffer.utf8.count >= 1 << 16
        }
        if isFull { flush() }
    }

    /// Brings what has gathered to the file.
    func flush() {
        // Under the lock, so that lines of two threads keep their order.
        buffer.withLock { buffer in
            guard !buffer.isEmpty else { return }
            StandardOutput.write(buffer)
            buffer = ""
        }
    }

    /// Flushes 20 times a second until the task is cancelled.
    func flushRegularly() async {
        while !Task.isCancelled {
            flush()
            try? await Task.sleep(for: .milliseconds(50))
        }
        flush()
    }
}
