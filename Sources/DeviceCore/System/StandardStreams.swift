import Glibc

/// Writes to standard output without buffers in between, so that lines reach a pipe at once.
package enum StandardOutput {
    /// Writes all of a text; waits for a reader that is slow. What nobody reads any more is lost, and the program
    /// goes on.
    package static func write(_ text: String) { FileDescriptorText.write(text, to: STDOUT_FILENO) }
}

/// Writes to standard error.
package enum StandardError {
    /// Writes all of a text.
    package static func write(_ text: String) { FileDescriptorText.write(text, to: STDERR_FILENO) }
}

private enum FileDescriptorText {
    static func write(_ text: String, to file: Int32) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            if count < 0 {
                if errno == EINTR || errno == EAGAIN { continue }
                return
            }
            bytes = bytes.dropFirst(count)
        }
    }
}
