import DeviceCore
import Glibc

/// Where the demo's events go: the terminal's picture, plain lines, or JSON. Never waits for who reads it.
final class DemoOutput: Sendable {
    enum Style: Sendable {
        case screen
        case lines
        /// Plain lines on a terminal on which somebody types.
        case prompt
        case json
    }

    private struct State {
        var screen = TerminalScreen()
        /// Failures that were told since the last session; while all nodes are down they come again and again.
        var toldFailures: Set<String> = []
        var wasEverConnected = false
    }

    let style: Style
    private let state = Locked(State())
    private let writer: OutputWriter
    private let events: OutputWriter?

    /// - Parameter events: a file that gets all events as JSON lines as well.
    init(style: Style, events: String? = nil) {
        self.style = style
        let file = events.map { open($0, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600) } ?? -1
        let reason = errno
        self.events =
            file < 0 ? nil : OutputWriter(file: file) { DemoEvent.note("\($0) events dropped, unread.").json }
        writer = OutputWriter { count in
            let text = "\(count) line\(count == 1 ? "" : "s") dropped, because nobody read the output."
            return style == .json ? DemoEvent.note(text).json : text
        }
        if let events, file < 0 { report(.warning("No events go to \(events): \(SystemError.text(reason))")) }
    }

    /// Whether a broker was connected at any time.
    var wasEverConnected: Bool { state.withLock { $0.wasEverConnected } }

    /// Gets one element when nobody will ever read the output any more, as behind `| head -1`.
    var readerGone: BoundedStream<Void> { writer.readerGone }

    /// Changes the picture; without effect in the other styles.
    func update(_ change: (inout TerminalScreen) -> Void) {
        guard style == .screen else { return }
        state.withLock { state in
            change(&state.screen)
            writer.post([], picture: state.screen)
        }
    }

    /// Draws the picture again, after a change of the terminal's size or, with `forget`, after others wrote to it.
    func redraw(forget: Bool) { if style == .screen { writer.refresh(forget: forget) } }

    /// Prints a line above the picture.
    func note(_ text: String) { report(.note(text)) }

    /// Prints lines as they are above the picture; without effect in the other styles.
    func show(_ lines: [String]) { if style == .screen { writer.post(lines) } }

    func report(_ event: DemoEvent) {
        events?.post([event.json])
        if case .heartbeat = event { return }
        state.withLock { state in
            if case .connected = event { state.wasEverConnected = true }
            if style == .json { return writer.post([event.json]) }
            var line = style == .prompt ? event.promptLine : event.line
            if case .disconnected(let node, let reason, _, _, let wasConnected) = event {
                let failure = "\(node) \(reason)"
                if !wasConnected, state.toldFailures.contains(failure) { line = nil }
                if state.toldFailures.count < 64 { state.toldFailures.insert(failure) }
            }
            if case .connected = event { state.toldFailures = [] }
            let lines = line.map { [$0] } ?? []
            guard style == .screen else { return lines.isEmpty ? () : writer.post(lines) }
            Self.apply(event, to: &state.screen)
            switch event {
            // What the picture shows is not repeated in words.
            case .led, .temperature, .watchers, .page, .started, .pins: writer.post([], picture: state.screen)
            default: writer.post(lines, picture: state.screen)
            }
        }
    }

    private static func apply(_ event: DemoEvent, to screen: inout TerminalScreen) {
        switch event {
        case .page(let url): screen.page = url
        case .connected(let node, let address):
            screen.isConnected = true
            screen.connection = "Connected to: \(node) (as \(address))"
        case .disconnected(let node, let reason, _, _, _):
            screen.isConnected = false
            screen.watchers = nil
            screen.connection = "reconnecting: \(node), \(reason)"
        case .led(let id, _, let isOn, _):
            for index in screen.leds.indices where screen.leds[index].id == id { screen.leds[index].isOn = isOn }
        case .temperature(let tenths): screen.temperature = tenths
        case .watchers(let count): screen.watchers = count
        case .pins(let pins): screen.pins = pins
        case .started, .moved, .heartbeat, .trace, .note, .warning, .ended: break
        }
    }

    /// Leaves the last state standing, and gives who reads a second for what still waits.
    func end() async {
        update { $0.keys = "" }
        await writer.drain(atMost: .seconds(1))
    }
}
