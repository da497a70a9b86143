import DeviceCore
import DeviceScripts

/// What happens in the demo: shown in the terminal, or printed as lines of JSON.
enum DemoEvent: Sendable {
    case started(board: String, model: String, isSimulated: Bool, leds: Int)
    case page(String)
    case connected(node: String, address: String)
    case disconnected(node: String, reason: String, hint: String?, retryIn: Duration, wasConnected: Bool)
    /// The session in use is another one than before.
    /// `silence` is how long nothing had come from the old one when it was given up; zero when its end was told.
    case moved(from: String, to: String, reason: String, gap: Duration, silence: Duration)
    /// How the numbered messages of `--heartbeat` do; for programs only.
    case heartbeat(run: String, sent: UInt64, delivered: UInt64, waiting: UInt64, node: String?, standby: String?)
    /// `source` says who switched it: "page", "terminal", "button".
    case led(id: Int, name: String, isOn: Bool, source: String)
    case temperature(tenths: Int)
    case watchers(Int)
    /// A line of a script.
    case trace(app: String, text: String, isError: Bool)
    /// The pins that scripts have now.
    case pins([ScriptBoard.UsedPin])
    case note(String)
    case warning(String)
    case ended(reason: String)

    /// One line of JSON.
    var json: String {
        switch self {
        case .started(let board, let model, let isSimulated, let leds):
            Self.object(
                "started", ("board", .text(board)), ("model", .text(model)), ("simulated", .bool(isSimulated)),
                ("leds", .int(leds)))
        case .page(let url): Self.object("page", ("url", .text(url)))
        case .connected(let node, let address):
            Self.object("connected", ("broker", .text(node)), ("address", .text(address)))
        case .disconnected(let node, let reason, let hint, let retryIn, let wasConnected):
            Self.object(
                "disconnected", ("broker", .text(node)), ("reason", .text(reason)), ("hint", .text(hint ?? "")),
                ("retryInMilliseconds", .int(Int(retryIn.wholeNanoseconds / 1_000_000))),
                ("wasConnected", .bool(wasConnected)))
        case .moved(let from, let to, let reason, let gap, let silence):
            Self.object(
                "moved", ("from", .text(from)), ("to", .text(to)), ("reason", .text(reason)),
                ("gapMilliseconds", .int(Int(gap.wholeNanoseconds / 1_000_000))),
                ("silenceMilliseconds", .int(Int(silence.wholeNanoseconds / 1_000_000))))
        case .heartbeat(let run, let sent, let delivered, let waiting, let node, let standby):
            Self.object(
                "heartbeat", ("run", .text(run)), ("sent", .int(Int(clamping: sent))),
                ("delivered", .int(Int(clamping: delivered))), ("waiting", .int(Int(clamping: waiting))),
                ("broker", .text(node ?? "")), ("standby", .text(standby ?? "")))
        case .led(let id, let name, let isOn, let source):
            Self.object("led", ("id", .int(id)), ("name", .text(name)), ("on", .bool(isOn)), ("source", .text(source)))
        case .temperature(let tenths): Self.object("temperature", ("tenths", .int(tenths)))
        case .watchers(let count): Self.object("watchers", ("count", .int(count)))
        case .trace(let app, let text, let isError):
            Self.object("trace", ("app", .text(app)), ("text", .text(text)), ("isError", .bool(isError)))
        case .pins(let pins):
            Self.object("pins", ("pins", .list(pins.map(Self.pin))))
        case .note(let text): Self.object("note", ("text", .text(text)))
        case .warning(let text): Self.object("warning", ("text", .text(text)))
        case .ended(let reason): Self.object("ended", ("reason", .text(reason)))
        }
    }

    /// The line for a plain log, or nil for what a log does not need. What peers wrote in it cannot steer a terminal.
    var line: String? { text?.printable }

    /// The same for a terminal with a prompt: a line at each tick of a script would leave no room to type.
    var promptLine: String? { if case .pins = self { nil } else { line } }

    private var text: String? {
        switch self {
        case .started(_, let model, let isSimulated, let leds):
            "Board: \(model)\(isSimulated ? " (simulated)" : ""), \(leds) LED\(leds == 1 ? "" : "s")"
        case .page(let url): "Page: \(url)"
        case .connected(let node, let address): "Connected to: \(node) (as \(address))"
        case .disconnected(let node, let reason, let hint, let retryIn, let wasConnected):
            (wasConnected ? "Lost \(node): " : "Cannot use \(node): ") + reason + ". "
                + (hint.map { "\($0). " } ?? "")
                + (retryIn > .zero ? "Trying again in \(retryIn.wholeNanoseconds / 1_000_000) ms." : "Trying another.")
        case .moved(let from, let to, _, let gap, let silence):
            "Moved from \(Self.place(from)) to \(Self.place(to)) in \(gap.wholeNanoseconds / 1_000_000) ms"
                + (silence > .zero ? ", after \(silence.wholeNanoseconds / 1_000_000) ms of silence" : "")
        case .led(let id, let name, let isOn, let source): "LED \(id) (\(name)) \(isOn ? "on" : "off"), by \(source)"
        case .temperature, .heartbeat: nil
        case .trace(let app, let text, _): "\(app): \(text.replacing("\t", with: "  "))"
        case .pins(let pins): "Pins: " + pins.map(Self.pinText).joined(separator: ", ")
        case .watchers(let count): "\(count) page\(count == 1 ? "" : "s") watching"
        case .note(let text), .warning(let text): text
        case .ended(let reason): "Ended: \(reason)"
        }
    }

    /// The address where a node's text has it behind a name, as in `smq://name/smq.lsp (192.0.2.1:80)`.
    private static func place(_ node: String) -> String {
        guard node.hasSuffix(")"), let open = node.lastIndex(of: "(") else { return node }
        return String(node[open...].dropFirst().dropLast())
    }

    private static func pin(_ pin: ScriptBoard.UsedPin) -> String {
        "{\"pin\":\(pin.pin),\"line\":\(JSONWriter.quoted(pin.line)),\"app\":\(JSONWriter.quoted(pin.app)),\"high\":"
            + (pin.isHigh.map { "\($0)" } ?? "null") + "}"
    }

    /// `GPIO17 high`; PWM and buses have no level.
    static func pinText(_ pin: ScriptBoard.UsedPin) -> String {
        pin.line + (pin.isHigh.map { $0 ? " high" : " low" } ?? "")
    }

    private enum Value {
        case text(String)
        case int(Int)
        case bool(Bool)
        /// Texts of JSON.
        case list([String])
    }

    private static func object(_ event: String, _ fields: (String, Value)...) -> String {
        var text = "{\"event\":\(JSONWriter.quoted(event))"
        for (name, value) in fields {
            text += ",\"\(name)\":"
            switch value {
            case .text(let string): text += JSONWriter.quoted(string)
            case .int(let number): text += "\(number)"
            case .bool(let flag): text += "\(flag)"
            case .list(let items): text += "[\(items.joined(separator: ","))]"
            }
        }
        return text + "}"
    }
}
