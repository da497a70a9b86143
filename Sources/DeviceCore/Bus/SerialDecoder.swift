/// Turns what a kernel's terminal gives with PARMRK (termios(3)) into events: marked errors, and runs that end a
/// message. It has no I/O and keeps at most ``limit`` bytes.
package struct SerialDecoder {
    private enum Mark {
        case none
        case escape
        case error
    }

    /// Bytes of one event; a larger message without its pattern comes in pieces.
    package static let limit = 4096

    private let pattern: SerialSettings.Pattern?
    private let hasParity: Bool
    private var mark = Mark.none
    private var waiting: [UInt8] = []
    private var run = 0
    private var last = MonotonicTime.zero

    /// Makes a decoder.
    package init(_ settings: SerialSettings) {
        pattern = settings.pattern
        hasParity = settings.parity != .none
    }

    /// Bytes that are gathered and not handed out yet.
    package var count: Int { waiting.count }

    /// Takes bytes as the kernel gave them at a time; hands out what is complete.
    package mutating func take(_ bytes: some Sequence<UInt8>, at time: MonotonicTime) -> [SerialEvent] {
        var events: [SerialEvent] = []
        if let pattern, pattern.gap > .zero, time - last > pattern.gap { run = 0 }
        last = time
        for byte in bytes {
            switch mark {
            case .none where byte == 0xFF: mark = .escape
            case .none: append(byte, &events)
            case .escape:
                mark = byte == 0 ? .error : .none
                // FF FF stands for FF; FF before anything else is not the kernel's, and is taken as it is.
                if byte != 0 {
                    append(0xFF, &events)
                    if byte != 0xFF { append(byte, &events) }
                }
            case .error:
                mark = .none
                run = 0
                events += flush()
                events.append(.error(byte == 0 ? .lineBreak : hasParity ? .parity : .frame))
            }
        }
        return events
    }

    /// Hands out what is gathered, because the line has become quiet.
    package mutating func flush() -> [SerialEvent] {
        guard !waiting.isEmpty else { return [] }
        defer { waiting = [] }
        return [.data(waiting, isPattern: false)]
    }

    private mutating func append(_ byte: UInt8, _ events: inout [SerialEvent]) {
        waiting.append(byte)
        if let pattern {
            run = byte == pattern.byte ? run + 1 : 0
            if run == pattern.count {
                run = 0
                events.append(.data(waiting, isPattern: true))
                waiting = []
                return
            }
        }
        if waiting.count >= Self.limit { events += flush() }
    }
}
