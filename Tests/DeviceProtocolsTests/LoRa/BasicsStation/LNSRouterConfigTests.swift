import DeviceCore
import DeviceProtocols
import Testing

@Suite struct LNSRouterConfigTests {
    /// As a server of the LNS protocol sends it for EU868 (chirpstack-gateway-bridge's form, with its old region name).
    static let text = #"""
        {"msgtype":"router_config","NetID":[1,19],"JoinEui":[[0,18446744073709551615]],"region":"EU863",
        "hwspec":"sx1301/1","freq_range":[863000000,870000000],
        "DRs":[[12,125,0],[11,125,0],[10,125,0],[9,125,0],[8,125,0],[7,125,0],[7,250,0],[0,0,0],[-1,0,0],[-1,0,0],
        [-1,0,0],[-1,0,0],[-1,0,0],[-1,0,0],[-1,0,0],[-1,0,0]],
        "sx1301_conf":[{"radio_0":{"enable":true,"freq":868500000},"radio_1":{"enable":true,"freq":867500000},
        "chan_FSK":{"enable":true},"chan_Lora_std":{"enable":true,"radio":0,"if":-200000,"bandwidth":250000,
        "spread_factor":7},"chan_multiSF_0":{"enable":true,"radio":0,"if":-400000},
        "chan_multiSF_1":{"enable":true,"radio":1,"if":-400000},"chan_multiSF_2":{"enable":false,"radio":0,"if":0}}]}
        """#

    static func config(_ text: String = text) throws -> LNSRouterConfig {
        guard case .routerConfig(let config) = try LNSDownMessage(text.utf8) else { throw LNSError.notConfigured }
        return config
    }

    @Test func fields() throws {
        let config = try Self.config()
        #expect(config.netIDs == [1, 19] && config.joinEUIs == [0...UInt64.max])
        #expect(Region(named: config.region) == .eu868 && config.hwspec == "sx1301/1")
        #expect(config.frequencyRange == Region.eu868.frequencies)
        #expect(config.dataRates.count == 16 && config.dataRates.compactMap { $0 }.count == 8)
        #expect(config.modulation(6) == .lora(LoRaDataRate(spreadingFactor: 7, bandwidth: 250)))
        #expect(
            config.modulation(7) == .fsk(bitRate: 50_000) && config.modulation(8) == nil
                && config.modulation(255) == nil)
        #expect(config.dataRate(uplink: .lora(LoRaDataRate(spreadingFactor: 12, bandwidth: 125))) == 0)
        #expect(config.dataRate(uplink: .lora(LoRaDataRate(spreadingFactor: 6, bandwidth: 125))) == nil)
        #expect(
            !config.nocca && !config.nodc && !config.nodwell && config.beaconing == nil && config.maximumEIRP == nil)
    }

    /// A rate that only gateways send with does not stand for an uplink's, where another does.
    @Test func downOnlyRates() throws {
        let config = LNSRouterConfig(.us915, plan: RadioPlan(.us915))
        let rate = LoRaModulation.lora(LoRaDataRate(spreadingFactor: 8, bandwidth: 500))
        #expect(config.dataRate(uplink: rate) == 4 && config.modulation(12) == rate)
    }

    @Test func channelsBecomeAPlan() throws {
        let config = try Self.config()
        var local = RadioPlan(
            rfChains: [
                RadioRFChain(
                    frequency: RadioFrequency(hertz: 1), rssiOffset: -207,
                    transmitRange: RadioFrequency(hertz: 863_000_000)...RadioFrequency(hertz: 870_000_000),
                    gains: [RadioGain(power: 14)])
            ], channels: [])
        local.antennaGain = 3
        let plan = try config.plan(local: local)
        #expect(plan.antennaGain == 3 && plan.rfChains[0].rssiOffset == -207 && plan.rfChains[0].gains.count == 1)
        #expect(plan.rfChains.map(\.frequency.hertz) == [868_500_000, 867_500_000])
        #expect(plan.channels.map(\.ifChain) == [0, 1, 8, 9])
        #expect(plan.channels.map(\.frequency.hertz) == [868_100_000, 867_100_000, 868_300_000, 868_500_000])
        #expect(plan.channels.map(\.rfChain) == [0, 1, 0, 0])
        #expect(plan.channels[2].modem == .lora(LoRaDataRate(spreadingFactor: 7, bandwidth: 250)))
        #expect(plan.channels[3].modem == .fsk(bitRate: 50_000, bandwidth: 125))
        #expect(throws: LNSError.self) { try config.plan(board: 1, local: nil) }
        // Without a local configuration the first radio sends where the server says.
        #expect(try config.plan(local: nil).rfChains[0].transmitRange == config.frequencyRange)
    }

    @Test func aPlanComesBack() throws {
        for region in Region.all {
            let plan = RadioPlan(region)
            let config = try Self.config(LNSDownMessage.routerConfig(LNSRouterConfig(region, plan: plan)).json)
            #expect(try config.plan(local: plan) == plan, "\(region)")
        }
    }

    @Test(arguments: [
        #""radio_0":{"enable":true}"#, #""radio_0":{"enable":true,"freq":-1}"#, #""radio_0":7"#,
        #""radio_0":{"enable":true,"freq":868500000},"chan_multiSF_0":{"enable":true,"radio":7,"if":0}"#,
        #""radio_0":{"enable":true,"freq":868500000},"chan_multiSF_0":{"enable":true,"radio":1,"if":0}"#,
        #""radio_0":{"enable":true,"freq":1},"chan_multiSF_0":{"enable":true,"radio":0,"if":-2}"#,
        #""radio_0":{"enable":true,"freq":1},"chan_multiSF_0":{"enable":true,"radio":0,"if":1e300}"#,
        #""radio_0":{"enable":true,"freq":1},"chan_Lora_std":{"enable":true,"radio":0,"if":0,"spread_factor":99}"#,
    ])
    func hostileBoards(_ board: String) throws {
        let text = #"{"msgtype":"router_config","region":"X","freq_range":[1,2],"DRs":[],"sx1301_conf":[{\#(board)}]}"#
        let config = try Self.config(text)
        #expect(throws: LNSError.self) { try config.plan(local: nil) }
    }

    @Test func filters() throws {
        var config = try Self.config()
        func data(_ address: UInt32) -> LoRaWANFrame {
            .data(LoRaWANData(.unconfirmedUp, devAddr: DevAddr(address), fCnt: 0))
        }
        // The seven highest bits: 1 and 19 of the list.
        #expect(
            config.accepts(data(0x0200_0000)) && config.accepts(data(0x2601_1234)) && config.accepts(data(0x27FF_FFFF)))
        #expect(!config.accepts(data(0)) && !config.accepts(data(0x2800_0000)))
        config.netIDs = nil
        #expect(config.accepts(data(0)))
        // Exact beyond 2^63.
        config.joinEUIs = [0xA840_4100_0000_0100...0xA840_4100_0000_0100]
        func join(_ eui: UInt64) -> LoRaWANFrame {
            .joinRequest(LoRaWANJoinRequest(joinEUI: EUI64(eui), devEUI: EUI64(0), devNonce: 0))
        }
        #expect(config.accepts(join(0xA840_4100_0000_0100)) && !config.accepts(join(0xA840_4100_0000_0101)))
        #expect(!config.accepts(join(0xA840_4100_0000_00FF)))
        let again = try Self.config(LNSDownMessage.routerConfig(config).json)
        #expect(again.joinEUIs == config.joinEUIs)
        #expect(config.accepts(.proprietary(mhdr: 0xE0, [])))
        #expect(!config.accepts(.rejoinRequest([])))
    }

    @Test func theOtherSpellingOfEUI() throws {
        let text = Self.text.replacing("JoinEui", with: "JoinEUI")
        #expect(try Self.config(text).usesCapitalEUI && !Self.config().usesCapitalEUI)
        let none = Self.text.replacing("[[0,18446744073709551615]]", with: "null")
        #expect(try Self.config(none).joinEUIs == nil)
        for empty in ["null", "[]"] {
            #expect(try Self.config(Self.text.replacing("[1,19]", with: empty)).netIDs == nil)
        }
        #expect(throws: LNSError.field(.outOfRange("router_config.NetID"))) {
            try Self.config(Self.text.replacing("[1,19]", with: "[\"000013\"]"))
        }
    }

    @Test func discovery() throws {
        #expect(LNSDiscovery.request(EUI64(0x0016_C001_FF10_A235)) == #"{"router":"16:c001:ff10:a235"}"#)
        #expect(try LNSDiscovery.router(#"{"router":"16:c001:ff10:a235"}"#.utf8) == EUI64(0x0016_C001_FF10_A235))
        #expect(try LNSDiscovery.router(#"{"router":12345678901234567890}"#.utf8) == EUI64(12_345_678_901_234_567_890))
        #expect(throws: LNSError.self) { try LNSDiscovery.router(#"{"router":"x"}"#.utf8) }
        for answer in [LNSDiscovery.Answer.uri("wss://host:443/traffic/1", muxs: EUI64(1)), .error("unknown gateway")] {
            #expect(try LNSDiscovery.answer(LNSDiscovery.json(answer, router: EUI64(7)).utf8) == answer)
        }
        for text in [
            "{}", #"{"uri":"http://x"}"#, #"{"uri":7}"#, "[]", #"{"uri":"ws:\#(String(repeating: "/", count: 2000))"}"#,
        ] {
            #expect(throws: LNSError.self) { try LNSDiscovery.answer(text.utf8) }
        }
    }
}
