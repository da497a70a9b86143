import DeviceCore
import DeviceProtocols
import DeviceTransport

/// What a running gateway tells its user, as a line for a person and as a line of JSON.
enum ServiceEvent: PrintableEvent {
    case started(GatewayEUI, radio: String, region: String?, files: [String])
    case page(String)
    case core(GatewayCore.Event)
    case radio(running: Bool, String)
    case reloaded(problem: String?)
    case notice(String)
    /// A line that a script has written.
    case script(app: String, text: String, isError: Bool)
    case dropped(UInt64)
    case ended(frames: UInt64, downlinks: UInt64, Duration)

    var line: String {
        switch self {
        case .started(let eui, let radio, let region, let files):
            return "Gateway \(eui): \(radio)\(region.map { ", \($0)" } ?? "")"
                + (files.isEmpty ? "" : "; settings from \(files.joined(separator: ", "))")
        case .page(let address): return "Page: \(address)"
        case .core(.heard(let frames)): return frames.map(Self.line).joined(separator: "\n")
        case .core(.warning(_, let message, let held)):
            return message + (held > 0 ? " (and \(held) more like it before)" : "")
        case .core(.uplink(let name, let kind, let state)):
            return "\(name) (\(kind)): \(state.word)" + (state.address.map { " at \($0)" } ?? "")
                + (state.problem.map { ", \($0)" } ?? "")
        case .core(.downlink(_, let fate, let frame, let name)): return Self.line(fate, frame, name)
        case .radio(let running, let text): return running ? "\(text) runs" : text
        case .reloaded(let problem): return problem ?? "The settings were read again"
        case .notice(let text): return text
        case .script(let app, let text, _): return "\(app): \(text.replacing("\t", with: "  ").printable)"
        case .dropped(let count): return "\(count) lines were not read in time and are lost"
        case .ended(let frames, let downlinks, let time):
            return "Ended after \(time.components.seconds) s. Frames: \(frames), sent: \(downlinks)."
        }
    }

    private static func line(_ frame: RadioUplink) -> String {
        var parts = ["up  ", frame.frequency.description]
        parts.append(frame.modulation.description + (frame.codingRate.map { " \($0)" } ?? ""))
        parts.append("\(Int(frame.rssi)) dBm")
        if let snr = frame.snr { parts.append("\(Double(Int(snr * 10)) / 10) dB") }
        if frame.crc == .bad { parts.append("CRC bad") }
        parts.append("\(frame.payload.count) bytes")
        parts.append(FrameText.kind(frame.payload))
        return parts.joined(separator: "  ")
    }

    private static func line(_ fate: DownlinkFate, _ frame: RadioDownlink, _ name: String) -> String {
        let what = "down  \(frame.frequency)  \(frame.modulation)  \(frame.power) dBm  \(frame.payload.count) bytes"
        switch fate {
        case .refused(let refusal): return "\(what)  for \(name): refused, \(refusal)"
        case .vetoed(let reason): return "\(what)  for \(name): refused by a script, \(reason.printable)"
        default: return "\(what)  for \(name): \(fate.word)"
        }
    }

    var json: String {
        var members: JSONObject = [:]
        switch self {
        case .started(let eui, let radio, let region, let files):
            members = [
                "event": "started", "gateway": .string(eui.description), "radio": .string(radio),
                "region": region.map { .string($0) } ?? .null, "files": .array(files.map { .string($0) }),
            ]
        case .page(let address): members = ["event": "page", "address": .string(address)]
        case .core(.heard(let frames)):
            return frames.map { "{\"event\":\"rxpk\",\"rxpk\":\(GWMPRxpk($0).json)}" }.joined(separator: "\n")
        case .core(.warning(let kind, let message, let held)):
            members = [
                "event": "warning", "kind": .string(kind), "message": .string(message),
                "held": .integer(Int64(clamping: held)),
            ]
        case .core(.uplink(let name, let kind, let state)):
            members = [
                "event": "uplink", "name": .string(name), "kind": .string(kind), "state": .string(state.word),
                "up": .bool(state.isUp), "address": state.address.map { .string($0) } ?? .null,
            ]
        case .core(.downlink(let id, let fate, let frame, let name)):
            members = [
                "event": "downlink", "id": .integer(Int64(clamping: id)), "from": .string(name),
                "fate": .string(fate.word), "frequency": .integer(Int64(frame.frequency.hertz)),
                "datr": .string(frame.modulation.description), "size": .integer(Int64(frame.payload.count)),
            ]
        case .radio(let running, let text):
            members = ["event": "radio", "running": .bool(running), "message": .string(text)]
        case .reloaded(let problem): members = ["event": "reloaded", "problem": problem.map { .string($0) } ?? .null]
        case .notice(let text): members = ["event": "notice", "message": .string(text)]
        case .script(let app, let text, let isError):
            members = ["event": "trace", "app": .string(app), "text": .string(text), "isError": .bool(isError)]
        case .dropped(let count): members = ["event": "dropped", "lines": .integer(Int64(clamping: count))]
        case .ended(let frames, let downlinks, let time):
            members = [
                "event": "ended", "frames": .integer(Int64(clamping: frames)),
                "downlinks": .integer(Int64(clamping: downlinks)),
                "milliseconds": .integer(time.wholeNanoseconds / 1_000_000),
            ]
        }
        return members.description
    }
}
