import DeviceCore
import DeviceProtocols
import DeviceTransport
import Testing

@testable import LoRaGateway

/// Files as they come with Semtech's forwarder, with forks of it, and as people write them.
@Suite struct ConfigurationTests {
    static let global = """
        {
            /* comments of both kinds, as in Semtech's files */
            "SX130x_conf": {
                "com_type": "SPI", "com_path": "/dev/spidev0.0", "lorawan_public": true, "clksrc": 0,
                "antenna_gain": 2, /* antenna gain, in dBi */
                "radio_0": {
                    "enable": true, "type": "SX1250", "freq": 867500000, "rssi_offset": -215.4,
                    "tx_enable": true, "tx_freq_min": 863000000, "tx_freq_max": 870000000,
                    "tx_gain_lut": [{"rf_power": 27, "pa_gain": 1, "pwr_idx": 22}, {"rf_power": 12, "pa_gain": 0, "pwr_idx": 15}]
                },
                "radio_1": {"enable": true, "type": "SX1250", "freq": 868500000, "rssi_offset": -215.4, "tx_enable": false},
                "chan_multiSF_All": {"spreading_factor_enable": [5, 6, 7, 8, 9, 10, 11, 12]},
                "chan_multiSF_0": {"enable": true, "radio": 1, "if": -400000},
                "chan_multiSF_1": {"enable": true, "radio": 1, "if": -200000},
                "chan_multiSF_2": {"enable": true, "radio": 1, "if": 0},
                "chan_multiSF_3": {"enable": true, "radio": 0, "if": -400000},
                "chan_multiSF_4": {"enable": false},
                "chan_Lora_std": {"enable": true, "radio": 1, "if": -200000, "bandwidth": 250000, "spread_factor": 7},
                "chan_FSK": {"enable": true, "radio": 1, "if": 300000, "bandwidth": 125000, "datarate": 50000}
            },
            "gateway_conf": {
                "gateway_ID": "AA555A0000000000", // changed by local_conf
                "server_address": "localhost", "serv_port_up": 1730, "serv_port_down": 1731,
                "keepalive_interval": 10, "stat_interval": 30, "push_timeout_ms": 100,
                "forward_crc_valid": true, "forward_crc_error": true, "forward_crc_disabled": false,
                "ref_latitude": 46.5, "ref_longitude": 6.6, "ref_altitude": 400
            },
            "debug_conf": {"log_file": "loragw_hal.log"}
        }
        """

    /// Loads `/etc/g.json` out of a dictionary of files.
    private func load(_ files: [String: String]) -> (GatewayConfiguration, [String]) {
        let loader = ConfigurationLoader { path throws(DeviceError) in
            guard let text = files[path] else { throw DeviceError(.notFound, "cannot read \(path)") }
            return Array(text.utf8)
        }
        let (configuration, problems) = loader.load("/etc/g.json")
        return (configuration, problems.sentences)
    }

