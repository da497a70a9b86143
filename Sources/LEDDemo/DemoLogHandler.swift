import DeviceCore
import Glibc
import Logging

/// Log lines on standard error that wait in a queue, so that a log which nobody drains stops nothing.
struct DemoLogHandler: LogHandler {
    let label: String
    let writer: OutputWriter
    var logLevel = Logger.Level.info
    var metadata: Logger.Metadata = [:]

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { $1 }
        let facts = all.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
        // Peers' text is part of messages.
        writer.post(["\(Self.now) \(event.level) \(label): \(event.message)\(facts)".printable])
    }

    /// The local time, as other logs write it.
    private static var now: String {
        var seconds = time(nil)
        var parts = tm()
        localtime_r(&seconds, &parts)
        var text = [UInt8](repeating: 0, count: 40)
        let count = text.withUnsafeMutableBytes { bytes in
            strftime(bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count, "%Y-%m-%dT%H:%M:%S%z", &parts)
        }
        return String(decoding: text.prefix(count), as: UTF8.self)
    }
}
