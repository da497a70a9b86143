import DeviceCore
import DeviceProtocols
import DeviceTransport
import NIOCore

/// What the gateway tells its user, as a line for a person and as a line of JSON.
enum GatewayEvent: PrintableEvent {
    /// It listens.
    case listening(ListenAddress, isLAN: Bool)
    /// A gateway was heard for the first time, perhaps in the place of one that was silent.
    case gateway(GatewayEUI, SocketAddress, replaced: GatewayEUI?)
    /// A gateway heard a frame.
    case frame(GatewayEUI, GWMPRxpk)
    /// A gateway's report.
    case report(GatewayEUI, GWMPStat)
    /// Bad input; `held` of the same kind were not told since the last that was.
    case warning(kind: String, String, GatewayEUI?, SocketAddress, held: UInt64)
    /// Lines that nobody read in time.
    case dropped(UInt64)
    /// The end.
    case ended(GatewaySummary)

    var line: String {
        switch self {
        case .listening(let address, let isLAN):
            let places = isLAN ? address.reachable : [address]
            let text = "Forwarders send to: \(places.map { "\($0) (UDP)" }.joined(separator: ", "))"
            guard isLAN else { return text }
            return text
                + "\nOpen: anybody on this network can send frames and speak for any gateway; the protocol has no"
                + " passwords."
        case .gateway(let eui, let address, let replaced):
            return "\(eui)  new gateway at \(address.endpoint)"
                + (replaced.map { ", in the place of the silent \($0)" } ?? "")
        case .frame(let eui, let rxpk): return Self.line(eui, rxpk)
        case .report(let eui, let stat): return Self.line(eui, stat)
        case .warning(_, let message, let eui, let address, let held):
            let source = eui.map { "\($0) at \(address.endpoint)" } ?? address.endpoint
            return "Ignored from \(source): \(message)" + (held > 0 ? " (and \(held) more like it before)" : "")
        case .dropped(let count): return "\(count) lines were not read in time and are lost"
        case .ended(let summary): return summary.text
        }
    }

    /// `0102030405060708  868.1 MHz  SF7BW125 4/5  -35 dBm  5.1 dB  14 bytes  40F17DBE...`
    private static func line(_ eui: GatewayEUI, _ rxpk: GWMPRxpk) -> String {
        var parts = [eui.description, rxpk.freq.description]
        parts.append(rxpk.modulation.description + (rxpk.codr.map { " \($0)" } ?? ""))
        if let rssi = rxpk.rssi ?? rxpk.rsig.compactMap(\.rssic).max() { parts.append("\(rssi) dBm") }
        if let lsnr = rxpk.lsnr ?? rxpk.rsig.compactMap(\.lsnr).max() { parts.append("\(lsnr) dB") }
        if rxpk.stat == .bad { parts.append("CRC bad") }
        parts.append("\(rxpk.payload.count) bytes")
        parts.append(HexText.bytes(rxpk.payload))
        return parts.joined(separator: "  ")
    }

    private static func line(_ eui: GatewayEUI, _ stat: GWMPStat) -> String {
        var parts: [String] = []
        if let count = stat.rxnb { parts.append("\(count) frames heard") }
        if let count = stat.rxok { parts.append("\(count) with a right CRC") }
        if let count = stat.rxfw { parts.append("\(count) forwarded") }
        if let share = stat.ackr { parts.append("\(share) % acknowledged") }
        if let count = stat.txnb { parts.append("\(count) sent") }
        if let temperature = stat.temp { parts.append("\(temperature) °C") }
        return "\(eui)  report: " + (parts.isEmpty ? "nothing" : parts.joined(separator: ", "))
    }

    var json: String {
        var members: [String]
        switch self {
        case .listening(let address, let isLAN):
            members = Self.members("listening", [("address", .string(address.description)), ("lan", .bool(isLAN))])
        case .gateway(let eui, let address, let replaced):
            members = Self.members(
                "gateway", [("gateway", .string(eui.description)), ("address", .string(address.endpoint))])
            if let replaced { members.append("\"replaced\":\"\(replaced)\"") }
        case .frame(let eui, let rxpk):
            members = Self.members("rxpk", [("gateway", .string(eui.description))]) + ["\"rxpk\":\(rxpk.json)"]
        case .report(let eui, let stat):
            members = Self.members("stat", [("gateway", .string(eui.description))]) + ["\"stat\":\(stat.json)"]
        case .warning(let kind, let message, let eui, let address, let held):
            members = Self.members(
                "warning",
                [
                    ("kind", .string(kind)), ("message", .string(message)),
                    ("gateway", eui.map { .string($0.description) } ?? .null),
                    ("address", .string(address.endpoint)), ("held", .integer(Int64(clamping: held))),
                ])
        case .dropped(let count): members = Self.members("dropped", [("lines", .integer(Int64(clamping: count)))])
        case .ended(let summary): members = Self.members("ended", summary.members)
        }
        return "{\(members.joined(separator: ","))}"
    }

    private static func members(_ event: String, _ values: [(String, JSONValue)]) -> [String] {
        ["\"event\":\"\(event)\""] + values.map { "\(JSONWriter.quoted($0.0)):\($0.1)" }
    }
}

extension SocketAddress {
    /// `127.0.0.1:1700`, `[::1]:1700`.
    var endpoint: String { ListenAddress(host: ipAddress ?? "?", port: port ?? 0).description }
}
