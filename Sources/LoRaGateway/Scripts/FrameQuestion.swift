import DeviceCore
import DeviceProtocols

/// What scripts are told of frames, and what they may change. `docs/lora-gateway.md` lists the fields.
enum FrameQuestion {
    /// A frame that was heard.
    static func uplink(_ frame: ReceivedFrame) -> JSONValue {
        let uplink = frame.uplink
        var members: JSONObject = [
            "freq": .integer(Int64(uplink.frequency.hertz)), "datr": .string(uplink.modulation.description),
            "rssi": .number(uplink.rssi), "crc": .string(word(uplink.crc)), "chan": .integer(Int64(uplink.ifChain)),
            "rfch": .integer(Int64(uplink.rfChain)), "tmst": .integer(Int64(UInt32(truncatingIfNeeded: uplink.count))),
        ]
        members["codr"] = uplink.codingRate.map { .string($0.description) }
        members["snr"] = uplink.snr.map { .number($0) }
        addPayload(uplink.payload, to: &members)
        return .object(members)
    }

    /// A frame that a server wants sent.
    static func downlink(_ downlink: ServerDownlink, from name: String) -> JSONValue {
        guard let request = downlink.candidates.first else { return [:] }
        let frame = request.frame
        var members: JSONObject = [
            "from": .string(name), "freq": .integer(Int64(frame.frequency.hertz)),
            "datr": .string(frame.modulation.description), "rfch": .integer(Int64(frame.rfChain)),
            "class": .string(request.timing.deviceClass),
        ]
        members["power"] = request.eirp.map { .integer(Int64($0)) }
        addPayload(frame.payload, to: &members)
        return .object(members)
    }

    private static func word(_ crc: CRCStatus) -> String {
        switch crc {
        case .ok: "ok"
        case .bad: "bad"
        case .none: "none"
        }
    }

    /// The frame's bytes, and what LoRaWAN says in clear.
    private static func addPayload(_ payload: [UInt8], to members: inout JSONObject) {
        members["size"] = .integer(Int64(payload.count))
        members["data"] = .string(Base64.encode(payload))
        guard let frame = try? LoRaWANFrame(payload) else {
            members["kind"] = "other"
            return
        }
        switch frame {
        case .joinRequest(let request):
            members["kind"] = "join-request"
            members["joineui"] = .string(request.joinEUI.description)
            members["deveui"] = .string(request.devEUI.description)
        case .joinAccept: members["kind"] = "join-accept"
        case .data(let data):
            members["kind"] = "data"
            members["confirmed"] = .bool(data.type.isConfirmed)
            members["devaddr"] = .string(data.devAddr.description)
            members["fcnt"] = .integer(Int64(data.fCnt))
            members["fport"] = data.port.map { .integer(Int64($0)) }
        case .rejoinRequest: members["kind"] = "rejoin-request"
        case .proprietary: members["kind"] = "proprietary"
        }
    }
}

extension DownlinkRequest.Timing {
    /// The class of device that is sent to in this way.
    fileprivate var deviceClass: String {
        switch self {
        case .immediately: "C"
        case .counter, .count: "A"
        case .gps, .beacon: "B"
        }
    }
}

/// An uplink as a script has changed it.
struct ChangedUplink {
    let frame: ReceivedFrame
    /// The up-links that get it; nil: all.
    let receivers: Set<String>?

    /// What may be changed: `rssi`, `snr`, `data`, `note`, and `to`, a name or a list of names. Nil when one of them is
    /// nothing that a frame could have; other fields count for nothing.
    init?(_ frame: ReceivedFrame, _ answer: JSONValue) {
        guard let members = answer.objectValue else { return nil }
        var uplink = frame.uplink
        if let value = members["rssi"] {
            guard let rssi = value.doubleValue, (-200...100).contains(rssi) else { return nil }
            uplink.rssi = rssi
        }
        if let value = members["snr"] {
            guard let snr = value.doubleValue, (-100...100).contains(snr) else { return nil }
            uplink.snr = snr
        }
        if let value = members["data"] {
            guard let data = value.stringValue.flatMap({ Base64.decode($0) }), (1...255).contains(data.count) else {
                return nil
            }
            uplink.payload = data
        }
        var note = frame.note
        if let value = members["note"] {
            guard let text = value.stringValue, text.utf8.count <= 200 else { return nil }
            note = text
        }
        switch members["to"] {
        case nil: receivers = nil
        case .string(let name)?: receivers = [name]
        case .array(let names)? where names.count <= 64:
            let texts = names.compactMap(\.stringValue)
            guard texts.count == names.count else { return nil }
            receivers = Set(texts)
        // An empty table of Lua is no list in JSON.
        case .object(let members)? where members.isEmpty: receivers = []
        default: return nil
        }
        self.frame = ReceivedFrame(uplink, receivedAt: frame.receivedAt, note: note)
    }
}

extension ServerDownlink {
    /// The frame as a script has changed it, of which only `power` counts: dBm EIRP. Nil when that is no power.
    func changed(by answer: JSONValue) -> ServerDownlink? {
        guard let members = answer.objectValue else { return nil }
        guard let value = members["power"] else { return self }
        guard let number = value.doubleValue, (-30...40).contains(number) else { return nil }
        var changed = self
        for index in changed.candidates.indices {
            // safe: the array's own indices, and a number that fits; what is between is rounded down
            changed.candidates[index].eirp = Int8(number.rounded(.down))
        }
        return changed
    }
}
