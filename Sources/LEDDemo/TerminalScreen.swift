import DeviceCore
import Glibc

extension StandardOutput {
    /// Whether a picture can be drawn.
    static var isTerminal: Bool { isatty(STDOUT_FILENO) == 1 && getenv("TERM").map { String(cString: $0) } != "dumb" }

    /// Columns of the terminal; 80 when it does not tell.
    static var width: Int {
        var size = winsize()
        return ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
    }
}

/// The LEDs in the terminal: lines of log scroll away above, the state stays below and is redrawn in place.
struct TerminalScreen {
    struct LEDRow {
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
    var keys = ""
    private var drawnLines = 0

    /// Prints a line above the state.
    mutating func log(_ line: String) {
        StandardOutput.write(erase() + line + "\n" + draw())
    }

    mutating func redraw() { StandardOutput.write(erase() + draw()) }

    /// Leaves the last state standing.
    mutating func end() {
        keys = ""
        redraw()
        drawnLines = 0
    }

    private mutating func erase() -> String {
        defer { drawnLines = 0 }
        return drawnLines > 0 ? "\u{1B}[\(drawnLines)F\u{1B}[J" : ""
    }

    private mutating func draw() -> String {
        let text = lines(width: StandardOutput.width)
        drawnLines = text.count
        return text.joined(separator: "\n") + "\n"
    }

    func lines(width: Int) -> [String] {
        let dim = "\u{1B}[2m"
        let bold = "\u{1B}[1m"
        let plain = "\u{1B}[0m"
        var rows = ["", " \(bold)\(fit(title, width - 2))\(plain)"]
        if let page { rows.append(" \(dim)page  \(plain) \(fit(page, width - 9))") }
        let mark = isConnected ? "\u{1B}[32m●\(plain)" : "\u{1B}[31m○\(plain)"
        rows.append(" \(dim)broker\(plain) \(mark) \(fit(connection, width - 11))")
        rows.append("")
        for led in leds {
            let lamp = led.isOn ? Self.color(led.color) + "⬤\(plain)" : "\(dim)◯\(plain)"
            let state = led.isOn ? "\(bold)on \(plain)" : "\(dim)off\(plain)"
            let key = led.id <= 9 ? "\(led.id)" : " "
            let name = fit(led.name, 16).padded(to: 16)
            let line = "\(dim)\(fit(led.line, width - 36))\(plain)"
            rows.append("   \(dim)\(key)\(plain)  \(lamp)  \(name) \(state)  \(line)")
        }
        rows.append("")
        var facts: [String] = []
        if let temperature { facts.append("\(Self.degrees(temperature))") }
        if let watchers { facts.append("\(watchers) page\(watchers == 1 ? "" : "s") watching") }
        if !facts.isEmpty { rows.append("   " + facts.joined(separator: "   ")) }
        if !keys.isEmpty { rows.append(" \(dim)\(fit(keys, width - 2))\(plain)") }
        return rows
    }

    /// Tenths of a degree as people write them.
    static func degrees(_ tenths: Int) -> String {
        "\(tenths < 0 ? "-" : "")\(abs(tenths) / 10).\(abs(tenths) % 10) °C"
    }

    private func fit(_ text: String, _ width: Int) -> String {
        text.count <= width ? text : String(text.prefix(max(0, width - 1))) + "…"
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

extension String {
    func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
