import DeviceCore
import NIOPosix

/// What can be printed: a line for a person, a line of JSON.
protocol PrintableEvent: Sendable {
    var line: String { get }
    var json: String { get }
    /// Lines that nobody read in time.
    static func dropped(_ lines: UInt64) -> Self
}

/// Prints events in a thread of its own, so that a reader who is slow or has stopped holds up no datagram.
final class EventOutput<Event: PrintableEvent>: Sendable {
    private let events: BoundedStream<Event>
    private let isJSON: Bool
    private let write: @Sendable (String) -> Void

    /// - Parameter limit: events that wait for a slow reader; then the oldest are dropped and counted.
    init(isJSON: Bool, limit: Int = 10_000, write: @escaping @Sendable (String) -> Void) {
        events = BoundedStream(limit: limit)
        self.isJSON = isJSON
        self.write = write
    }

    func report(_ event: Event) { events.send(event) }

    func report(contentsOf batch: [Event]) { events.send(contentsOf: batch) }

    /// No more events; ``run()`` ends when those that wait are printed.
    func finish() { events.finish() }

    /// Prints until ``finish()``.
    func run() async {
        var dropped: UInt64 = 0
        for await first in events {
            var text = ""
            let all = events.dropped
            if all > dropped {
                append(.dropped(all - dropped), to: &text)
                dropped = all
            }
            append(first, to: &text)
            for event in events.takeAll() ?? [] { append(event, to: &text) }
            let batch = text
            try? await NIOThreadPool.singleton.runIfActive { [write] in write(batch) }
        }
    }

    private func append(_ event: Event, to text: inout String) {
        text += isJSON ? event.json : event.line
        text += "\n"
    }
}
