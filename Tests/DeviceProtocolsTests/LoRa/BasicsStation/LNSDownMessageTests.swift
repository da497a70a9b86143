import DeviceCore
import DeviceProtocols
import Testing

@Suite struct LNSDownMessageTests {
    private static let session: UInt8 = 0xAB
    private static let window = LNSDownlink.Window(dataRate: 5, frequency: RadioFrequency(hertz: 868_100_000))
    private static let second = LNSDownlink.Window(dataRate: 0, frequency: RadioFrequency(hertz: 869_525_000))

    private func station(now: UInt64 = 1 << 40) -> DownlinkRequest.Station {
        DownlinkRequest.Station(
            config: LNSRouterConfig(.eu868, plan: RadioPlan(.eu868)), session: Self.session, now: now)
    }

    private func downlink(_ text: String) throws -> LNSDownlink {
        guard case .downlink(let message) = try LNSDownMessage(text.utf8) else { throw LNSError.unknownMessage(text) }
        return message
    }

    /// As The Things Stack and ChirpStack send it.
    @Test func classA() throws {
        let now: UInt64 = 1 << 40
        let uplink = LNSTime(unit: 0, session: Self.session, count: now - 100_000)
        let message = try downlink(
            #"""
            {"msgtype":"dnmsg","DevEui":"00-00-00-00-11-00-00-01","dC":0,"diid":35,"pdu":"60010203","RxDelay":5,\#
            "RX1DR":5,"RX1Freq":868100000,"RX2DR":0,"RX2Freq":869525000,"priority":25,"xtime":\#(uplink.rawValue),\#
            "rctx":0,"MuxTime":1700000000.25}
            """#)
        #expect(message.devEUI == EUI64(0x1100_0001) && message.diid == 35 && message.pdu == [0x60, 1, 2, 3])
        #expect(message.priority == 25 && message.muxTime == 1_700_000_000.25)
        let requests = try DownlinkRequest.requests(message, id: 9, station: station(now: now))
        #expect(requests.map(\.timing) == [.count(now + 4_900_000), .count(now + 5_900_000)])
        #expect(requests.map(\.frame.frequency.hertz) == [868_100_000, 869_525_000])
        #expect(
            requests.map(\.frame.modulation) == [
                .lora(LoRaDataRate(spreadingFactor: 7, bandwidth: 125)),
                .lora(LoRaDataRate(spreadingFactor: 12, bandwidth: 125)),
            ])
        #expect(
            requests.allSatisfy { $0.id == 9 && $0.frame.invertsPolarity && !$0.frame.hasCRC && $0.frame.preamble == 8 }
        )
    }

    @Test func aDelayOfZeroIsOne() throws {
        for field in [#""RxDelay":0,"#, ""] {
            let message = try downlink(
                #"{"msgtype":"dnmsg","DevEui":"::1","dC":0,"seqno":1,"pdu":"",\#(field)"RX1DR":0,"RX1Freq":868100000,"xtime":1}"#
            )
            #expect(message.rxDelay == 1 && message.diid == 1)
        }
    }

    @Test func classB() throws {
        let message = try downlink(
            #"{"msgtype":"dnmsg","DevEui":"::1","dC":1,"diid":2,"pdu":"00","DR":3,"Freq":869525000,"gpstime":1300000000123456}"#
        )
        let requests = try DownlinkRequest.requests(message, id: 1, station: station())
        #expect(requests.map(\.timing) == [.gps(microseconds: 1_300_000_000_123_456)])
    }

    @Test func classC() throws {
        let now: UInt64 = 1 << 40
        var message = LNSDownlink(devEUI: EUI64(1), deviceClass: .c, diid: 1, pdu: [1])
        message.rx2 = Self.second
        #expect(
            try DownlinkRequest.requests(message, id: 1, station: station(now: now)).map(\.timing) == [.immediately])
        message.rx1 = Self.window
        message.xtime = LNSTime(unit: 0, session: Self.session, count: now)
        #expect(
            try DownlinkRequest.requests(message, id: 1, station: station(now: now)).map(\.timing)
                == [.count(now + 1_000_000), .immediately])
        // A time of another session: only what needs none.
        message.xtime = LNSTime(unit: 0, session: 1, count: now)
        #expect(
            try DownlinkRequest.requests(message, id: 1, station: station(now: now)).map(\.timing) == [.immediately])
    }

    @Test func whatCannotBeSent() {
        var message = LNSDownlink(devEUI: EUI64(1), deviceClass: .a, diid: 1, pdu: [1])
        message.rx1 = Self.window
        func error(_ message: LNSDownlink) -> LNSError? {
            do throws(LNSError) {
                _ = try DownlinkRequest.requests(message, id: 1, station: station())
                return nil
            } catch {
                return error
            }
        }
        #expect(error(message) == .field(.missing("dnmsg.xtime")))
        message.xtime = LNSTime(unit: 0, session: 1, count: 1 << 40)
        #expect(error(message) == .staleTime)
        message.xtime = LNSTime(unit: 0, session: Self.session, count: 1 << 40)
        #expect(error(message) == nil)
        message.rx1?.dataRate = 15
        #expect(error(message) == .field(.outOfRange("dnmsg.DR")))
        message.rx1 = LNSDownlink.Window(dataRate: 5, frequency: RadioFrequency(hertz: 915_000_000))
        #expect(error(message) == .field(.outOfRange("dnmsg.Freq")))
        message.deviceClass = .b
        #expect(error(message) == .field(.missing("dnmsg.gpstime")))
    }

    @Test func scheduled() throws {
        let now: UInt64 = 1 << 40
        let time = LNSTime(unit: 0, session: Self.session, count: now + 3_000_000)
        let text = #"""
            {"msgtype":"dnsched","schedule":[{"diid":1,"DR":0,"Freq":869525000,"pdu":"AB","gpstime":1300000000123456},\#
            {"diid":2,"DR":5,"Freq":868100000,"pdu":"","ontime":1300000000,"priority":3,"preamble":12,"addcrc":1},\#
            {"DR":7,"Freq":868100000,"pdu":"00","xtime":\#(time.rawValue),"rctx":1}],"MuxTime":5}
            """#
        guard case .schedule(let frames, 5) = try LNSDownMessage(text.utf8) else {
            Issue.record("no schedule")
            return
        }
        let requests = try frames.map { try DownlinkRequest($0, id: 1, station: station(now: now)) }
        #expect(
            requests.map(\.timing) == [
                .gps(microseconds: 1_300_000_000_123_456), .gps(microseconds: 1_300_000_000_000_000),
                .count(now + 3_000_000),
            ])
        #expect(requests[1].frame.preamble == 12 && requests[1].frame.hasCRC)
        #expect(requests[2].frame.modulation == .fsk(bitRate: 50_000) && requests[2].frame.preamble == 5)
        #expect(throws: LNSError.staleTime) {
            var stale = frames[2]
            stale.timing = .xtime(LNSTime(unit: 0, session: 1, count: now))
            _ = try DownlinkRequest(stale, id: 1, station: station(now: now))
        }
    }

    @Test func everyMessageIsReadAsItWasWritten() throws {
        var downlink = LNSDownlink(devEUI: EUI64(.max), deviceClass: .c, diid: .min, pdu: Array(0...254))
        downlink.rxDelay = 15
        downlink.rx1 = Self.window
        downlink.rx2 = Self.second
        downlink.priority = 255
        downlink.xtime = LNSTime(rawValue: 9_007_199_254_740_993)
        downlink.rctx = .max
        downlink.gpstime = 1 << 53 + 1
        downlink.preamble = .max
        downlink.addsCRC = true
        downlink.muxTime = 1.5
        var scheduled = LNSScheduled(diid: 3, window: Self.window, pdu: [1], timing: .xtime(LNSTime(rawValue: .max)))
        scheduled.rctx = 2
        var config = LNSRouterConfig(.us915, plan: RadioPlan(.us915))
        config.netIDs = [0, 0x13]
        config.joinEUIs = [0...UInt64.max, 0xA840_4100_0000_0100...0xA840_4100_0000_0101]
        config.maximumEIRP = 26.5
        config.nodc = true
        config.upChannels = [.init(frequency: RadioFrequency(hertz: 902_300_000), dataRates: 0...3)]
        config.beaconing = .init(
            dataRate: 8, layout: try #require(BeaconLayout(spreadingFactor: 12)),
            frequencies: Region.us915.downlinkChannels)
        config.muxTime = 2.25
        for message in [
            LNSDownMessage.downlink(downlink), .schedule([scheduled], muxTime: nil), .routerConfig(config),
            .timeSync(txtime: .max, gpstime: 1, muxTime: nil),
            .gpsTime(xtime: LNSTime(rawValue: .max), gpstime: 2, muxTime: 3),
            .getXTime(muxTime: 4), .runCommand, .remoteShell, .error("no such gateway"),
        ] {
            #expect(try LNSDownMessage(message.json.utf8) == message, "\(message.json)")
        }
    }

    /// The published vector, and what else a server may ask for and does not get.
    @Test func refusedPolitely() throws {
        let shell = #"{"msgtype":"rmtsh","rmtsh":[{"user":"foo","started":true,"age":1,"pid":2}]}"#
        #expect(try LNSDownMessage(shell.utf8) == .remoteShell)
        let command = #"{"msgtype":"runcmd","command":"rm","arguments":["-rf","/"]}"#
        #expect(try LNSDownMessage(command.utf8) == .runCommand)
        #expect(throws: LNSError.unknownMessage("")) { try LNSDownMessage(#"{"foo":"bar"}"#.utf8) }
        #expect(throws: LNSError.unknownMessage("updf")) { try LNSDownMessage(#"{"msgtype":"updf"}"#.utf8) }
    }

    @Test(arguments: [
        #"{"msgtype":"dnmsg"}"#, #"{"msgtype":"dnmsg","DevEui":"::1","dC":3,"diid":1,"pdu":""}"#,
        #"{"msgtype":"dnmsg","DevEui":"::1","dC":0,"diid":1,"pdu":"0"}"#,
        #"{"msgtype":"dnmsg","DevEui":"::1","dC":0,"diid":1,"pdu":"","RX1DR":0}"#,
        #"{"msgtype":"dnmsg","DevEui":"::1","dC":0,"diid":1e300,"pdu":""}"#,
        #"{"msgtype":"dnmsg","DevEui":"::1","dC":0,"diid":1,"pdu":"","xtime":1e18}"#,
        #"{"msgtype":"dnmsg","DevEui":"::1","dC":0,"diid":1,"pdu":"","RX1DR":16,"RX1Freq":1}"#,
        #"{"msgtype":"dnmsg","DevEui":"::1","dC":0,"diid":1,"pdu":"","RX1DR":1,"RX1Freq":4294967296}"#,
        #"{"msgtype":"dnsched"}"#, #"{"msgtype":"dnsched","schedule":[{}]}"#, #"{"msgtype":"dnsched","schedule":[7]}"#,
        #"{"msgtype":"timesync"}"#, #"{"msgtype":"timesync","gpstime":-1,"txtime":1}"#, #"{"msgtype":"router_config"}"#,
        #"{"msgtype":"router_config","region":"EU868","freq_range":[2,1],"DRs":[]}"#,
        #"{"msgtype":"router_config","region":"EU868","freq_range":[1],"DRs":[]}"#,
        #"{"msgtype":"router_config","region":"EU868","freq_range":[1,2],"DRs":[[1]]}"#,
        #"{"msgtype":"router_config","region":"EU868","freq_range":[1,2],"DRs":[],"JoinEui":[[2,1]]}"#,
        #"{"msgtype":"router_config","region":"EU868","freq_range":[1,2],"DRs":[],"bcning":{"DR":1,"layout":[9,9,9],"freqs":[]}}"#,
        #"{"msgtype":"router_config","region":"EU868","freq_range":[1,2],"DRs":[],"upchannels":[[1,5,2]]}"#,
    ])
    func hostileMessages(_ text: String) {
        #expect(throws: LNSError.self) { try LNSDownMessage(text.utf8) }
    }

    @Test func longMessagesAreRefusedBeforeTheyAreRead() {
        let pdu = String(repeating: "0", count: 512)
        #expect(throws: LNSError.field(.outOfRange("dnmsg.pdu"))) {
            try downlink(#"{"msgtype":"dnmsg","DevEui":"::1","dC":0,"diid":1,"pdu":"\#(pdu)"}"#)
        }
        #expect(throws: LNSError.self) { try LNSDownMessage([UInt8](repeating: 0x20, count: 300_000)) }
        let frames = (0..<129).map { _ in #"{"diid":1}"# }.joined(separator: ",")
        #expect(throws: LNSError.field(.tooMany("dnsched.schedule", limit: 128))) {
            try LNSDownMessage(#"{"msgtype":"dnsched","schedule":[\#(frames)]}"#.utf8)
        }
    }
}
