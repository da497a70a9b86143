import DeviceCore
import DeviceProtocols
import DeviceSimulator
import DeviceTransport
import TestSupport
import Testing

@testable import LoRaGateway

/// Listening before talking: who asks for it, and what becomes of a frame whose channel is taken.
@Suite(.timeLimit(.minutes(5))) struct ListenBeforeTalkTests {
    private static func load(_ radio: String, own: String = "{}") -> (GatewayConfiguration, [String]) {
        let global = """
            {"SX130x_conf": {
                "radio_0": {"enable": true, "freq": 922300000, "tx_enable": true, "tx_freq_min": 920000000,
                            "tx_freq_max": 925000000},
                "chan_multiSF_0": {"enable": true, "radio": 0, "if": -200000},
                "chan_multiSF_1": {"enable": true, "radio": 0, "if": 0}\(radio)},
             "gateway_conf": {"server_address": "localhost"}}
            """
        let files = ["/etc/g.json": global, "/etc/loragateway.json": own]
        let loader = ConfigurationLoader { path throws(DeviceError) in
            guard let text = files[path] else { throw DeviceError(.notFound, "cannot read \(path)") }
            return Array(text.utf8)
        }
        let (configuration, problems) = loader.load("/etc/g.json")
        return (configuration, problems.sentences)
    }

    private static func listening(_ configuration: GatewayConfiguration) -> ListenBeforeTalk? {
        // The virtual concentrator listens.
        RadioRules(configuration, radio: VirtualConcentrator(devices: [], crypto: OpenSSLCrypto())).plan
            .listenBeforeTalk
    }

    @Test func theSX1302sFile() throws {
        let (configuration, problems) = Self.load(
            """
            , "sx1261_conf": {"spi_path": "/dev/spidev0.1", "rssi_offset": -3, "spectral_scan": {"enable": false},
              "lbt": {"enable": true, "rssi_target": -70, "channels": [
                {"freq_hz": 922100000, "bandwidth": 125000, "scan_time_us": 128, "transmit_time_ms": 400},
                {"freq_hz": 922300000, "bandwidth": 250000, "scan_time_us": 5000, "transmit_time_ms": 4000}]}}
            """)
        #expect(problems.isEmpty, "\(problems)")
        let listening = try #require(Self.listening(configuration))
        #expect(listening.rssiTarget == -70 && listening.rssiOffset == -3)
        #expect(
            listening.channels == [
                .init(frequency: RadioFrequency(hertz: 922_100_000), scanTime: 128, longestFrame: 400_000),
                .init(
                    frequency: RadioFrequency(hertz: 922_300_000), bandwidth: 250, scanTime: 5000,
                    longestFrame: 4_000_000),
            ])
        #expect(listening.channel(at: RadioFrequency(hertz: 922_500_000)) == nil)
    }

    @Test func theSX1301sFile() throws {
        let (configuration, problems) = Self.load(
            """
            , "lbt_cfg": {"enable": true, "rssi_target": -80, "sx127x_rssi_offset": -4, "chan_cfg": [
                {"freq_hz": 922100000, "scan_time_us": 128}, {"freq_hz": 922300000, "scan_time_us": 5000}]}
            """)
        #expect(problems.isEmpty, "\(problems)")
        let listening = try #require(Self.listening(configuration))
        #expect(listening.rssiTarget == -80 && listening.rssiOffset == -4)
        #expect(listening.channels.map(\.scanTime) == [128, 5000])
    }

    @Test(arguments: [
        (#""enable": true"#, "rssi_target"), (#""enable": true, "rssi_target": 5"#, "rssi_target"),
        (#""enable": true, "rssi_target": -80, "channels": [{}]"#, "without a frequency"),
        (
            #""enable": true, "rssi_target": -80, "channels": [{"freq_hz": 922100000, "scan_time_us": 200}]"#,
            "do not listen for 200"
        ),
        (
            #""enable": true, "rssi_target": -80, "channels": [{"freq_hz": 922100000, "bandwidth": 1}]"#,
            "no LoRa bandwidth"
        ),
        (#""enable": true, "rssi_target": -80, "channels": [1, 2]"#, "channels[0]"),
        (#""enable": "yes""#, "enable"),
    ]) func whatIsWrongIsSaid(_ lbt: String, _ words: String) {
        let (_, problems) = Self.load(", \"sx1261_conf\": {\"lbt\": {\(lbt)}}")
        #expect(problems.contains { $0.contains(words) }, "\(problems)")
    }

    @Test func theRegionsLawUnlessToldOtherwise() {
        #expect(Self.listening(Self.load("").0)?.rssiTarget == -67, "by its channels this is South Korea")
        #expect(Self.listening(Self.load("", own: #"{"region": "AS923-JP"}"#).0)?.rssiTarget == -80)
        #expect(Self.listening(Self.load("", own: #"{"region": "AS923-1"}"#).0) == nil)
        #expect(Self.listening(Self.load("", own: #"{"lbt": false}"#).0) == nil)
        let own = ", \"sx1261_conf\": {\"lbt\": {\"enable\": true, \"rssi_target\": -60}}"
        #expect(Self.listening(Self.load(own).0)?.rssiTarget == -60)
        #expect(Self.listening(Self.load(own, own: #"{"lbt": false}"#).0) == nil)
        #expect(Self.listening(GatewayConfiguration()) == nil)
    }

    /// The server is told that its frame was accepted, and nothing else: that is all that its protocol has. The gateway
    /// counts.
    @Test func aTakenChannelIsCounted() async throws {
        let server = try await FakeGWMPServer.start()
        let uplink = UplinkConfiguration(
            name: "ns", kind: .gwmp(GWMPServer(host: server.host, portUp: server.port, portDown: server.port)))
        let txpk =
            #"{"txpk":{"imme":true,"freq":868.1,"rfch":0,"powe":14,"modu":"LORA","datr":"SF7BW125","codr":"4/5","#
            + #""ipol":true,"size":4,"data":"3q2+7w==","ncrc":true}}"#
        try await GatewayRig.run([uplink]) { rig in
            try await rig.waitUntilUp("ns")
            rig.radio.takeChannel(true)
            server.send(txpk, token: [1, 1])
            try await eventually("it fails") { rig.fates.contains("channel-busy") }
            rig.radio.takeChannel(false)
            server.send(txpk, token: [1, 2])
            try await eventually("the next is sent") { rig.fates.contains("sent") }
            #expect(rig.fates == ["waiting", "channel-busy", "waiting", "sent"])
            let counters = try await rig.get { $0.desk.queue.counters }
            #expect(counters.failed == [.channelBusy: 1] && counters.emitted == 1)
            try await eventually("both answers") { server.acks.count == 2 }
        }
        await server.stop()
    }
}
