import DeviceCore

extension LNSRouterConfig {
    /// Reads the message.
    init(_ value: JSONValue) throws(LNSError) {
        self = try LNSFields.reading(value, "router_config") { fields throws(GWMPError) in
            let range = try fields.required("freq_range", fields.elements("freq_range", limit: 2))
            let bounds = try Self.hertz(range, fields.path("freq_range"))
            guard bounds.count == 2, bounds[0] <= bounds[1] else { throw .outOfRange(fields.path("freq_range")) }
            var config = LNSRouterConfig(
                region: try fields.required("region", fields.text("region")),
                hwspec: try fields.text("hwspec") ?? "sx1301/1", frequencyRange: bounds[0]...bounds[1],
                dataRates: try Self.dataRates(fields))
            config.usesCapitalEUI = fields.members["JoinEUI"] != nil
            config.joinEUIs = try Self.joinEUIs(fields, config.usesCapitalEUI ? "JoinEUI" : "JoinEui")
            config.netIDs = try Self.netIDs(fields)
            for key in ["sx1301_conf", "SX1301_conf", "sx1302_conf", "SX1302_conf", "radio_conf"] {
                if let boards = try fields.elements(key, limit: 8) { config.boards = boards }
            }
            config.upChannels = try Self.upChannels(fields)
            config.maximumEIRP = try fields.number("max_eirp", in: -100...100)
            config.nocca = try fields.truth("nocca")
            config.nodc = try fields.truth("nodc")
            config.nodwell = try fields.truth("nodwell")
            config.beaconing = try fields.value("bcning").map(Self.beaconing)
            config.muxTime = try fields.seconds("MuxTime")
            return config
        }
    }

    private static func hertz(_ values: [JSONValue], _ path: String) throws(GWMPError) -> [RadioFrequency] {
        var frequencies: [RadioFrequency] = []
        for value in values {
            guard let number = value.integerValue, let hertz = UInt32(exactly: number) else { throw .outOfRange(path) }
            frequencies.append(RadioFrequency(hertz: hertz))
        }
        return frequencies
    }

    /// Numbers of an array in an array.
    private static func numbers(_ value: JSONValue, _ count: Int, _ path: String) throws(GWMPError) -> [Int64] {
        guard let elements = value.arrayValue, elements.count >= count else { throw .outOfRange(path) }
        let numbers = elements.prefix(count).compactMap(\.integerValue)
        guard numbers.count == count else { throw .outOfRange(path) }
        return numbers
    }

    private static func dataRates(_ fields: GWMPFields) throws(GWMPError) -> [DataRate?] {
        var rates: [DataRate?] = []
        for element in try fields.required("DRs", fields.elements("DRs", limit: 16)) {
            let numbers = try numbers(element, 3, fields.path("DRs"))
            let modulation: LoRaModulation?
            switch (numbers[0], numbers[1]) {
            case (0, _): modulation = .fsk(bitRate: 50_000)
            case (5...12, 7...1625):
                modulation = .lora(
                    LoRaDataRate(spreadingFactor: UInt8(numbers[0]), bandwidth: UInt16(numbers[1])))
            // Undefined is -1; what cannot be (LR-FHSS of newer servers) is as good as undefined.
            default: modulation = nil
            }
            rates.append(modulation.map { DataRate($0, isDownOnly: numbers[2] != 0) })
        }
        return rates
    }

    private static func netIDs(_ fields: GWMPFields) throws(GWMPError) -> [UInt32]? {
        var networks: [UInt32] = []
        for element in try fields.elements("NetID", limit: 1024) ?? [] {
            guard let number = element.integerValue, let network = UInt32(exactly: number) else {
                throw .outOfRange(fields.path("NetID"))
            }
            networks.append(network)
        }
        // An empty list is no filter here: with Basics Station it is one that nothing passes, which no server means.
        return networks.isEmpty ? nil : networks
    }

    private static func joinEUIs(_ fields: GWMPFields, _ key: String) throws(GWMPError) -> [ClosedRange<UInt64>]? {
        guard let ranges = try fields.elements(key, limit: maximumRanges) else { return nil }
        var result: [ClosedRange<UInt64>] = []
        for range in ranges {
            guard let bounds = range.arrayValue, bounds.count == 2, let low = eui(bounds[0]), let high = eui(bounds[1]),
                low <= high
            else { throw .outOfRange(fields.path(key)) }
            result.append(low...high)
        }
        // Basics Station takes an empty list for no filter.
        return result.isEmpty ? nil : result
    }

