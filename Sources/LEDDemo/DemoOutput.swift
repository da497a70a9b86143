import DeviceCore

/// Where the demo's events go: the terminal's picture, plain lines, or JSON.
final class DemoOutput: Sendable {
    enum Style: Sendable {
        case screen
        case lines
        case json
    }

    private struct State {
        var screen = TerminalScreen()
        /// The same failure again and again is told once.
        var lastFailure: String?
        var wasEverConnected = false
    }

    let style: Style
    private let state = Locked(State())

    init(style: Style) { self.style = style }

    /// Whether a broker was connected at any time.
    var wasEverConnected: Bool { state.withLock { $0.wasEverConnected } }

    /// Changes the picture; without effect in the other styles.
    func update(_ change: (inout TerminalScreen) -> Void) {
        guard style == .screen else { return }
        state.withLock { state in
            change(&state.screen)
            state.screen.redraw()
        }
    }

    /// Prints text as it is, above the picture.
    func note(_ text: String) {
        switch style {
        case .json: report(.note(text))
        case .lines: StandardOutput.write(text + "\n")
        case .screen: state.withLock { $0.screen.log(text) }
        }
    }

    func report(_ event: DemoEvent) {
        if case .connected = event { state.withLock { $0.wasEverConnected = true } }
        if style == .json { return StandardOutput.write(event.json + "\n") }
        state.withLock { state in
            var line = event.line
            if case .disconnected(let node, let reason, _, _, let wasConnected) = event {
                let failure = "\(node) \(reason)"
                if !wasConnected, state.lastFailure == failure { line = nil }
                state.lastFailure = failure
            }
            if case .connected = event { state.lastFailure = nil }
            guard style == .screen else {
                if let line { StandardOutput.write(line + "\n") }
                return
            }
            Self.apply(event, to: &state.screen)
            switch event {
            // What the picture shows is not repeated in words.
            case .led, .temperature, .watchers, .page, .started: state.screen.redraw()
            default: if let line { state.screen.log(line) } else { state.screen.redraw() }
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
        case .started, .note, .warning, .ended: break
        }
    }

    func end() { if style == .screen { state.withLock { $0.screen.end() } } }
}
