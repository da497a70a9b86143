import DeviceCore

extension LNSRouterConfig {
    /// What a server would send for a region and a plan.
    public init(_ region: Region, plan: RadioPlan) {
        self.init(
            region: region.name, frequencyRange: region.frequencies,
            dataRates: (0..<16).map { number in
                guard let definition = region.definition(UInt8(number)), let modulation = definition.modulation else {
                    return nil
                }
                return DataRate(modulation, isDownOnly: definition.use == .down)
            })
        boards = [Self.board(plan)]
    }

    /// A board's channels as a plan: frequencies, IF chains and modems; what the local configuration knows better
    /// (gains, offsets, sync word) stays as in `local`.
    ///
    /// Throws what is wrong with the board's configuration.
    public func plan(board: Int = 0, local: RadioPlan?) throws(LNSError) -> RadioPlan {
        guard boards.indices.contains(board) else { throw .field(.missing("router_config.sx1301_conf")) }
        return try LNSFields.reading(boards[board], "sx1301_conf") { fields throws(GWMPError) in
            var plan = local ?? RadioPlan(rfChains: [], channels: [])
            var centres: [Int64?] = []
            for number in 0..<2 {
                let name = "radio_\(number)"
                let radio = try fields.value(name).map { value throws(GWMPError) in try GWMPFields(value, name) }
                let isEnabled = try radio?.truth("enable") ?? false
                let frequency = isEnabled ? try radio?.required("freq", radio?.hertz("freq")) : nil
                centres.append(frequency.map { Int64($0.hertz) })
                if plan.rfChains.count <= number {
                    plan.rfChains.append(
                        RadioRFChain(
                            isEnabled: isEnabled, frequency: RadioFrequency(hertz: 0),
                            transmitRange: number == 0 ? frequencyRange : nil))
                }
                plan.rfChains[number].isEnabled = isEnabled
                if let frequency { plan.rfChains[number].frequency = frequency }
            }
            plan.channels = []
            for chain in UInt8(0)..<10 {
                if let channel = try Self.channel(chain, fields, centres) { plan.channels.append(channel) }
            }
            return plan
        }
    }

    private static func name(_ ifChain: UInt8) -> String {
        switch ifChain {
        case 8: "chan_Lora_std"
        case 9: "chan_FSK"
        default: "chan_multiSF_\(ifChain)"
        }
    }

    private static func channel(
        _ ifChain: UInt8, _ board: GWMPFields, _ centres: [Int64?]
    ) throws(GWMPError) -> RadioChannel? {
        guard let value = board.value(name(ifChain)) else { return nil }
        let fields = try GWMPFields(value, name(ifChain))
        guard try fields.truth("enable") else { return nil }
        let radio: Int = try fields.integer("radio", in: 0...1) ?? 0
        let offset: Int64 = try fields.integer("if", in: -2_000_000...2_000_000) ?? 0
        guard centres.indices.contains(radio), let centre = centres[radio],
            let hertz = UInt32(exactly: centre + offset)
        else { throw .outOfRange(fields.path("radio")) }
        let modem: RadioChannel.Modem
        switch ifChain {
        case 8:
            let bandwidth: UInt32 = try fields.integer("bandwidth", in: 7_000...1_625_000) ?? 250_000
            let factor: UInt8 = try fields.integer("spread_factor", in: 5...12) ?? 7
            modem = .lora(LoRaDataRate(spreadingFactor: factor, bandwidth: UInt16(bandwidth / 1000)))
        case 9:
            let bandwidth: UInt32 = try fields.integer("bandwidth", in: 1_000...500_000) ?? 125_000
            modem = .fsk(
                bitRate: try fields.integer("datarate", in: 500...250_000) ?? 50_000,
                bandwidth: UInt16(bandwidth / 1000))
        default: modem = .multiSF(spreadingFactors: 7...12)
        }
        return RadioChannel(
            ifChain: ifChain, rfChain: UInt8(radio), frequency: RadioFrequency(hertz: hertz), modem: modem)
    }

    private static func board(_ plan: RadioPlan) -> JSONValue {
        var board = JSONObject()
        for (number, chain) in plan.rfChains.enumerated() {
            board["radio_\(number)"] = [
                "enable": .bool(chain.isEnabled), "freq": .integer(Int64(chain.frequency.hertz)),
            ]
        }
        for channel in plan.channels where plan.rfChains.indices.contains(Int(channel.rfChain)) {
            let centre = plan.rfChains[Int(channel.rfChain)].frequency.hertz  // safe: looked up
            var members: JSONObject = [
                "enable": true, "radio": .integer(Int64(channel.rfChain)),
                "if": .integer(Int64(channel.frequency.hertz) - Int64(centre)),
            ]
            switch channel.modem {
            case .multiSF: break
            case .lora(let rate):
                members["bandwidth"] = .integer(Int64(rate.bandwidth) * 1000)
                members["spread_factor"] = .integer(Int64(rate.spreadingFactor))
            case .fsk(let bitRate, let bandwidth):
                members["bandwidth"] = .integer(Int64(bandwidth) * 1000)
                members["datarate"] = .integer(Int64(bitRate))
            }
            board[name(channel.ifChain)] = .object(members)
        }
        return .object(board)
    }
}
