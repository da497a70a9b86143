import DeviceCore
import DeviceScripts
import Glibc

extension StandardOutput {
    /// Whether a picture can be drawn.
    static var isTerminal: Bool { isatty(STDOUT_FILENO) == 1 && getenv("TERM").map { String(cString: $0) } != "dumb" }

    /// Columns and rows of the terminal; 80 and 24 when it does not tell.
    static var size: (columns: Int, rows: Int) {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 else { return (80, 24) }
        return (size.ws_col > 0 ? Int(size.ws_col) : 80, size.ws_row > 0 ? Int(size.ws_row) : 24)
    }
}

/// What the terminal shows of the LEDs: lines of log scroll away above, this stays below and is redrawn in place.
struct TerminalScreen: Sendable {
    struct LEDRow: Sendable {
        var id: Int
        var name: String
        var color: String
        var line: String
        var isOn: Bool
    }

    var title = ""
    var page: String?
    var connection = "not connected"
    var isConnected = false
    var watchers: Int?
    var leds: [LEDRow] = []
    var temperature: Int?
    /// The pins of scripts.
    var pins: [ScriptBoard.UsedPin] = []
    var keys = ""

    /// Below this many columns the line's names are left out.
    private static let narrow = 40
    private static let dim = "\u{1B}[2m"
    private static let bold = "\u{1B}[1m"
    private static let plain = "\u{1B}[0m"

    /// The rows for a terminal of this size: none is wider, and one row is left for the cursor.
    func rows(width: Int, height: Int) -> [String] {
        let room = max(1, height - 1)
        var head = [" \(Self.bold)\(title.printable)\(Self.plain)"]
        if let page { head.append(" \(Self.dim)page  \(Self.plain) \(page.printable)") }
        let mark = isConnected ? "\u{1B}[32m●\(Self.plain)" : "\u{1B}[31m○\(Self.plain)"
        head.append(" \(Self.dim)broker\(Self.plain) \(mark) \(connection.printable)")
        var tail: [String] = []
        if !pins.isEmpty {
            tail.append("   \(Self.dim)scripts\(Self.plain) " + pins.map(Self.pin).joined(separator: "  "))
        }
        var facts: [String] = []
        if let temperature { facts.append("\(Self.degrees(temperature))") }
        if let watchers { facts.append("\(watchers) page\(watchers == 1 ? "" : "s") watching") }
        if !facts.isEmpty { tail.append("   " + facts.joined(separator: "   ")) }
        if !keys.isEmpty { tail.append(" \(Self.dim)\(keys)\(Self.plain)") }

        var middle = leds.map { row($0, width) }
        if head.count + middle.count + tail.count + 3 <= room {
            head = [""] + head + [""]
            tail = [""] + tail
        } else {
            let space = max(0, room - head.count - tail.count)
            if middle.count > space {
                let shown = max(0, space - 1)
                let more = "   \(Self.dim)… \(middle.count - shown) more\(Self.plain)"
                middle = Array(middle.prefix(shown)) + (space > 0 ? [more] : [])
            }
        }
        // A terminal wraps a row that fills it to the last column only when more follows, so the full width is safe.
        return (head + middle + tail).prefix(room).map { TerminalText.fit($0, width) }
    }

    private func row(_ led: LEDRow, _ width: Int) -> String {
        let lamp = led.isOn ? Self.color(led.color) + "⬤\(Self.plain)" : "\(Self.dim)◯\(Self.plain)"
        let state = led.isOn ? "\(Self.bold)on \(Self.plain)" : "\(Self.dim)off\(Self.plain)"
        let key = led.id <= 9 ? "\(led.id)" : " "
        // 13 columns of lamp, state and space stand beside the name.
        let room = min(16, max(4, width - 13))
        let name = TerminalText.padded(TerminalText.fit(led.name.printable, room), to: room)
        let line = width < Self.narrow ? "" : "  \(Self.dim)\(led.line.printable)\(Self.plain)"
        return "   \(Self.dim)\(key)\(Self.plain)  \(lamp)  \(name) \(state)\(line)"
    }

    private static func pin(_ pin: ScriptBoard.UsedPin) -> String {
        let mark = pin.isHigh.map { $0 ? "\u{1B}[93m●\(plain)" : "\(dim)○\(plain)" } ?? "\u{1B}[96m◐\(plain)"
        return "\(mark) \(pin.line.printable)"
    }

    /// Tenths of a degree as people write them.
    static func degrees(_ tenths: Int) -> String {
        "\(tenths < 0 ? "-" : "")\(abs(tenths) / 10).\(abs(tenths) % 10) °C"
    }

    private static func color(_ name: String) -> String {
        switch name {
        case "red": "\u{1B}[91m"
        case "yellow": "\u{1B}[93m"
        case "green": "\u{1B}[92m"
        case "blue": "\u{1B}[94m"
        default: "\u{1B}[97m"
        }
    }
}
