import ClusterClient
import DeviceCore

extension FleetSummary {
    /// The summary for programs. Times are in microseconds unless the name says otherwise; `docs/fleet.md` explains it.
    var json: JSONValue {
        .object(
            JSONObject([
                ("version", 1), ("seed", .string(String(seed))), ("devices", .integer(Int64(devices))),
                ("scenario", .string(scenario.rawValue)), ("delivery", .string(delivery.rawValue)),
                ("rampSeconds", .number(ramp.seconds)), ("durationSeconds", .number(duration.seconds)),
                ("brokers", .array(brokers.map(JSONValue.string))), ("receivers", .integer(Int64(receivers))),
                ("brokersAreLinked", .bool(isLinked)), ("connections", connections), ("messages", messages),
                ("commands", commands), ("memory", memory), ("scripts", scriptFigures), ("connect", connect.json),
                ("gap", gap.json),
                ("silenceBeforeLoss", silence.json), ("latency", latency.json), ("commandRoundTrip", command.json),
                ("generatorLag", lag.json), ("errors", .array(reasons.map(JSONValue.string))),
                ("seconds", .array(seconds)),
            ]))
    }

    private var connections: JSONValue {
        let losses = JSONObject(
            self.losses.sorted { $0.key.rawValue < $1.key.rawValue }.map { ($0.key.rawValue, .counter($0.value)) })
        return .object(
            JSONObject([
                ("arrived", .counter(totals.arrived)), ("everConnected", .counter(everConnected)),
                ("connectedAtEnd", .integer(Int64(connected))),
                ("withoutSessionAtEnd", .integer(Int64(absence.count))),
                ("longestWithoutSessionSeconds", absence.count > 0 ? .number(absence.longest.seconds) : .null),
                ("allConnectedSeconds", allConnected.map { .number($0.seconds) } ?? .null),
                ("sessions", .counter(totals.sessions)), ("attempts", .counter(attempts)),
                ("failedAttempts", .counter(failedAttempts)), ("moves", .counter(moves)),
                ("losses", .object(losses)), ("ended", .counter(totals.ended)),
            ]))
    }

    private var messages: JSONValue {
        [
            "accepted": .counter(totals.accepted), "refused": .counter(totals.refused),
            "delivered": .counter(totals.delivered), "lost": .counter(lost), "keptInOutboxes": .counter(kept),
            "givenUpByOutboxes": .counter(givenUp), "duplicated": .counter(totals.duplicated),
            "copiesRemoved": .counter(copiesRemoved), "tooLateToTell": .counter(totals.unknown),
            "foreign": .counter(totals.foreign),
        ]
    }

    private var commands: JSONValue {
        [
            "sent": .counter(totals.commands), "refused": .counter(totals.commandsRefused),
            "answered": .counter(totals.answered), "unanswered": .counter(totals.unanswered),
            "presses": .counter(totals.presses),
        ]
    }

    private var memory: JSONValue {
        [
            "beforeBytes": .integer(Int64(memoryBefore)), "connectedBytes": .integer(Int64(memoryConnected)),
            "connectedDevices": .integer(Int64(memoryDevices)),
            "perDeviceBytes": memoryPerDevice.map { .integer(Int64($0)) } ?? .null,
        ]
    }

    private var scriptFigures: JSONValue {
        guard let scripts else { return .null }
        return [
            "running": .integer(Int64(scripts.running)), "activations": .counter(scripts.activations),
            "errors": .counter(scripts.errors), "kills": .counter(scripts.kills),
            "dropped": .counter(scripts.dropped), "heapBytes": .integer(Int64(scripts.heap)),
            "processorSeconds": .number(scripts.processorTime.seconds),
        ]
    }

    private var seconds: [JSONValue] {
        samples.map { sample in
            [
                "time": .number(sample.time.seconds), "connected": .integer(Int64(sample.connected)),
                "accepted": .counter(sample.totals.accepted), "delivered": .counter(sample.totals.delivered),
                "refused": .counter(sample.totals.refused), "sessions": .counter(sample.totals.sessions),
                "memoryBytes": .integer(Int64(sample.memory)),
            ]
        }
    }
}

extension Histogram {
    /// Count, quantiles, and the bars of the picture.
    var json: JSONValue {
        let bars = bars.map { bar -> JSONValue in
            ["from": .microseconds(bar.from), "to": .microseconds(bar.to), "count": .counter(bar.count)]
        }
        return [
            "count": .counter(count), "minimum": .microseconds(minimum), "p50": .microseconds(quantile(0.5)),
            "p90": .microseconds(quantile(0.9)), "p99": .microseconds(quantile(0.99)),
            "p999": .microseconds(quantile(0.999)), "maximum": .microseconds(maximum), "mean": .microseconds(mean),
            "bars": .array(bars),
        ]
    }
}

extension JSONValue {
    static func counter(_ value: UInt64) -> JSONValue { .integer(Int64(clamping: value)) }
    static func microseconds(_ value: Duration) -> JSONValue { .integer(value.wholeNanoseconds / 1000) }
}

extension Duration {
    var seconds: Double { Double(wholeNanoseconds) / 1e9 }

    /// For people: `870 µs`, `12.3 ms`, `4.5 s`.
    var short: String {
        let microseconds = wholeNanoseconds / 1000
        switch microseconds {
        case 0: return "0"
        case ..<1000: return "\(microseconds) µs"
        case ..<100_000: return "\(Self.tenths(Double(microseconds) / 1000)) ms"
        case ..<1_000_000: return "\(microseconds / 1000) ms"
        default: return "\(Self.tenths(Double(microseconds) / 1e6)) s"
        }
    }

    private static func tenths(_ value: Double) -> String {
        let tenths = Int64((value * 10).rounded())
        return tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths / 10).\(tenths % 10)"
    }
}
