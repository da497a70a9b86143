import DeviceCore
import Glibc

/// Live counters and the summary, for people: one line that is written over in a terminal, a line a second elsewhere.
struct FleetTerminal: Sendable {
    let isTerminal: Bool
    let devices: Int
    private let last = LastSample()

    private final class LastSample: Sendable {
        let value = Locked<FleetSample?>(nil)
    }

    init(devices: Int) {
        isTerminal = isatty(STDOUT_FILENO) == 1
        self.devices = devices
    }

    func show(_ report: FleetReport) {
        switch report {
        case .note(let text): write((isTerminal ? "\r\u{1B}[K" : "") + text.printable + "\n")
        case .sample(let sample):
            let before = last.value.withLock { last in
                defer { last = sample }
                return last
            }
            let line = Self.line(sample, before, devices)
            write(isTerminal ? "\r\u{1B}[K\(line)" : line + "\n")
        }
    }

    static func line(_ sample: FleetSample, _ before: FleetSample?, _ devices: Int) -> String {
        let time = max(0.001, (sample.time - (before?.time ?? .zero)).seconds)
        let totals = sample.totals
        let rate = Double(totals.delivered - min(totals.delivered, before?.totals.delivered ?? 0)) / time
        let underWay = totals.accepted - min(totals.accepted, totals.delivered)
        let grouped = FleetPicture.grouped
        var line =
            "\(Int(sample.time.seconds.rounded())) s  connected \(grouped(UInt64(sample.connected)))/\(grouped(UInt64(devices)))"
        line += "  taken \(grouped(totals.accepted))  arrived \(grouped(totals.delivered)) (\(grouped(UInt64(rate)))/s)"
        line +=
            "  missing \(grouped(underWay))  twice \(grouped(totals.duplicated))  refused \(grouped(totals.refused))"
        return line + "  memory \(sample.memory >> 20) MiB"
    }

    func show(_ summary: FleetSummary) { write((isTerminal ? "\r\u{1B}[K" : "") + Self.text(summary)) }

    static func text(_ summary: FleetSummary) -> String {
        let grouped = FleetPicture.grouped
        let totals = summary.totals
        func row(_ name: String, _ histogram: Histogram) -> String {
            guard histogram.count > 0 else { return "" }
            let name = name.padding(to: 12)
            return "\(name)\(grouped(histogram.count)): half within \(histogram.quantile(0.5).short), 99 % within "
                + "\(histogram.quantile(0.99).short), longest \(histogram.maximum.short)\n"
        }
        var text = "\n"
        text +=
            "devices     \(grouped(UInt64(summary.connected))) of \(grouped(UInt64(summary.devices))) connected at the end"
        if let all = summary.allConnected { text += "; all were after \(all.short)" }
        if summary.absence.count > 0 {
            text +=
                "; \(grouped(UInt64(summary.absence.count))) still without a session, the longest for \(summary.absence.longest.short)"
        }
        if let bytes = summary.memoryPerDevice { text += "; \((bytes + 512) / 1024) KiB each" }
        text +=
            "\nattempts    \(grouped(summary.attempts)), \(grouped(summary.failedAttempts)) failed; \(grouped(summary.moves)) moves\n"
        text +=
            "messages    \(grouped(totals.accepted)) taken, \(grouped(totals.delivered)) arrived, \(grouped(summary.lost)) lost, "
        text += "\(grouped(totals.duplicated)) duplicated, \(grouped(totals.refused)) refused"
        if summary.kept > 0 { text += ", \(grouped(summary.kept)) wait in outboxes" }
        if summary.copiesRemoved > 0 { text += ", \(grouped(summary.copiesRemoved)) copies sorted out" }
        text += "\n"
        if totals.commands + totals.commandsRefused > 0 {
            text += "commands    \(grouped(totals.commands)) sent, \(grouped(totals.answered)) echoed, "
            text += "\(grouped(totals.unanswered)) not, \(grouped(totals.commandsRefused)) refused\n"
        }
        if let scripts = summary.scripts {
            let running = UInt64(max(1, scripts.running))
            text += "scripts     \(grouped(UInt64(scripts.running))) run: \(grouped(scripts.activations)) activations, "
            text += "\(grouped(scripts.errors)) errors, \(grouped(scripts.kills)) ended for their budget; each "
            text += "\((UInt64(scripts.heap) / running + 512) / 1024) KiB of heap"
            if let share = summary.scriptShare { text += ", \(Self.percent(share)) of a processor" }
            text += "\n"
        }
        text += row("connect", summary.connect) + row("gap", summary.gap) + row("latency", summary.latency)
        text += row("command", summary.command) + row("lag", summary.lag)
        if summary.lag.quantile(0.99) > .milliseconds(250) {
            text += "This machine was late by more than 250 ms: the numbers say more of it than of the brokers.\n"
        }
        for reason in summary.reasons { text += "ended       \(reason.printable)\n" }
        return text
    }

    /// With two digits that count: `0.013 %`.
    private static func percent(_ share: Double) -> String {
        let thousandths = Int64((share * 100_000).rounded())
        return "\(Double(thousandths) / 1000) %"
    }

    /// What nobody reads in time is not worth waiting for.
    private func write(_ text: String) {
        try? FileDescriptorText.write(text, to: STDOUT_FILENO, patience: 200)
    }
}

extension String {
    fileprivate func padding(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
