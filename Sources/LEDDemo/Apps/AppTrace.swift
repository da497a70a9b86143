import DeviceCore

/// The newest lines of all apps, numbered from 1, for the page.
final class AppTrace: Sendable {
    struct Line: Sendable {
        let number: UInt64
        let app: String
        let text: String
        let isError: Bool
    }

    static let limit = 500

    private struct State {
        var lines: [Line] = []
        var next: UInt64 = 1
    }

    private let state = Locked(State())

    func add(app: String, text: String, isError: Bool) {
        state.withLock { state in
            // A fifth at once, so that the cost of moving the others is shared.
            if state.lines.count >= Self.limit { state.lines.removeFirst(Self.limit / 5) }
            state.lines.append(Line(number: state.next, app: app, text: text, isError: isError))
            state.next += 1
        }
    }

    /// The number of the newest line, 0 before the first.
    var newest: UInt64 { state.withLock { $0.next - 1 } }

    /// The lines after a number, oldest first.
    func lines(after number: UInt64) -> [Line] { state.withLock { $0.lines.filter { $0.number > number } } }
}
