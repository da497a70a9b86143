import Glibc

/// The C library's words for an error number.
package enum SystemError {
    /// For example "No such file or directory". Safe on all threads: so is glibc's `strerror` since 2.32.
    package static func text(_ error: Int32) -> String {
        strerror(error).map { String(cString: $0) } ?? "error \(error)"
    }
}
