import DeviceCore

/// The summary as a picture: SVG, light or dark as its viewer is, without scripts and without fonts of its own.
struct FleetPicture {
    let summary: FleetSummary
    private static let width = 960
    private static let blue = "a"
    private static let orange = "b"

    init(_ summary: FleetSummary) { self.summary = summary }

    var svg: String {
        var parts: [String] = []
        var y = 118
        parts.append(tiles(at: y))
        y += 108
        let absence = summary.absence
        let absent =
            absence.count > 0
            ? " · \(Self.grouped(UInt64(absence.count))) without one at the end, the longest for \(absence.longest.short)"
            : ""
        parts.append(
            timeline(at: y, "Devices with a session\(absent)", Self.blue, summary.samples.map { Double($0.connected) }))
        y += 178
        parts.append(
            timeline(at: y, "Messages a second that arrived", Self.orange, rates { $0.totals.delivered }))
        y += 178
        let histograms = [
            ("Connect: from switched on to the session", summary.connect, Self.blue),
            ("Gap: without a session at a move", summary.gap, Self.orange),
            ("Latency: from publish to an independent receiver", summary.latency, Self.blue),
            ("Command: from the controller to the LED's echo", summary.command, Self.orange),
        ].filter { $0.1.count > 0 }
        for (index, (title, histogram, style)) in histograms.enumerated() {
            parts.append(bars(x: index % 2 == 0 ? 32 : 496, y: y + index / 2 * 218, title, histogram, style))
        }
        y += (histograms.count + 1) / 2 * 218
        return head(height: y + 8) + parts.joined() + "</svg>\n"
    }

    private func head(height: Int) -> String {
        let title =
            "\(Self.grouped(UInt64(summary.devices))) virtual devices, \(summary.duration.short), scenario \(summary.scenario.rawValue)"
        let brokers = summary.brokers.prefix(4).joined(separator: ", ") + (summary.brokers.count > 4 ? ", …" : "")
        let line =
            "seed \(summary.seed) · delivery \(summary.delivery.rawValue) · \(summary.receivers) receivers"
            + " · brokers \(summary.isLinked ? "linked" : "not linked") · \(brokers)"
        return """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Self.width) \(height)" width="\(Self.width)" \
            height="\(height)" role="img" aria-label="\(Self.escaped(title))">
            <style>
            svg{background:#fff;font:14px system-ui,sans-serif;--t:#1b1f24;--q:#5b6570;--g:#dfe4ea;--c:#f4f6f9;--a:#1f6feb;--b:#d9730d;--r:#c0262d}
            @media(prefers-color-scheme:dark){svg{background:#12161c;--t:#e8ecf1;--q:#9aa5b1;--g:#2c343e;--c:#1b222b;--a:#58a6ff;--b:#f0a04b;--r:#ff7b72}}
            text{fill:var(--t)}.q{fill:var(--q);font-size:12px}.h{font-size:22px;font-weight:600}.v{font-size:22px;font-weight:600}
            .s{font-weight:600}.g{stroke:var(--g)}.c{fill:var(--c)}.a{fill:var(--a)}.b{fill:var(--b)}.bad{fill:var(--r)}
            .la{stroke:var(--a)}.lb{stroke:var(--b)}.l{fill:none;stroke-width:2;stroke-linejoin:round}.e{text-anchor:end}.m{text-anchor:middle}
            </style>
            <text x="32" y="52" class="h">\(Self.escaped(title))</text>
            <text x="32" y="78" class="q">\(Self.escaped(line))</text>

            """
    }

    // MARK: Tiles

    private func tiles(at y: Int) -> String {
        let totals = summary.totals
        let memory = summary.memoryPerDevice.map { "\(($0 + 512) / 1024) KiB" } ?? "–"
        let tiles: [(String, String, Bool)] = [
            ("with a session", Self.grouped(UInt64(summary.connected)), summary.connected < summary.devices),
            ("all in after", summary.allConnected?.short ?? "never", summary.allConnected == nil),
            ("memory each", memory, false),
            ("arrived", Self.grouped(totals.delivered), false),
            ("lost", Self.grouped(summary.lost), summary.lost > 0),
            ("duplicated", Self.grouped(totals.duplicated), totals.duplicated > 0),
            ("moves", Self.grouped(summary.moves), false),
        ]
        return tiles.enumerated().map { index, tile in
            let x = 32 + index * 129
            return """
                <rect x="\(x)" y="\(y)" width="121" height="74" rx="8" class="c"/>\
                <text x="\(x + 12)" y="\(y + 26)" class="q">\(tile.0)</text>\
                <text x="\(x + 12)" y="\(y + 56)" class="v\(tile.2 ? " bad" : "")">\(Self.escaped(tile.1))</text>

                """
        }.joined()
    }

