import DeviceCore
import DeviceProtocols

/// What the server tells a Basics Station, as JSON.
enum StationMessages {
    /// The answer to discovery.
    static func router(_ gateway: EUI64, uri: String) -> JSONValue {
        ["router": .string(id6(gateway.rawValue)), "muxs": "::0", "uri": .string(uri)]
    }

    /// The refusal of discovery.
    static func refusal(_ text: String) -> JSONValue { ["router": "::0", "error": .string(text)] }

    /// What the gateway is to hear and may send.
    static func configuration(_ settings: NetworkServerSettings, now microseconds: Int64) -> JSONValue {
        let region = settings.region
        let rates = (UInt8(0)..<16).map { number -> JSONValue in
            guard let definition = region.definition(number), let modulation = definition.modulation else {
                return [-1, 0, 0]
            }
            let isDownlinkOnly: JSONValue = definition.use == .down ? 1 : 0
            switch modulation {
            case .lora(let rate):
                return [.integer(Int64(rate.spreadingFactor)), .integer(Int64(rate.bandwidth)), isDownlinkOnly]
            case .fsk: return [0, 0, isDownlinkOnly]
            }
        }
        return [
            "msgtype": "router_config", "NetID": .null, "JoinEui": .null, "region": .string(stationName(region)),
            "hwspec": "sx1301/1",
            "freq_range": [
                .integer(Int64(region.frequencies.lowerBound.hertz)),
                .integer(Int64(region.frequencies.upperBound.hertz)),
            ],
            "DRs": .array(rates), "sx1301_conf": [.object(radio(RadioPlan(region)))], "nocca": true,
            "nodc": .bool(!settings.keepsDutyCycle),
            "nodwell": false, "MuxTime": .number(Double(microseconds) / 1_000_000),
        ]
    }

    /// A plan in the words of `global_conf.json`.
    private static func radio(_ plan: RadioPlan) -> JSONObject {
        var radio = JSONObject()
        for (number, chain) in plan.rfChains.enumerated() {
            radio["radio_\(number)"] = ["enable": true, "freq": .integer(Int64(chain.frequency.hertz))]
        }
        for channel in plan.channels {
            let centre =
                plan.rfChains.indices.contains(Int(channel.rfChain))
                ? plan.rfChains[Int(channel.rfChain)].frequency.hertz : 0  // safe: looked up
            var entry: JSONObject = [
                "enable": true, "radio": .integer(Int64(channel.rfChain)),
                "if": .integer(Int64(channel.frequency.hertz) - Int64(centre)),
            ]
            switch channel.modem {
            case .multiSF: radio["chan_multiSF_\(channel.ifChain)"] = .object(entry)
            case .lora(let rate):
                entry["bandwidth"] = .integer(Int64(rate.bandwidth) * 1000)
                entry["spread_factor"] = .integer(Int64(rate.spreadingFactor))
                radio["chan_Lora_std"] = .object(entry)
            case .fsk(let bitRate, let bandwidth):
                entry["bandwidth"] = .integer(Int64(bandwidth) * 1000)
                entry["datarate"] = .integer(Int64(bitRate))
                radio["chan_FSK"] = .object(entry)
            }
        }
        return radio
    }

    /// A frame to send: only the window that is meant is named, so that the gateway has no other choice.
    static func downlink(_ downlink: ServerDownlink, now microseconds: Int64) -> JSONValue {
        let eui = HexText.bytes(HexText.bytes(from: downlink.devEUI.description) ?? [])
        let dashed = stride(from: 0, to: eui.count, by: 2).map { place in
            String(eui.dropFirst(place).prefix(2))
        }.joined(separator: "-")
        var message: JSONObject = [
            "msgtype": "dnmsg", "DevEui": .string(dashed), "diid": .integer(Int64(clamping: downlink.number)),
            "pdu": .string(HexText.bytes(downlink.payload)), "priority": 0,
            "MuxTime": .number(Double(microseconds) / 1_000_000),
        ]
        let rate = JSONValue.integer(Int64(downlink.dataRate))
        let frequency = JSONValue.integer(Int64(downlink.frequency.hertz))
        switch downlink.slot {
        case .first(let moment, let delay):
            message["dC"] = 0
            message["RxDelay"] = .integer(Int64(delay))
            message["RX1DR"] = rate
            message["RX1Freq"] = frequency
            add(moment, to: &message)
        case .second(let moment, let delay):
            message["dC"] = 0
            message["RxDelay"] = .integer(Int64(delay))
            message["RX2DR"] = rate
            message["RX2Freq"] = frequency
            add(moment, to: &message)
        case .atOnce:
            message["dC"] = 2
            message["RxDelay"] = 1
            message["RX2DR"] = rate
            message["RX2Freq"] = frequency
            message["rctx"] = 0
        }
        return .object(message)
    }

    private static func add(_ moment: GatewayMoment, to message: inout JSONObject) {
        guard case .station(let xtime, let rctx) = moment else { return }
        message["xtime"] = .integer(xtime)
        message["rctx"] = .integer(rctx)
    }

    /// The names that Basics Station knows.
    private static func stationName(_ region: Region) -> String {
        switch region.name {
        case "EU868": "EU863"
        case "US915": "US902"
        default: region.name
        }
    }

    /// An EUI as four groups of 16 bits, the longest run of zeros left out: `16:c001:ff10:a235`, `::1`.
    static func id6(_ eui: UInt64) -> String {
        let groups = (0..<4).map { eui >> UInt64(48 - 16 * $0) & 0xFFFF }
        if eui == 0 { return "::0" }
        let text = groups.map { String($0, radix: 16) }
        // Only what stands at the beginning is shortened: no reader can take that for anything else.
        let zeros = groups.prefix { $0 == 0 }.count
        return zeros >= 2 ? "::" + text.dropFirst(zeros).joined(separator: ":") : text.joined(separator: ":")
    }

    /// Reads an EUI as stations write it: a number, ID6, or pairs with dashes or colons.
    static func eui(_ value: JSONValue?) -> EUI64? {
        if let number = value?.integerValue { return EUI64(UInt64(bitPattern: number)) }
        guard let text = value?.stringValue, text.utf8.count <= 40 else { return nil }
        let pairs = text.split(whereSeparator: { $0 == "-" || $0 == ":" })
        if pairs.count == 8, pairs.allSatisfy({ $0.utf8.count == 2 }) { return EUI64(pairs.joined()) }
        return id6(text)
    }

    private static func id6(_ text: String) -> EUI64? {
        let halves = text.components(separatedBy: "::")
        guard halves.count <= 2, let head = groups(halves[0]), let tail = groups(halves.count > 1 ? halves[1] : "")
        else { return nil }
        let missing = 4 - head.count - tail.count
        guard halves.count == 2 ? missing >= 0 : missing == 0 else { return nil }
        return EUI64((head + Array(repeating: 0, count: missing) + tail).reduce(0) { $0 << 16 | UInt64($1) })
    }

    private static func groups(_ text: String) -> [UInt16]? {
        let parts = text.split(separator: ":")
        let groups = parts.compactMap { UInt16($0, radix: 16) }
        return groups.count == parts.count && groups.count <= 4 ? groups : nil
    }
}

extension String {
    /// The parts between occurrences of a separator; also empty ones.
    fileprivate func components(separatedBy separator: String) -> [String] {
        var parts: [String] = []
        var rest = self[...]
        while let range = rest.firstRange(of: separator) {
            parts.append(String(rest[..<range.lowerBound]))
            rest = rest[range.upperBound...]
        }
        return parts + [String(rest)]
    }
}
