public import DeviceCore

/// A serial line in memory: what is written comes back, or goes to whoever is at the other end.
public final class SimulatedSerialLine: SerialLine {
    private struct State {
        var decoder: SerialDecoder
        var isClosed = false
        var written: [UInt8] = []
    }

    /// What it is called in messages.
    public let name: String
    /// What arrives.
    public let events: SerialInbox
    private let state: Locked<State>
    private let answer: @Sendable ([UInt8]) -> [UInt8]

    /// - Parameter answer: what the other end sends back for bytes; by default the same bytes.
    public init(
        _ settings: SerialSettings = SerialSettings(), name: String = "simulated serial line",
        answer: @escaping @Sendable ([UInt8]) -> [UInt8] = { $0 }
    ) {
        self.name = name
        self.answer = answer
        events = SerialInbox(limit: settings.receiveBuffer)
        state = Locked(State(decoder: SerialDecoder(settings)))
    }

    /// As many as a kernel's buffer has.
    public var writableBytes: Int { 4095 }
    /// The latest 65536 bytes that were written.
    public var written: [UInt8] { state.withLock { $0.written } }

    /// Bytes arrive from the other end.
    public func receive(_ bytes: [UInt8]) {
        let events = state.withLock { state -> [SerialEvent] in
            guard !state.isClosed else { return [] }
            // As the kernel marks it.
            let marked = bytes.flatMap { $0 == 0xFF ? [0xFF, 0xFF] : [$0] }
            return state.decoder.take(marked, at: .zero) + state.decoder.flush()
        }
        self.events.add(events)
    }

    /// Something that is no byte arrives.
    public func receive(_ error: SerialError) { events.add([.error(error)]) }

    /// Takes bytes; the other end answers at once.
    public func write(_ bytes: [UInt8]) throws(DeviceError) {
        let isClosed = state.withLock { state in
            state.written = (state.written + bytes).suffix(65536)
            return state.isClosed
        }
        guard !isClosed else { throw DeviceError(.closed, "\(name) was closed") }
        receive(answer(bytes))
    }

    /// Ends what arrives.
    public func close() {
        state.withLock { $0.isClosed = true }
        events.finish()
    }
}
