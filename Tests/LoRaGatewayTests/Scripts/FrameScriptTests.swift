import ArgumentParser
import DeviceCore
import DeviceLua
import DeviceProtocols
import DeviceTransport
import NIOCore
import TestSupport
import Testing

@testable import LoRaGateway

/// Scripts between a radio and its servers.
@Suite(.timeLimit(.minutes(5))) struct FrameScriptTests {
    private func uplink(_ server: FakeGWMPServer, _ name: String = "ns") -> UplinkConfiguration {
        UplinkConfiguration(
            name: name, kind: .gwmp(GWMPServer(host: server.host, portUp: server.port, portDown: server.port)))
    }

    private static func txpk(_ power: Int = 27, when: String = "\"imme\":true") -> String {
        #"{"txpk":{\#(when),"freq":869.525,"rfch":0,"powe":\#(power),"modu":"LORA","datr":"SF7BW125","#
            + #""codr":"4/5","ipol":true,"size":4,"data":"3q2+7w==","ncrc":true}}"#
    }

    /// A gateway with scripts and one server.
    ///
    /// - Parameter isPatient: frames wait as long as a busy machine needs, for who tests what is answered.
    private func run(
        _ script: String? = nil, example: String? = nil, radio: TestRadio = TestRadio(), isPatient: Bool = true,
        _ body: @Sendable @escaping (GatewayRig, FakeGWMPServer, GatewayScriptRig) async throws -> Void
    ) async throws {
        let server = try await FakeGWMPServer.start()
        let scripts = GatewayScriptRig(isPatient: isPatient)
        try await scripts.run(script, example: example)
        try await GatewayRig.run([uplink(server)], radio: radio) { rig in
            try await scripts.join(rig)
            try await rig.waitUntilUp("ns")
            try await body(rig, server, scripts)
        }
        await scripts.host.stop()
        await server.stop()
    }

    @Test func aScriptSeesUplinksAndPassesThem() async throws {
        try await run(
            """
            require"device".on("uplink", function(up)
               trace(up.kind, up.devaddr, up.fcnt, up.fport, up.freq, up.datr, up.codr, up.crc, up.rssi, up.snr, up.size,
                  ba.b64decode(up.data):byte(1))
            end)
            """
        ) { rig, server, scripts in
            for number in 0..<20 { rig.radio.hear(UInt16(number)) }
            try await eventually("all frames") { server.numbers.count == 20 }
            #expect(server.numbers == Array(0..<20), "in their order")
            try await eventually("the script's lines") { !scripts.lines.isEmpty }
            #expect(
                scripts.lines.first
                    == "data\t01020304\t0\t1\t868100000\tSF7BW125\t4/5\tok\t-60.4\t7.25\t17\t64", "\(scripts.lines)")
            let counters = try await rig.get { $0.gates?.uplinks.counters }
            #expect(counters?.asked == 20 && counters?.changed == 0)
        }
    }

    /// The example of the documentation, as it is.
    @Test func theFilterOfTheExamplesRunsHere() async throws {
        try await run(example: "lora-filter.xlua") { rig, server, _ in
            // The test radio's device has DevAddr 01020304, which is of another network than the filter's.
            rig.radio.hear(1)
            rig.radio.hear(2, devAddr: [0x26, 1, 2, 3])
            rig.radio.hear(3, devAddr: [0x26, 1, 2, 3], rssi: -130)
            rig.radio.hear(4, devAddr: [0x26, 1, 2, 3])
            try await eventually("what passes") { server.numbers.count == 2 }
            #expect(server.numbers == [2, 4])
            #expect(server.frames.allSatisfy { $0["meta"]?["note"] == "passed by lora-filter" })
            let counters = try await rig.get { $0.gates?.uplinks.counters }
            #expect(counters?.refused == 2 && counters?.changed == 2)
            // 27 dBm become 14.
            server.send(Self.txpk(27), token: [1, 1])
            try await eventually("it is sent") { rig.radio.sent.count == 1 }
            #expect(rig.radio.sent.first?.power == 14)
        }
    }

    @Test func aScriptChangesFramesAndChoosesWhoGetsThem() async throws {
        let other = try await FakeGWMPServer.start()
        try await run(
            """
            require"device".on("uplink", function(up)
               if up.fcnt == 1 then up.to = "other" end
               if up.fcnt == 2 then up.to = {"ns", "other"} up.rssi = -100 up.snr = 1 end
               if up.fcnt == 3 then up.to = {} end
               if up.fcnt == 4 then up.data = ba.b64encode(ba.b64decode(up.data):sub(1, 16) .. "X") end
               if up.fcnt == 5 then up.data = "this is no base64" end
               if up.fcnt == 6 then up.rssi = 1/0 end
               if up.fcnt == 7 then up.to = 5 end
               return up
            end)
            """
        ) { rig, server, _ in
            let both = [uplink(server), uplink(other, "other")]
            try await rig.loop.flatSubmit { rig.core.value.use(both) }.get()
            try await rig.waitUntilUp("other")
            for number in 0...8 { rig.radio.hear(UInt16(number)) }
            try await eventually("the last one") { server.numbers.last == 8 && other.numbers.last == 8 }
            #expect(server.numbers == [0, 2, 4, 5, 6, 7, 8] && other.numbers == [0, 1, 2, 4, 5, 6, 7, 8])
            #expect(server.frames[1]["rssi"] == -100 && server.frames[1]["lsnr"]?.doubleValue == 1)
            #expect(server.frames[2]["data"]?.stringValue.flatMap { Base64.decode($0) }?.last == UInt8(ascii: "X"))
            #expect(server.frames[3]["rssi"] == -60, "what cannot be used changes nothing")
            let counters = try await rig.get { $0.gates?.uplinks.counters }
            // JSON has no infinity: that answer is none for the hooks already.
            #expect(counters?.invalid == 2, "\(String(describing: counters))")
            #expect(try await rig.warnings["script-uplink"] == 2)
        }
        await other.stop()
    }

    @Test func aScriptRefusesADownlinkAndTheServerIsTold() async throws {
        try await run(
            """
            require"device".on("downlink", function(down)
               trace(down.from, down.class, down.power, down.freq, down.size)
               if down.power > 20 then return false, "too loud" end
            end)
            """
        ) { rig, server, scripts in
            server.send(Self.txpk(27), token: [1, 1])
            try await eventually("an answer") { server.acks.count == 1 }
            #expect(server.acks[0].json.contains("\"error\":\"UNKNOWN\""))
            server.send(Self.txpk(14), token: [1, 2])
            try await eventually("another answer") { server.acks.count == 2 }
            #expect(!server.acks[1].json.contains("error"))
            try await eventually("it is sent") { rig.radio.sent.count == 1 }
            #expect(scripts.lines == ["ns\tC\t27\t869525000\t4", "ns\tC\t14\t869525000\t4"])
            #expect(rig.fates.contains("refused-by-script"))
        }
    }

    /// A script that hangs, fails or floods delays frames for a moment, and loses none.
    @Test(arguments: [
        "while true do end", "ba.sleep(60000)", "error'broken'", "return 5", "ba.sleep(300) return false, 'too late'",
    ])
    func aFaultyScriptLosesNothing(_ body: String) async throws {
        try await run(
            """
            local device = require"device"
            device.on("uplink", function(up) \(body) end)
            device.on("downlink", function(down) \(body) end)
            """, isPatient: false
        ) { rig, server, _ in
            for number in 0..<300 {
                rig.radio.hear(UInt16(number))
                if number % 30 == 0 { try await Task.sleep(for: .milliseconds(20)) }
            }
            try await eventually("all frames") { server.firstNumbers.count == 300 }
            #expect(server.firstNumbers == Array(0..<300), "in their order")
            server.send(Self.txpk(14), token: [3, 3])
            try await eventually("an answer") { server.acks.count == 1 }
            #expect(!server.acks[0].json.contains("error"))
            let counters = try await rig.get { ($0.gates?.uplinks.counters, $0.gates?.downlinks.counters) }
            let (up, down) = (try #require(counters.0), try #require(counters.1))
            #expect(up.refused == 0 && up.changed == 0 && down.refused == 0 && down.changed == 0)
            if body.contains("while") || body.contains("sleep") { #expect(up.late >= 1 && up.unasked >= 1) }
        }
    }

    /// A frame that is due soon is not held up: the queue says what it says without scripts.
    @Test func aDownlinkWithoutTimeIsNotAskedFor() async throws {
        try await run(
            "require'device'.on('downlink', function(down) ba.sleep(60000) end)", radio: TestRadio(count: 1 << 32),
            isPatient: false
        ) { rig, server, _ in
            let tmst = UInt32(truncatingIfNeeded: rig.radio.now() + 100_000)
            server.send(Self.txpk(14, when: "\"tmst\":\(tmst)"), token: [1, 1])
            try await eventually("an answer") { server.acks.count == 1 }
            let counters = try await rig.get { $0.gates?.downlinks.counters }
            #expect(counters?.unasked == 1 && counters?.asked == 0)
        }
    }

    @Test func withoutFunctionsNobodyIsAsked() async throws {
        try await run("trace'nothing to do'") { rig, server, _ in
            rig.radio.hear(1)
            server.send(Self.txpk(14), token: [1, 1])
            try await eventually("frame and answer") { server.numbers == [1] && server.acks.count == 1 }
            let counters = try await rig.get { ($0.gates?.uplinks.counters, $0.gates?.downlinks.counters) }
            #expect(counters.0 == .init() && counters.1 == .init())
        }
    }

    @Test func moreFramesThanMayWaitGoOnInTheirOrder() async throws {
        try await run("require'device'.on('uplink', function(up) ba.sleep(60000) end)", isPatient: false) {
            rig, server, _ in
            for number in 0..<700 { rig.radio.hear(UInt16(number)) }
            try await eventually("all frames") { server.firstNumbers.count == 700 }
            #expect(server.firstNumbers == Array(0..<700))
        }
    }

    @Test func aNoteIsKeptWithAStoredFrame() throws {
        let frame = ReceivedFrame(
            TestRadio().hear(7), receivedAt: UTCTime(microseconds: 1_700_000_000_000_000), note: "of \"ours\"")
        let record = StoredFrame.encode(frame)
        let again = StoredFrame.decode(
            record, number: 1, now: UTCTime(microseconds: 1_700_000_000_500_000), lateAfter: .seconds(1))
        #expect(again?.note == "of \"ours\"" && again?.json == frame.json)
    }

    /// The whole program, with flags and with settings, and a script that is no file.
    @Test func theProgramRunsScripts() async throws {
        let directory = try TemporaryDirectory()
        try TemporaryDirectory.write(
            Array("require'device'.on('uplink', function(up) trace('heard', up.kind) end)".utf8),
            to: directory("see.xlua"))
        let command = try LoRaGatewayCommand.parse(["--simulate", "--script", directory("see.xlua")])
        var options = try #require(try command.serviceOptions())
        #expect(options.scripts.scripts == [directory("see.xlua")])
        options.devices = 4
        options.interval = .seconds(1)
        options.page = ListenAddress(host: "127.0.0.1", port: 0)
        let text = Locked("")
        let service = GatewayService(options: options) { part in text.withLock { $0 += part } }
        let task = Task { try await service.run() }
        defer { task.cancel() }
        try await eventually("the script's line") { text.withLock { $0 }.contains("see: heard  join-request") }
        let page = try #require(
            text.withLock { $0 }.split(separator: "\n").first { $0.hasPrefix("Page: ") }?.split(separator: "/")[1])
        let port = try #require(page.split(separator: ":").last.flatMap { Int($0) })
        func get(_ path: String) async throws -> String {
            try await RawConnection.exchange(
                port: port, "GET \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nConnection: close\r\n\r\n")
        }
        #expect(try await get("/status").contains("\"scripts\":{\"apps\":[{\"name\":\"see\",\"state\":\"running\""))
        #expect(try await get("/metrics").contains("lora_script_uplinks_total{answer=\"asked\"}"))
        task.cancel()
        try await within { try await task.value }

        options.scripts = ScriptSources(scripts: [directory("none.xlua")])
        let missing = GatewayService(options: options) { _ in }
        let error = await #expect(throws: DeviceError.self) { try await missing.run() }
        #expect(error?.message.contains("none.xlua") == true, "\(String(describing: error))")
        #expect(throws: DeviceError.self) {
            try LoRaGatewayCommand.parse(["--script", directory("see.xlua")]).options()
        }
    }
}
