import CDeviceShim

/// The C library's words for an error number.
enum SystemError {
    static func text(_ error: Int32) -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 128) { buffer in
            guard let start = buffer.baseAddress, let text = cdev_error_text(error, start, buffer.count) else {
                return "error \(error)"
            }
            return String(cString: text)
        }
    }
}
