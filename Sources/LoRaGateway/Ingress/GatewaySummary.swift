import DeviceCore
import DeviceProtocols

/// What was counted from start to end.
struct GatewaySummary: Sendable {
    var counters: GWMPIngress.Counters
    var gateways: [GatewayTable.Gateway]
    var time: Duration

    /// Gateways that are listed one by one.
    private static let listed = 20

    private var badTotal: UInt64 { counters.bad.values.reduce(0, +) }
    private var kinds: [(key: String, value: UInt64)] { counters.bad.sorted { $0.key < $1.key } }

    /// Several lines for a person.
    var text: String {
        var lines = [
            """
            Ended after \(time.components.seconds) s. Gateways: \(gateways.count). \
            Datagrams: \(counters.datagrams), acknowledged: \(counters.acknowledged). \
            Frames: \(counters.frames), reports: \(counters.reports), ignored: \(badTotal).
            """
        ]
        for gateway in gateways.prefix(Self.listed) {
            lines.append(
                "  \(gateway.eui)  PUSH_DATA: \(gateway.pushData), PULL_DATA: \(gateway.pullData), frames: \(gateway.frames), "
                    + "ignored: \(gateway.rejected)")
        }
        if gateways.count > Self.listed { lines.append("  and more gateways: \(gateways.count - Self.listed)") }
        for (kind, count) in kinds { lines.append("  ignored, \(kind): \(count)") }
        return lines.joined(separator: "\n")
    }

    /// The same for JSON.
    var members: [(String, JSONValue)] {
        let integer = { (count: UInt64) in JSONValue.integer(Int64(clamping: count)) }
        let milliseconds = time.wholeNanoseconds / 1_000_000
        return [
            ("milliseconds", .integer(milliseconds)), ("datagrams", integer(counters.datagrams)),
            ("acknowledged", integer(counters.acknowledged)), ("gateways", .integer(Int64(gateways.count))),
            ("frames", integer(counters.frames)), ("reports", integer(counters.reports)),
            ("ignored", .object(JSONObject(kinds.map { ($0.key, integer($0.value)) }))),
        ]
    }
}
