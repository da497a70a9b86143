/// All results: one value per measurement, broker and round.
struct Report {
    /// What is measured, in which unit, and which direction is good.
    struct Measurement: Hashable {
        var name: String
        var unit: String
    }

    private(set) var order: [Measurement] = []
    private(set) var results: [Measurement: [String: Samples]] = [:]
    /// What failed, in sentences.
    private(set) var failures: [String] = []

    mutating func add(_ name: String, _ unit: String, _ broker: String, _ value: Double?) {
        guard let value else { return }
        let measurement = Measurement(name: name, unit: unit)
        if results[measurement] == nil { order.append(measurement) }
        results[measurement, default: [:]][broker, default: Samples()].add(value)
    }

    mutating func fail(_ what: String) { failures.append(what) }

    /// A table in Markdown: median (least to greatest) of the rounds, and the ratio of the first broker to each other.
    func table(_ brokers: [String]) -> String {
        var lines = [["measurement", "unit"] + brokers + brokers.dropFirst().map { "\(brokers[0]) / \($0)" }]
        lines.append(lines[0].map { _ in "--" })
        for measurement in order {
            let samples = brokers.map { results[measurement]?[$0] }
            var line = [measurement.name, measurement.unit]
            line += samples.map { samples in
                guard let samples, let median = samples.median else { return "" }
                guard samples.values.count > 1, let least = samples.minimum, let greatest = samples.maximum else {
                    return median.short
                }
                return "\(median.short) (\(least.short) to \(greatest.short))"
            }
            line += samples.dropFirst().map { other in
                guard let own = samples[0]?.median, let other = other?.median, other != 0 else { return "" }
                return (own / other).short
            }
            lines.append(line)
        }
        return lines.map { "| " + $0.joined(separator: " | ") + " |\n" }.joined()
    }

    /// The same for programs, with every value.
    func json(machine: String, before: String, after: String, rounds: Int) -> String {
        var lines: [String] = []
        for measurement in order {
            for (broker, samples) in (results[measurement] ?? [:]).sorted(by: { $0.key < $1.key }) {
                let values = samples.values.map { "\($0)" }.joined(separator: ",")
                lines.append(
                    "    {\"measurement\":\(measurement.name.quoted),\"unit\":\(measurement.unit.quoted),"
                        + "\"broker\":\(broker.quoted),\"median\":\(samples.median ?? 0),\"values\":[\(values)]}")
            }
        }
        return """
            {
              "machine": \(machine.quoted), "before": \(before.quoted), "after": \(after.quoted), "rounds": \(rounds),
              "failures": [\(failures.map(\.quoted).joined(separator: ", "))],
              "results": [
            \(lines.joined(separator: ",\n"))
              ]
            }

            """
    }
}

extension String {
    /// As a JSON string. Names and sentences of this program need no more than this.
    var quoted: String {
        "\""
            + map { $0 == "\"" || $0 == "\\" ? "\\\($0)" : $0.asciiValue.map { $0 < 32 } ?? false ? " " : String($0) }
            .joined()
            + "\""
    }
}

extension Double {
    /// Three digits that count, thousands and millions by letter.
    var short: String {
        func rounded(_ value: Double) -> String {
            let digits = value >= 100 ? 1.0 : value >= 10 ? 10.0 : value >= 1 ? 100.0 : 1000.0
            let scaled = (value * digits).rounded() / digits
            return digits == 1 ? "\(Int(scaled))" : "\(scaled)"
        }
        switch abs(self) {
        case 1_000_000...: return rounded(self / 1e6) + " M"
        case 10_000...: return rounded(self / 1e3) + " k"
        default: return rounded(self)
        }
    }
}
