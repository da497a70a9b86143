import Glibc

/// This machine's name.
public enum HostName {
    /// As the system has it, "device" when it has none.
    public static var current: String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard gethostname(&buffer, buffer.count - 1) == 0, buffer.first != 0 else { return "device" }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The names that a browser on the same network may use, in lower case.
    public static var ownNames: Set<String> {
        let name = current.lowercased()
        return [name, "\(name).local"]
    }
}
