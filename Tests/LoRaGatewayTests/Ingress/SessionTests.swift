import DeviceCore
import DeviceProtocols
import TestSupport
import Testing

/// Forwarders' sessions over real UDP.
@Suite struct SessionTests {
    static let eui: [UInt8] = [0xAA, 0x55, 0x5A, 0, 0, 0, 1, 1]
    /// Written out as Semtech's forwarder writes it, not by this project's encoder.
    static let pushJSON = """
        {"rxpk":[{"tmst":3512348611,"chan":2,"rfch":0,"freq":868.100000,"stat":1,"modu":"LORA","datr":"SF7BW125",\
        "codr":"4/5","lsnr":5.1,"rssi":-35,"size":17,"data":"QPF9vkkAAgABlUN4disR/w0="},{"tmst":3512348999,"chan":9,\
        "rfch":1,"freq":868.800000,"stat":-1,"modu":"FSK","datr":50000,"rssi":-75,"size":4,"data":"3q2+7w=="}],\
        "stat":{"time":"2014-01-12 08:59:28 GMT","rxnb":2,"rxok":1,"rxfw":2,"ackr":100.0,"dwnb":0,"txnb":0}}
        """

    @Test func aForwardersSessionIsAcknowledgedAndPrinted() async throws {
        let lines = try await GatewayRun.lines { run, port in
            let forwarder = try UDPClient(port: port)
            try forwarder.send([2, 0x12, 0x34, 2] + Self.eui)
            #expect(forwarder.receive() == [2, 0x12, 0x34, 4])
            try forwarder.send([2, 0xAB, 0xCD, 0] + Self.eui + Array(Self.pushJSON.utf8))
            #expect(forwarder.receive() == [2, 0xAB, 0xCD, 1])
            try await run.wait(for: "report")
        }
        #expect(
            lines.dropFirst(2).prefix(3).map { $0 } == [
                "aa555a0000000101  868.1 MHz  SF7BW125 4/5  -35 dBm  5.1 dB  17 bytes  40F17DBE4900020001954378762B11FF0D",
                "aa555a0000000101  868.8 MHz  FSK 50000 bit/s  -75 dBm  CRC bad  4 bytes  DEADBEEF",
                "aa555a0000000101  report: 2 frames heard, 1 with a right CRC, 2 forwarded, 100.0 % acknowledged, 0 sent",
            ])
        #expect(lines[1].hasPrefix("aa555a0000000101  new gateway at 127.0.0.1:"))
        #expect(lines.contains { $0.contains("Datagrams: 2, acknowledged: 2. Frames: 2, reports: 1, ignored: 0.") })
    }

    @Test func linesOfJSONHoldTheSame() async throws {
        let lines = try await GatewayRun.lines(isJSON: true) { run, port in
            let forwarder = try UDPClient(port: port)
            // Version 1, as a forwarder of 2014 speaks it.
            try forwarder.send([1, 0, 0, 0] + Self.eui + Array(Self.pushJSON.utf8))
            #expect(forwarder.receive() == [1, 0, 0, 1])
            try await run.wait(for: "stat")
        }
        let events = try lines.map { try JSONValue(parsing: $0, options: .message) }
        #expect(events.map { $0["event"]?.stringValue } == ["listening", "gateway", "rxpk", "rxpk", "stat", "ended"])
        #expect(events[2]["gateway"] == "aa555a0000000101")
        #expect(events[2]["rxpk"]?["freq"] == 868.1)
        #expect(events[2]["rxpk"]?["data"] == "QPF9vkkAAgABlUN4disR/w0=")
        #expect(events[4]["stat"]?["rxok"] == 1)
        #expect(events[5]["frames"] == 2)
        #expect(events[5]["datagrams"] == 1)
    }

    @Test func badDatagramsAreCountedAndAnsweredAsTheProtocolSays() async throws {
        let good = [2, 9, 9, 2] + Self.eui
        let unanswered: [[UInt8]] = [
            [], [2], [2, 0, 0], [2, 0, 0, 0] + Self.eui.dropLast(), [0, 0, 0, 2] + Self.eui, [3, 0, 0, 2] + Self.eui,
            [2, 0, 0, 6] + Self.eui,
            // What a server sends, and an answer to what was never sent.
            [2, 0, 0, 1], [2, 0, 0, 3] + Array("{}".utf8), [2, 0, 0, 4], [2, 0, 0, 5] + Self.eui,
        ]
        let acknowledged: [[UInt8]] = ["", "{", "[]", "{\"rxpk\":7}", String(repeating: "[", count: 60_000)].map {
            [2, 7, 7, 0] + Self.eui + Array($0.utf8)
        }
        let lines = try await GatewayRun.lines(isJSON: true) { run, port in
            let forwarder = try UDPClient(port: port)
            for bytes in unanswered {
                try forwarder.send(bytes)
                // The next answer belongs to the next good datagram, so there was none to the bad one.
                try forwarder.send(good)
                #expect(forwarder.receive() == [2, 9, 9, 4], "\(bytes)")
            }
            for bytes in acknowledged {
                try forwarder.send(bytes)
                #expect(forwarder.receive() == [2, 7, 7, 1])
            }
        }
        let end = try JSONValue(parsing: try #require(lines.last), options: .message)
        #expect(end["ignored"]?["truncated"] == 4)
        #expect(end["ignored"]?["unknown-version"] == 2)
        #expect(end["ignored"]?["unknown-type"] == 1)
        #expect(end["ignored"]?["unexpected-type"] == 4)
        #expect(end["ignored"]?["bad-json"] == 3)
        #expect(end["ignored"]?["wrong-kind"] == 2)
        // One line for each kind, however many there were.
        #expect(lines.filter { $0.contains("\"event\":\"warning\"") }.count == 6)
    }

    @Test func aBurstIsHeardWhole() async throws {
        let lines = try await GatewayRun.lines(isJSON: true) { _, port in
            let forwarder = try UDPClient(port: port)
            for token in 0..<UInt16(500) {
                try forwarder.send(
                    [2, UInt8(token >> 8), UInt8(token & 255), 0] + Self.eui + Array(Self.pushJSON.utf8))
            }
            var tokens: [UInt16] = []
            while tokens.count < 500, let answer = forwarder.receive(), answer.count == 4 {
                tokens.append(UInt16(answer[1]) << 8 | UInt16(answer[2]))
            }
            #expect(tokens == Array(0..<500))
        }
        #expect(lines.filter { $0.contains("\"event\":\"rxpk\"") }.count == 1000)
    }

    @Test func aFullTableRefusesNewGateways() async throws {
        let lines = try await GatewayRun.lines(maxGateways: 1) { run, port in
            let forwarder = try UDPClient(port: port)
            try forwarder.send([2, 0, 1, 2] + Self.eui)
            #expect(forwarder.receive() == [2, 0, 1, 4])
            try forwarder.send([2, 0, 2, 2] + Self.eui.reversed())
            try forwarder.send([2, 0, 3, 2] + Self.eui)
            #expect(forwarder.receive() == [2, 0, 3, 4])
            try await run.wait(for: "no room for another gateway")
        }
        #expect(lines.contains { $0.contains("ignored, table-full: 1") })
    }
}