    /// A number, which may have been written with a sign, or a text.
    private static func eui(_ value: JSONValue) -> UInt64? {
        value.unsignedValue ?? value.integerValue.map { UInt64(bitPattern: $0) }
            ?? value.stringValue.flatMap { EUI64(station: $0)?.rawValue }
    }

    private static func upChannels(_ fields: GWMPFields) throws(GWMPError) -> [UpChannel] {
        var channels: [UpChannel] = []
        for element in try fields.elements("upchannels", limit: 128) ?? [] {
            let numbers = try numbers(element, 3, fields.path("upchannels"))
            guard let hertz = UInt32(exactly: numbers[0]), (0...15).contains(numbers[1]),
                (numbers[1]...15).contains(numbers[2])
            else { throw .outOfRange(fields.path("upchannels")) }
            channels.append(
                UpChannel(
                    frequency: RadioFrequency(hertz: hertz), dataRates: UInt8(numbers[1])...UInt8(numbers[2])))
        }
        return channels
    }

    private static func beaconing(_ value: JSONValue) throws(GWMPError) -> Beaconing {
        let fields = try GWMPFields(value, "router_config.bcning")
        let layout = try numbers(.array(fields.elements("layout", limit: 3) ?? []), 3, fields.path("layout"))
        let parts = layout.compactMap { UInt8(exactly: $0) }
        guard parts.count == 3, let layout = BeaconLayout(time: parts[0], info: parts[1], length: parts[2]) else {
            throw .outOfRange(fields.path("layout"))
        }
        return Beaconing(
            dataRate: try fields.required("DR", fields.integer("DR", in: 0...15)), layout: layout,
            frequencies: try hertz(
                try fields.required("freqs", fields.elements("freqs", limit: 8)), fields.path("freqs")))
    }

    /// The message on one line.
    var json: String {
        var writer = GWMPObjectWriter()
        writer.string("msgtype", "router_config")
        writer.raw("NetID", netIDs.map { "[\($0.map(\.description).joined(separator: ","))]" } ?? "null")
        let ranges = joinEUIs?.map { "[\($0.lowerBound),\($0.upperBound)]" }.joined(separator: ",")
        writer.raw(usesCapitalEUI ? "JoinEUI" : "JoinEui", ranges.map { "[\($0)]" } ?? "null")
        writer.string("region", region)
        writer.string("hwspec", hwspec)
        writer.raw("freq_range", "[\(frequencyRange.lowerBound.hertz),\(frequencyRange.upperBound.hertz)]")
        writer.raw("DRs", "[\(dataRates.map(Self.triple).joined(separator: ","))]")
        if !upChannels.isEmpty {
            let channels = upChannels.map {
                "[\($0.frequency.hertz),\($0.dataRates.lowerBound),\($0.dataRates.upperBound)]"
            }
            writer.raw("upchannels", "[\(channels.joined(separator: ","))]")
        }
        writer.raw("sx1301_conf", JSONValue.array(boards).description)
        writer.number("max_eirp", maximumEIRP)
        writer.flag("nocca", nocca ? true : nil)
        writer.flag("nodc", nodc ? true : nil)
        writer.flag("nodwell", nodwell ? true : nil)
        if let beaconing {
            var inner = GWMPObjectWriter()
            inner.integer("DR", beaconing.dataRate)
            let layout = beaconing.layout
            inner.raw("layout", "[\(layout.time),\(layout.info),\(layout.length)]")
            inner.raw("freqs", "[\(beaconing.frequencies.map { "\($0.hertz)" }.joined(separator: ","))]")
            writer.raw("bcning", inner.text)
        }
        writer.number("MuxTime", muxTime)
        return writer.text
    }

    private static func triple(_ rate: DataRate?) -> String {
        guard let rate else { return "[-1,0,0]" }
        let down = rate.isDownOnly ? 1 : 0
        switch rate.modulation {
        case .lora(let lora): return "[\(lora.spreadingFactor),\(lora.bandwidth),\(down)]"
        case .fsk: return "[0,0,\(down)]"
        }
    }
}