    // MARK: Time

    private func rates(_ value: (FleetSample) -> UInt64) -> [Double] {
        guard let first = summary.samples.first else { return [] }
        return [0]
            + zip(summary.samples, summary.samples.dropFirst()).map { before, after in
                let time = max(0.001, (after.time - before.time).seconds)
                return Double(value(after) - min(value(before), value(after))) / time
            } + (summary.samples.count == 1 ? [Double(value(first))] : [])
    }

    private func timeline(at y: Int, _ title: String, _ style: String, _ values: [Double]) -> String {
        let (left, height, width) = (88, 110, Self.width - 120)
        let end = summary.samples.last?.time.seconds ?? 0
        let top = max(1, values.max() ?? 1)
        let base = y + 20 + height
        var text = "<text x=\"32\" y=\"\(y + 4)\" class=\"s\">\(Self.escaped(title))</text>\n"
        for share in [0.0, 0.5, 1] {
            let line = base - Int(Double(height) * share)
            text += "<line x1=\"\(left)\" x2=\"\(left + width)\" y1=\"\(line)\" y2=\"\(line)\" class=\"g\"/>"
            text +=
                "<text x=\"\(left - 8)\" y=\"\(line + 4)\" class=\"q e\">\(Self.grouped(UInt64(top * share)))</text>\n"
        }
        for share in [0.0, 0.25, 0.5, 0.75, 1] {
            let x = left + Int(Double(width) * share)
            text += "<text x=\"\(x)\" y=\"\(base + 18)\" class=\"q m\">\(Duration.seconds(end * share).short)</text>\n"
        }
        let points = zip(summary.samples, values).map { sample, value in
            let x = Double(left) + (end > 0 ? sample.time.seconds / end : 0) * Double(width)
            return "\(Self.tenths(x)),\(Self.tenths(Double(base) - value / top * Double(height)))"
        }
        return text + "<polyline class=\"l l\(style)\" points=\"\(points.joined(separator: " "))\"/>\n"
    }

    // MARK: Histograms

    private func bars(x: Int, y: Int, _ title: String, _ histogram: Histogram, _ style: String) -> String {
        let (width, height) = (432, 110)
        let bars = histogram.bars
        let top = Double(max(1, bars.map(\.count).max() ?? 1))
        let step = Double(width) / Double(max(6, bars.count))
        let base = y + 52 + height
        var text = "<text x=\"\(x)\" y=\"\(y + 4)\" class=\"s\">\(Self.escaped(title))</text>\n"
        text +=
            "<text x=\"\(x)\" y=\"\(y + 24)\" class=\"q\">\(Self.grouped(histogram.count)) · half within "
            + "\(histogram.quantile(0.5).short) · 99 % within \(histogram.quantile(0.99).short)"
            + " · longest \(histogram.maximum.short)</text>\n"
        text += "<line x1=\"\(x)\" x2=\"\(x + width)\" y1=\"\(base)\" y2=\"\(base)\" class=\"g\"/>\n"
        let labelled = max(1, (bars.count + 5) / 6)
        for (index, bar) in bars.enumerated() {
            let left = Double(x) + Double(index) * step
            let tall = bar.count == 0 ? 0 : max(1.5, Double(bar.count) / top * Double(height))
            text +=
                "<rect x=\"\(Self.tenths(left + 1))\" y=\"\(Self.tenths(Double(base) - tall))\" "
                + "width=\"\(Self.tenths(max(1, step - 2)))\" height=\"\(Self.tenths(tall))\" class=\"\(style)\">"
                + "<title>\(bar.from.short) to \(bar.to.short): \(Self.grouped(bar.count))</title></rect>\n"
            if index % labelled == 0 {
                text += "<text x=\"\(Self.tenths(left + 1))\" y=\"\(base + 18)\" class=\"q\">\(bar.from.short)</text>\n"
            }
        }
        return text
    }

    // MARK: Text

    static func escaped(_ text: String) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            // What XML 1.0 cannot hold.
            case "\0"..<" ", "\u{7F}"..."\u{9F}", "\u{FFFE}"..."\u{FFFF}": escaped += "\u{FFFD}"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }

    static func grouped(_ value: UInt64) -> String {
        var text = ""
        for (index, digit) in String(value).reversed().enumerated() {
            if index > 0, index % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return String(text.reversed())
    }

    private static func tenths(_ value: Double) -> String {
        let tenths = Int64((value * 10).rounded())
        return "\(tenths < 0 ? "-" : "")\(tenths.magnitude / 10).\(tenths.magnitude % 10)"
    }
}
