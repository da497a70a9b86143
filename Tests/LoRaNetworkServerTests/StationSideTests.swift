import DeviceCore
import DeviceProtocols
import DeviceTransport
import NIOCore
import TestSupport
import Testing

@testable import LoRaNetworkServer

/// The server as a Basics Station sees it. The station's messages are written by hand.
@Suite struct StationSideTests {
    private func send(_ socket: RawConnection, _ text: String) async throws {
        try await socket.send(WebSocketBytes.frame(.text, ByteBuffer(string: text)))
    }

    private func receive(_ socket: RawConnection) async throws -> JSONValue {
        let (opcode, payload) = try await socket.takeFrame()
        #expect(opcode == .text)
        return try JSONValue(parsing: payload.readableBytesView)
    }

    /// A station that has been told its configuration.
    private func configured(_ run: ServerRun) async throws -> RawConnection {
        let socket = try await RawConnection.webSocket(
            port: run.server.stationAddress.port, path: "/station?router=aa555a0000000101")
        try await send(socket, #"{"msgtype":"version","station":"test","protocol":2,"features":"rmtsh"}"#)
        #expect(try await receive(socket)["msgtype"] == "router_config")
        return socket
    }

    @Test(arguments: [
        ("\"aa55:5a00:0:101\"", "aa55:5a00:0:101"), ("\"::1\"", "::1"), ("1", "::1"),
        ("\"AA-55-5A-00-00-00-01-01\"", "aa55:5a00:0:101"), ("\"16:c001:ff10:a235\"", "16:c001:ff10:a235"),
    ])
    func discovery(_ router: String, _ answer: String) async throws {
        let run = try await ServerRun([])
        let port = run.server.stationAddress.port
        let socket = try await RawConnection.webSocket(port: port, path: "/router-info")
        try await send(socket, "{\"router\":\(router)}")
        let message = try await receive(socket)
        #expect(message["router"]?.stringValue == answer)
        let uri = try #require(message["uri"]?.stringValue)
        #expect(uri.hasPrefix("ws://127.0.0.1:\(port)/station?router="))
        #expect(message["error"] == nil)
        await run.server.close()
    }

    @Test func discoveryOfNobodyIsRefused() async throws {
        let run = try await ServerRun([])
        for text in ["{\"router\":\"x:y\"}", "{}", "no json", "{\"router\":\"1:2:3:4:5\"}", "{\"router\":\"1::2::3\"}"]
        {
            let socket = try await RawConnection.webSocket(
                port: run.server.stationAddress.port, path: "/router-info")
            try await send(socket, text)
            #expect(try await receive(socket)["error"]?.stringValue != nil)
            socket.close()
        }
        #expect(await run.server.counters().bad["bad-discovery"] == 5)
        await run.server.close()
    }

    @Test func theConfigurationNamesChannelsAndRates() async throws {
        let run = try await ServerRun([])
        let socket = try await RawConnection.webSocket(
            port: run.server.stationAddress.port, path: "/station?router=0000000000000001")
        try await send(socket, #"{"msgtype":"version","protocol":2}"#)
        let message = try await receive(socket)
        #expect(message["region"] == "EU863")
        #expect(message["freq_range"] == [863_000_000, 870_000_000])
        let rates = try #require(message["DRs"]?.arrayValue)
        #expect(rates.count == 16)
        #expect(rates[0] == [12, 125, 0] && rates[5] == [7, 125, 0] && rates[6] == [7, 250, 0])
        #expect(rates[7] == [0, 0, 0] && rates[8] == [-1, 0, 0])
        let radio = try #require(message["sx1301_conf"]?[0])
        var heard: Set<Int64> = []
        for number in 0..<8 {
            let channel = try #require(radio["chan_multiSF_\(number)"])
            let chain = try #require(channel["radio"]?.integerValue)
            let centre = try #require(radio["radio_\(chain)"]?["freq"]?.integerValue)
            heard.insert(centre + (channel["if"]?.integerValue ?? 0))
        }
        #expect(heard == Set(Region.eu868.gatewayChannels.map { Int64($0.hertz) }))
        await run.server.close()
    }

    @Test func aDeviceJoinsAndTimesAreExact() async throws {
        let run = try await ServerRun([TestDevices.joining]) {
            $0.secondWindowEvery = 2
            $0.classCInterval = nil
        }
        let socket = try await configured(run)
        // Beyond what a double holds exactly.
        let xtime: Int64 = 9_007_199_254_740_993
        for (number, nonce) in [(1, UInt16(1)), (2, 2)] {
            let request = try TestDevices.joinRequest(nonce: nonce)
            let mic = request.suffix(4).reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            try await send(
                socket,
                """
                {"msgtype":"jreq","MHdr":0,"JoinEui":"11-12-13-14-15-16-17-18","DevEui":"01-02-03-04-05-06-07-08",\
                "DevNonce":\(nonce),"MIC":\(Int32(bitPattern: mic)),"RefTime":0.000000,"DR":5,"Freq":868100000,\
                "upinfo":{"rctx":0,"xtime":\(xtime),"gpstime":0,"rssi":-50,"snr":9.25}}
                """)
            let message = try await receive(socket)
            #expect(message["msgtype"] == "dnmsg")
            #expect(message["DevEui"] == "01-02-03-04-05-06-07-08")
            #expect(message["dC"] == 0)
            #expect(message["xtime"]?.integerValue == xtime)
            #expect(message["RxDelay"] == 5)
            // The second answer goes into the second window of the same device, if it had a session; each join is new.
            let pdu = try #require(message["pdu"]?.stringValue.flatMap { HexText.bytes(from: $0) })
            #expect(pdu.first == 0x20)
            #expect(message["RX1DR"] == 5 && message["RX1Freq"] == 868_100_000)
            #expect(await run.server.counters().joins == UInt64(number))
        }
        try await send(socket, #"{"msgtype":"dntxed","diid":1,"DevEui":"01-02-03-04-05-06-07-08","xtime":1}"#)
        try await run.wait("a fate") { $0.accepted == 1 }
        await run.server.close()
    }

    @Test func dataIsPutTogetherAgain() async throws {
        let run = try await ServerRun([TestDevices.personalized]) { $0.secondWindowEvery = 1 }
        let socket = try await configured(run)
        // lora-packet's published frame.
        try await send(
            socket,
            """
            {"msgtype":"updf","MHdr":64,"DevAddr":1237220849,"FCtrl":0,"FCnt":2,"FOpts":"","FPort":1,\
            "FRMPayload":"95437876","MIC":234819883,"RefTime":0,"DR":5,"Freq":868300000,\
            "upinfo":{"rctx":7,"xtime":123456789012345678,"gpstime":0,"rssi":-50,"snr":9.25}}
            """)
        let message = try await receive(socket)
        #expect(message["RX2DR"] == 0 && message["RX2Freq"] == 869_525_000)
        #expect(message["RX1DR"] == nil && message["RxDelay"] == 1 && message["rctx"] == 7)
        let pdu = try #require(message["pdu"]?.stringValue.flatMap { HexText.bytes(from: $0) })
        guard case .data(let data) = try LoRaWANFrame(pdu) else { throw Late(description: "no data") }
        let opened = try LoRaWANSecurity(OpenSSLCrypto()).open(data, fCnt: 0, keys: TestDevices.keys)
        #expect(opened.map { String(decoding: $0.payload, as: UTF8.self) } == "test")
        // A frame without a port and with a negative address and code, of nobody.
        try await send(
            socket,
            """
            {"msgtype":"updf","MHdr":64,"DevAddr":-2,"FCtrl":0,"FCnt":2,"FOpts":"","FPort":-1,"FRMPayload":"",\
            "MIC":-1,"RefTime":0,"DR":5,"Freq":868300000,"upinfo":{"rctx":7,"xtime":1,"gpstime":0}}
            """)
        try await run.wait("a stranger") { $0.unknown == 1 && $0.data == 1 }
        await run.server.close()
    }

    @Test func timeIsAnswered() async throws {
        let run = try await ServerRun([])
        let socket = try await configured(run)
        try await send(socket, #"{"msgtype":"timesync","txtime":1234567}"#)
        let message = try await receive(socket)
        #expect(message["msgtype"] == "timesync" && message["txtime"] == 1_234_567)
        // After 2025.
        #expect(message["gpstime"]?.integerValue ?? 0 > 1_400_000_000_000_000)
        await run.server.close()
    }

    @Test func nonsenseIsCountedAndTheConnectionLives() async throws {
        let run = try await ServerRun([])
        let socket = try await configured(run)
        for text in [
            "", "{", "[]", #"{"msgtype":7}"#, #"{"msgtype":"nonsense"}"#, #"{"msgtype":"updf"}"#,
            #"{"msgtype":"jreq","MHdr":300}"#, #"{"msgtype":"timesync"}"#,
            #"{"msgtype":"updf","MHdr":64,"DevAddr":99999999999,"FCtrl":0,"FCnt":2,"FOpts":"0","FPort":256}"#,
        ] {
            try await send(socket, text)
        }
        try await send(socket, #"{"msgtype":"timesync","txtime":1}"#)
        #expect(try await receive(socket)["txtime"] == 1)
        let bad = await run.server.counters().bad
        #expect(bad["bad-json"] == 4 && bad["unknown-msgtype"] == 1 && bad["bad-updf"] == 2)
        #expect(bad["bad-jreq"] == 1 && bad["bad-timesync"] == 1)
        await run.server.close()
    }

    @Test func aStationWithoutAnEUIIsRefused() async throws {
        let run = try await ServerRun([])
        await #expect(throws: (any Error).self) {
            _ = try await RawConnection.webSocket(port: run.server.stationAddress.port, path: "/station?router=x")
        }
        await run.server.close()
    }
}