    @Test func semtechsFilesAreReadAsTheyAre() throws {
        let local = #"{"gateway_conf": {"gateway_ID": "0102030405060708", "server_address": "ns.example"}}"#
        let (configuration, problems) = load(["/etc/g.json": Self.global, "/etc/local_conf.json": local])
        #expect(problems.isEmpty)
        #expect(configuration.eui == GatewayEUI(0x0102_0304_0506_0708))
        #expect(configuration.files == ["/etc/g.json", "/etc/local_conf.json"])
        let uplink = try #require(configuration.uplinks.first)
        let server = GWMPServer(host: "ns.example", portUp: 1730, portDown: 1731)
        #expect(configuration.uplinks.count == 1 && uplink.kind == .gwmp(server) && uplink.store == nil)
        #expect(uplink.forwards == CRCPolicy(valid: true, bad: true, none: false))
        #expect(configuration.position?.latitude == 46.5 && configuration.position?.altitude == 400)

        let plan = try #require(configuration.plan)
        #expect(plan.isPublic && plan.antennaGain == 2)
        #expect(
            plan.channels.map(\.frequency.hertz) == [
                868_100_000, 868_300_000, 868_500_000, 867_100_000, 868_300_000, 868_800_000,
            ])
        #expect(plan.channels.map(\.rfChain) == [1, 1, 1, 0, 1, 1])
        #expect(plan.channels[0].modem == .multiSF(spreadingFactors: 5...12))
        #expect(plan.channels[4].modem == .lora(LoRaDataRate(spreadingFactor: 7, bandwidth: 250)))
        #expect(plan.channels[5].modem == .fsk(bitRate: 50_000, bandwidth: 125))
        #expect(plan.rfChains[0].gains.map(\.power) == [12, 27])
        #expect(
            plan.rfChains[0].transmitRange?.upperBound.hertz == 870_000_000 && plan.rfChains[1].transmitRange == nil)
        #expect(RegionChoice.region(named: nil, plan: plan)?.name == "EU868")
    }

    @Test func theOldFormAndForksWithSeveralServersAreRead() throws {
        let text = """
            {"SX1301_conf": {"lorawan_public": false,
                "radio_0": {"enable": true, "freq": 904300000, "tx_enable": true, "tx_freq_min": 923000000, "tx_freq_max": 928000000},
                "chan_multiSF_0": {"enable": true, "radio": 0, "if": -400000},
                "tx_lut_0": {"pa_gain": 0, "mix_gain": 8, "rf_power": -6, "dig_gain": 0},
                "tx_lut_1": {"pa_gain": 2, "mix_gain": 10, "rf_power": 14, "dig_gain": 0}},
             "gateway_conf": {"gateway_ID": "AA-55-5A-00-00-00-00-01", "servers": [
                {"server_address": "router.eu.thethings.network", "serv_type": "ttn", "serv_enabled": false},
                {"server_address": "a.example", "serv_port_up": 1700, "serv_port_down": 1700, "serv_enabled": true},
                {"server_address": "b.example", "serv_port_up": 1680}]}}
            """
        let (configuration, problems) = load(["/etc/g.json": text])
        #expect(problems.isEmpty)
        #expect(configuration.uplinks.map(\.name) == ["a.example", "b.example:1680"])
        #expect(configuration.uplinks[1].kind == .gwmp(GWMPServer(host: "b.example", portUp: 1680, portDown: 1680)))
        let plan = try #require(configuration.plan)
        #expect(!plan.isPublic && plan.rfChains[0].gains.map(\.mixer) == [8, 10])
        #expect(plan.channels[0].modem == .multiSF(spreadingFactors: 7...12))
        #expect(RegionChoice.region(named: nil, plan: plan)?.name == "US915")
    }

    @Test func theOwnFileAddsUplinksOfAllKinds() throws {
        let own = """
            {"region": "EU868", "airtime": "trust-server", "page": "127.0.0.1:8090",
             "radio": {"kind": "forwarder", "listen": "127.0.0.1:1780"},
             "uplinks": [
                {"kind": "lns", "name": "tts", "url": "wss://eu1.example:8887", "token-file": "tts.key", "ca": "ca.pem",
                 "dev-addr": ["26000000/7"], "join-eui": "70b3d57ed0000000-70b3d57ed0ffffff"},
                {"kind": "cluster", "brokers": ["smqs://a.example", "smqs://b.example"], "uplink-only": true},
                {"kind": "gwmp", "server": "ns.example", "port": 1700, "store": {"megabytes": 10, "age": "2d"}},
                {"kind": "gwmp", "server": "off.example", "enabled": false}]}
            """
        var files = ["/etc/g.json": Self.global, "/etc/loragateway.json": own]
        // The token's file is read from the real disk by the reader itself; here it is missing and said so.
        let (configuration, problems) = load(files)
        #expect(problems.count == 1 && problems.first?.contains("token-file") == true)
        #expect(configuration.uplinks.map(\.name) == ["localhost:1730", "tts", "cluster", "ns.example"])
        #expect(configuration.uplinks[1].filter.devAddr.map(\.description) == ["26000000/7"])
        #expect(configuration.uplinks[1].filter.joinEUI == [0x70B3_D57E_D000_0000...0x70B3_D57E_D0FF_FFFF])
        #expect(configuration.uplinks[1].store == nil)
        #expect(configuration.uplinks[2].store == StoreSettings() && configuration.uplinks[2].filter.isUplinkOnly)
        #expect(configuration.uplinks[3].store == StoreSettings(bytes: 10 << 20, age: .seconds(2 * 86400)))
        #expect(configuration.radio == .forwarder(ListenAddress(host: "127.0.0.1", port: 1780)))
        #expect(!configuration.enforcesAirtime && configuration.region == "EU868")
        #expect(configuration.page == ListenAddress(host: "127.0.0.1", port: 8090))
        // The other way round: the own file names Semtech's.
        files = [
            "/etc/g.json": #"{"semtech": "x/global.json", "gateway": "0102030405060708"}"#,
            "/etc/x/global.json": Self.global,
        ]
        #expect(load(files).1.isEmpty)
        #expect(load(files).0.eui == GatewayEUI(0x0102_0304_0506_0708))
    }

    @Test(arguments: [
        ("{", "/etc/g.json: 1:2"), ("[]", "it holds an array"), ("{\"gateway_conf\": {}}", "there is no up-link"),
        (#"{"gateway_conf": {"server_address": "http://x"}}"#, "no name or address"),
        (#"{"gateway_conf": {"server_address": "x", "gateway_ID": "12"}}"#, "no EUI"),
        (#"{"gateway_conf": {"server_address": "x", "serv_port_up": 70000}}"#, "70000 is out of range"),
        (#"{"gateway_conf": {"server_address": 5}}"#, "a whole number"),
        (#"{"gateway_conf": {"server_address": "x", "beacon_period": 60}}"#, "128"),
        (#"{"SX130x_conf": {"radio_0": {"enable": true}}, "gateway_conf": {"server_address": "x"}}"#, "no frequency"),
        (
            #"{"SX130x_conf": {"chan_multiSF_0": {"enable": true, "radio": 1}}, "gateway_conf": {"server_address": "x"}}"#,
            "radio is off"
        ),
        (
            #"{"SX130x_conf": {"radio_0": {"enable": true, "freq": 867500000, "tx_enable": true}}, "gateway_conf": {"server_address": "x"}}"#,
            "tx_freq_min"
        ),
        (#"{"uplinks": [{"kind": "smoke"}]}"#, "no kind of up-link"),
        (#"{"uplinks": [{"kind": "gwmp"}]}"#, "server's name"),
        (#"{"uplinks": [{"kind": "lns", "url": "http://x"}]}"#, "wss://"),
        (#"{"uplinks": [{"kind": "gwmp", "server": "x", "prt": 1}]}"#, #"Perhaps "port" is meant"#),
        (#"{"uplinks": [{"kind": "gwmp", "server": "x"}, {"kind": "gwmp", "server": "x"}]}"#, "two up-links"),
        (#"{"uplinks": [{"kind": "gwmp", "server": "x", "dev-addr": "26/7"}]}"#, "eight hexadecimal digits"),
        (#"{"uplinks": [{"kind": "gwmp", "server": "x", "join-eui": "zz"}]}"#, "range of JoinEUIs"),
        (#"{"uplinks": [{"kind": "gwmp", "server": "x", "store": {"age": "soon"}}]}"#, "no duration"),
        (#"{"uplinks": [{"kind": "gwmp", "server": "x"}], "radio": {"kind": "x"}}"#, "no kind of radio"),
        (#"{"uplinks": [{"kind": "gwmp", "server": "x"}], "airtime": "never"}"#, "trust-server"),
        (#"{"uplinks": [{"kind": "gwmp", "server": "x"}], "region": "MOON"}"#, "no region"),
    ])
    func eachProblemIsASentenceWithItsPlace(_ text: String, _ part: String) {
        let (_, problems) = load(["/etc/g.json": text])
        #expect(
            problems.contains { $0.contains(part) && $0.hasPrefix("/etc/g.json") && $0.hasSuffix(".") }, "\(problems)")
    }

    /// The radio's forwarder is heard at 1700 unless the file says otherwise, and so do network servers listen.
    @Test(arguments: [
        ("localhost", 1700, "127.0.0.1:1700", true), ("127.0.0.1", 1700, "127.0.0.1:1700", true),
        ("127.0.0.3", 1700, "0.0.0.0:1700", true), ("::1", 1700, "[::]:1700", true),
        ("localhost", 1701, "127.0.0.1:1700", false), ("127.0.0.2", 1700, "127.0.0.1:1700", false),
        ("ns.example", 1700, "0.0.0.0:1700", false),
    ])
    func anUplinkToTheGatewaysOwnRadioIsRefused(_ host: String, _ port: Int, _ listen: String, _ isRefused: Bool) {
        let text = """
            {"radio": {"kind": "forwarder", "listen": "\(listen)"},
             "uplinks": [{"kind": "gwmp", "server": "\(host)", "port": \(port)}]}
            """
        let (_, problems) = load(["/etc/g.json": text])
        #expect(problems.count == (isRefused ? 1 : 0), "\(problems)")
        #expect(problems.allSatisfy { $0.contains("hear its own frames") })
    }

    @Test func aFileFullOfNonsenseIsNoTrapAndNoFlood() {
        let channels = (0..<3000).map { #"{"kind": \#($0), "x\#($0)": [[[]]]}"# }.joined(separator: ",")
        let (_, problems) = load(["/etc/g.json": "{\"uplinks\": [\(channels)]}"])
        #expect(!problems.isEmpty && problems.count <= ConfigurationProblems.limit)
        for text in ["", "nul", "{\"uplinks\": null}", #"{"SX130x_conf": {"radio_0": {"enable": true, "freq": -1}}}"#] {
            #expect(!load(["/etc/g.json": text]).1.isEmpty)
        }
    }

    @Test func aStationsDirectoryIsRead() {
        let files = [
            "/s/tc.uri": "wss://lns.example:8887\n", "/s/tc.key": "Authorization: Bearer secret\r\n",
            "/s/tc.trust": "x",
            "/s/station.conf": "{/* its own */ \"station_conf\": {\"routerid\": \"01-02-03-04-05-06-07-08\"}}",
        ]
        let directory = StationDirectory(path: "/s") { path throws(DeviceError) in
            guard let text = files[path] else { throw DeviceError(.notFound, "cannot read \(path)") }
            return Array(text.utf8)
        }
        let (configuration, problems) = directory.load()
        #expect(problems.isEmpty, "\(problems.text)")
        #expect(configuration.eui == GatewayEUI(0x0102_0304_0506_0708))
        #expect(configuration.radio == .lgwsim("/s/spidev"))
        let server = LNSServer(
            url: "wss://lns.example:8887", headers: ["Authorization: Bearer secret"], authorities: "/s/tc.trust")
        #expect(configuration.uplinks.map(\.kind) == [.lns(server)])
    }
}
