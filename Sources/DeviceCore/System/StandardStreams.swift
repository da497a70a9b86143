import Glibc

/// Writes to standard output without buffers in between, so that lines reach a pipe at once.
package enum StandardOutput {
    /// Writes all of a text; waits for a reader that is slow. What nobody reads any more is lost, and the program
    /// goes on.
    package static func write(_ text: String) { try? FileDescriptorText.write(text, to: STDOUT_FILENO, patience: -1) }
}

/// Writes to standard error.
package enum StandardError {
    /// Writes a text; gives up on what nobody has read for a second, so that a program can always end.
    package static func write(_ text: String) {
        try? FileDescriptorText.write(text, to: STDERR_FILENO, patience: 1000)
    }
}

/// Writes texts to files, pipes and terminals that may be full.
package enum FileDescriptorText {
    /// Writes all of a text in pieces that a pipe takes whole, each only when there is room for it.
    ///
    /// - Parameter patience: milliseconds to wait for room; negative means for ever.
    /// - Throws: `.closed` when nobody will ever read it (EPIPE), `.timedOut`, `.io`.
    package static func write(_ text: String, to file: Int32, patience: Int32) throws(DeviceError) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            var poller = pollfd(fd: file, events: Int16(POLLOUT), revents: 0)
            let ready = poll(&poller, 1, patience)
            if ready == 0 { throw DeviceError(.timedOut, "nobody reads the output") }
            if ready < 0, errno != EINTR { throw DeviceError(.io, "cannot write: \(SystemError.text(errno))") }
            guard ready > 0 else { continue }
            let count = bytes.withUnsafeBytes { Glibc.write(file, $0.baseAddress, min($0.count, Int(PIPE_BUF))) }
            if count >= 0 {
                bytes = bytes.dropFirst(count)
                continue
            }
            switch errno {
            case EINTR: continue
            // Somebody else was faster: a terminal that says it is ready without taking anything must not be asked in
            // a tight loop.
            case EAGAIN: usleep(10_000)
            case EPIPE: throw DeviceError(.closed, "nobody reads the output any more")
            default: throw DeviceError(.io, "cannot write: \(SystemError.text(errno))")
            }
        }
    }
}
