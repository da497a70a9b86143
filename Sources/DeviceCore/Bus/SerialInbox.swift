/// What a serial line has received and nobody has read yet, bounded in bytes; for one reader.
///
/// Bytes that arrive while it is full are thrown away, counted in ``droppedBytes`` and told by one
/// ``SerialError/full``. Runs of bytes that wait are joined.
public final class SerialInbox: AsyncSequence, Sendable {
    private struct State {
        var events: [SerialEvent] = []
        var bytes = 0
        var isFull = false
        var dropped: UInt64 = 0

        mutating func add(_ event: SerialEvent, limit: Int) {
            guard case .data(let data, let isPattern) = event else {
                // Errors come as fast as bytes do.
                if events.last != event { events.append(event) }
                return
            }
            guard bytes + data.count <= limit else {
                dropped += UInt64(data.count)
                if !isFull { events.append(.error(.full)) }
                isFull = true
                return
            }
            isFull = false
            bytes += data.count
            if case .data(let before, isPattern: false)? = events.last {
                events[events.count - 1] = .data(before + data, isPattern: isPattern)  // safe: there is a last one
            } else {
                events.append(event)
            }
        }
    }

    private let state = Locked(State())
    private let signal = BoundedStream<Void>(limit: 1)
    /// Bytes that may wait.
    public let limit: Int

    /// An empty inbox.
    public init(limit: Int) { self.limit = limit }

    /// Bytes thrown away because nobody read in time.
    public var droppedBytes: UInt64 { state.withLock { $0.dropped } }

    /// Adds events in order.
    package func add(_ events: [SerialEvent]) {
        guard !events.isEmpty else { return }
        state.withLock { state in for event in events { state.add(event, limit: limit) } }
        signal.send(())
    }

    /// Ends the sequence once what waits has been read.
    package func finish() { signal.finish() }

    /// The oldest event that waits, or nil when none does.
    public func take() -> SerialEvent? {
        state.withLock { state in
            guard !state.events.isEmpty else { return nil }
            let event = state.events.removeFirst()
            if case .data(let data, _) = event { state.bytes -= data.count }
            return event
        }
    }

    /// Reads the events in order; ends when the line is closed or gone, or the reading task is cancelled.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let inbox: SerialInbox
        var signals: BoundedStream<Void>.AsyncIterator

        /// The next event, or nil at the end.
        public mutating func next() async -> SerialEvent? {
            while true {
                if let event = inbox.take() { return event }
                guard await signals.next() != nil else { return inbox.take() }
            }
        }
    }

    /// An iterator; events are shared out between several.
    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(inbox: self, signals: signal.makeAsyncIterator())
    }
}
