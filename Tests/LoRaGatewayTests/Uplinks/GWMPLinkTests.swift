import DeviceCore
import DeviceProtocols
import DeviceTransport
import TestSupport
import Testing

@testable import LoRaGateway

/// A gateway and servers of Semtech's UDP protocol on real sockets.
@Suite struct GWMPLinkTests {
    private func uplink(
        _ server: FakeGWMPServer, _ name: String = "ns", store: StoreSettings? = nil,
        acknowledgementTime: Duration = .seconds(20)
    ) -> UplinkConfiguration {
        var gwmp = GWMPServer(host: server.host, portUp: server.port, portDown: server.port)
        gwmp.keepalive = .seconds(1)
        gwmp.statInterval = .milliseconds(400)
        gwmp.acknowledgementTime = acknowledgementTime
        return UplinkConfiguration(name: name, kind: .gwmp(gwmp), store: store)
    }

    @Test func framesAndReportsReachTheServer() async throws {
        let server = try await FakeGWMPServer.start()
        try await GatewayRig.run([uplink(server)]) { rig in
            try await rig.waitUntilUp("ns")
            for number in 0..<40 { rig.radio.hear(UInt16(number)) }
            rig.radio.hear(999, crc: .bad)
            try await eventually("all frames") { server.numbers.count == 40 }
            #expect(server.numbers == Array(0..<40))
            #expect(server.euis == [[0xAA, 0x55, 0x5A, 0, 0, 0, 1, 1]])
            let text = try #require(server.pushes.first { $0.contains("rxpk") })
            for part in [
                "\"freq\":868.100000", "\"datr\":\"SF7BW125\"", "\"codr\":\"4/5\"", "\"stat\":1", "\"rssi\":-60",
                "\"chan\":2",
                "\"size\":17", "\"modu\":\"LORA\"",
            ] { #expect(text.contains(part), "\(part) in \(text)") }
            try await eventually("a report") { server.pushes.contains { $0.contains("\"stat\":{\"time\"") } }
            // One source port, for frames, PULL_DATA and answers.
            server.send(#"{"txpk":{}}"#, token: [1, 2])
            try await eventually("an answer") { server.acks.count == 1 }
            #expect(server.sources.count == 1)
            let counters = try await rig.uplink("ns").counters
            #expect(counters.delivered == 40 && counters.filtered == 1 && counters.missed == 0)
        }
        await server.stop()
    }

    @Test func everyPullRespIsAnsweredOnce() async throws {
        let server = try await FakeGWMPServer.start()
        // The clock passes 2^32 microseconds during the test.
        try await GatewayRig.run([uplink(server)], radio: TestRadio(count: 0xFFFF_FFFF - 1_500_000)) { rig in
            try await rig.waitUntilUp("ns")
            func txpk(_ count: UInt64, _ change: (String) -> String = { $0 }) -> String {
                let tmst = UInt32(truncatingIfNeeded: count)
                return change(
                    #"{"txpk":{"imme":false,"tmst":\#(tmst),"freq":868.1,"rfch":0,"powe":14,"modu":"LORA","datr":"SF7BW125","#
                        + #""codr":"4/5","ipol":true,"size":4,"data":"3q2+7w==","ncrc":true}}"#)
            }
            let now = rig.radio.now()
            let far = now + 100_000_000
            let cases: [(String, String)] = [
                (txpk(now + 4_000_000), ""), (txpk(now - 1_000_000), "TOO_LATE"),
                (txpk(now + 900_000_000), "TOO_EARLY"),
                (txpk(far), ""), (txpk(far), "COLLISION_PACKET"), (txpk(far + 10_000), "COLLISION_PACKET"),
                (txpk(far) { $0.replacing("868.1", with: "915.1") }, "TX_FREQ"),
                (txpk(far) { $0.replacing("\"rfch\":0", with: "\"rfch\":9") }, "TX_FREQ"),
                (txpk(far) { $0.replacing("\"rfch\":0", with: "\"rfch\":200") }, "TX_FREQ"),
                (txpk(far) { $0.replacing("\"size\":4", with: "\"size\":5") }, "UNKNOWN"),
                (txpk(far) { $0.replacing("868.1", with: "nan") }, "TX_FREQ"),
                (txpk(far) { $0.replacing("SF7BW125", with: "SF99BW1") }, "UNKNOWN"),
                ("{", "UNKNOWN"), ("", "UNKNOWN"), ("{\"txpk\":7}", "UNKNOWN"),
                (String(repeating: "[", count: 50_000), "UNKNOWN"),
            ]
            for (index, (json, _)) in cases.enumerated() {
                server.send(json, token: [7, UInt8(index)])
                try await eventually("answer \(index)") { server.acks.count > index }
            }
            for (index, (json, error)) in cases.enumerated() {
                let ack = server.acks[index]
                #expect(ack.token == [7, UInt8(index)])
                let isRight = error.isEmpty ? !ack.json.contains("error") : ack.json.contains("\"error\":\"\(error)\"")
                #expect(isRight, "\(json.prefix(120)): \(ack.json)")
            }
            try await eventually("it is handed over") { rig.radio.sent.count == 1 }
            #expect(rig.radio.sent.first?.payload == [0xDE, 0xAD, 0xBE, 0xEF])
            #expect(rig.radio.sent.first?.invertsPolarity == true && rig.radio.sent.first?.hasCRC == false)
            try await eventually("it is on the air") {
                try await rig.get { $0.desk.queue.counters.emitted } == 1
            }
            #expect(server.acks.count == cases.count)
        }
        await server.stop()
    }

    @Test func datagramsThatAreNoAnswersAreCounted() async throws {
        let server = try await FakeGWMPServer.start()
        try await GatewayRig.run([uplink(server)]) { rig in
            try await rig.waitUntilUp("ns")
            for bytes in [[], [2], [9, 0, 0, 1], [2, 0, 0, 77], [2, 0, 0, 0], [2, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]]
                as [[UInt8]]
            {
                server.send(raw: bytes)
            }
            try await eventually("warnings") {
                let warnings = try await rig.warnings
                return warnings["gwmp-truncated"] == 3 && warnings["gwmp-unknown-version"] == 1
                    && warnings["gwmp-unknown-type"] == 1 && warnings["gwmp-unexpected-type"] == 1
            }
            rig.radio.hear(5)
            try await eventually("it still works") { server.numbers == [5] }
        }
        await server.stop()
    }

    @Test func withAStoreASilentServerLosesNothing() async throws {
        let directory = try TemporaryDirectory()
        let server = try await FakeGWMPServer.start()
        let configuration = uplink(server, store: StoreSettings(), acknowledgementTime: .seconds(1))
        try await GatewayRig.run([configuration], state: directory.path) { rig in
            try await rig.waitUntilUp("ns")
            rig.radio.hear(0)
            try await eventually("the first") { server.numbers == [0] }
            server.answer(false)
            for number in 1...150 {
                rig.radio.hear(UInt16(number))
                if number % 10 == 0 { try await Task.sleep(for: .milliseconds(100)) }
            }
            try await eventually("the silence is noticed") { try await !rig.uplink("ns").state.isUp }
            for number in 151...200 { rig.radio.hear(UInt16(number)) }
            try await eventually("frames wait") { try await rig.uplink("ns").waiting == 200 }
            try await Task.sleep(for: .milliseconds(1200))
            server.answer(true)
            try await eventually("all are there") { server.firstNumbers.count == 201 }
            #expect(server.firstNumbers == Array(0...200))
            let late = server.frames.filter { $0["meta"]?["late"] == "true" }
            #expect(
                late.count >= 200 && late.allSatisfy { $0["meta"]?["received"]?.stringValue?.hasSuffix("Z") == true })
            try await eventually("the store is empty") { try await rig.uplink("ns").waiting == 0 }
            // And live ones go straight again.
            rig.radio.hear(300)
            try await eventually("a live one") { server.numbers.last == 300 }
            #expect(server.frames.last?["meta"] == nil)
        }
        await server.stop()
    }

    @Test func whatIsStoredOutlivesTheProcess() async throws {
        let directory = try TemporaryDirectory()
        let server = try await FakeGWMPServer.start()
        server.answer(false)
        let configuration = uplink(server, store: StoreSettings(), acknowledgementTime: .seconds(1))
        try await GatewayRig.run([configuration], state: directory.path) { rig in
            for number in 0..<20 { rig.radio.hear(UInt16(number)) }
            try await eventually("frames are kept") { try await rig.uplink("ns").waiting == 20 }
        }
        server.answer(true)
        try await GatewayRig.run([configuration], state: directory.path) { rig in
            try await eventually("all are there") { server.firstNumbers.count == 20 }
            #expect(server.firstNumbers == Array(0..<20))
        }
        await server.stop()
    }

    @Test func oneServersSilenceDelaysNoOther() async throws {
        let good = try await FakeGWMPServer.start()
        let silent = try await FakeGWMPServer.start()
        silent.answer(false)
        var nameless = uplink(good, "nameless")
        nameless.kind = .gwmp(GWMPServer(host: "does-not-exist.invalid"))
        try await GatewayRig.run([nameless, uplink(silent, "silent"), uplink(good, "good")]) { rig in
            try await rig.waitUntilUp("good")
            for number in 0..<500 { rig.radio.hear(UInt16(number)) }
            try await eventually("all at the good one") { good.numbers.count == 500 }
            try await eventually("the others are known") {
                let words = try await [rig.uplink("nameless").state.word, rig.uplink("silent").state.word]
                return words == ["no-address", "silent"]
            }
            let counters = try await rig.uplink("good").counters
            #expect(counters.missed == 0 && counters.delivered == 500)
            // The last ones wait for two seconds, in case that the name is known by then.
            try await eventually("no frame is kept") { try await rig.uplink("nameless").counters.dropped == 500 }
        }
        await good.stop()
        await silent.stop()
    }

    /// A server that is away for a moment, as a router that starts: nothing of the last two seconds is lost, without a
    /// store too, and what is older stays lost.
    @Test func aMomentsSilenceLosesNothing() async throws {
        let server = try await FakeGWMPServer.start()
        try await GatewayRig.run([uplink(server, acknowledgementTime: .seconds(1))]) { rig in
            try await rig.waitUntilUp("ns")
            server.answer(false)
            rig.radio.hear(1)
            try await eventually("it is missed") { try await !rig.uplink("ns").state.isUp }
            try await Task.sleep(for: .seconds(2))
            rig.radio.hear(2)
            rig.radio.hear(3)
            try await Task.sleep(for: .milliseconds(300))
            server.answer(true)
            try await eventually("both are there") { Set(server.numbers).isSuperset(of: [2, 3]) }
            rig.radio.hear(4)
            try await eventually("and what follows") { server.numbers.contains(4) }
            #expect(server.firstNumbers == [2, 3, 4])
            // Each was sent twice at most, and the first one not for ever.
            #expect(try await rig.uplink("ns").counters.sent <= 8)
        }
        await server.stop()
    }

    /// One datagram that is lost on the way, while the server is up.
    @Test func aLostDatagramIsSentAgainOnce() async throws {
        let server = try await FakeGWMPServer.start()
        try await GatewayRig.run([uplink(server, acknowledgementTime: .seconds(1))]) { rig in
            try await rig.waitUntilUp("ns")
            server.lose(1)
            rig.radio.hear(1)
            try await eventually("it is there") { server.numbers == [1] }
            let counters = try await rig.uplink("ns").counters
            #expect(counters.sent == 2 && counters.missed == 1 && counters.dropped == 0)
            // A server that loses all of them has none, and the gateway does not keep it up.
            server.lose(.max)
            rig.radio.hear(2)
            try await eventually("sent twice") { try await rig.uplink("ns").counters.missed == 3 }
            try await Task.sleep(for: .seconds(1))
            #expect(try await rig.uplink("ns").counters.sent == 4)
        }
        await server.stop()
    }

    @Test func itGoesToTheNextAddressOfTheName() async throws {
        let directory = try TemporaryDirectory()
        let hosts = directory("hosts")
        try TemporaryDirectory.write(Array("127.0.0.2 ns.test\n127.0.0.3 ns.test\n".utf8), to: hosts)
        var settings = try ResolverConfiguration(servers: "127.0.0.1:9")
        settings.hostsFile = hosts
        // Only one of the two addresses has a server.
        let server = try await FakeGWMPServer.start(host: "127.0.0.3")
        var configuration = uplink(server, acknowledgementTime: .seconds(1))
        if case .gwmp(var gwmp) = configuration.kind {
            gwmp.host = "ns.test"
            configuration.kind = .gwmp(gwmp)
        }
        try await GatewayRig.run([configuration], resolver: try NameResolver(settings)) { rig in
            try await rig.waitUntilUp("ns")
            #expect(try await rig.uplink("ns").state.address == "127.0.0.3:\(server.port)")
            #expect(try await rig.uplink("ns").state.addresses == 2)
            rig.radio.hear(1)
            try await eventually("a frame") { server.numbers == [1] }
        }
        await server.stop()
    }

    @Test func anUplinkOnlyServerIsToldNo() async throws {
        let server = try await FakeGWMPServer.start()
        var configuration = uplink(server)
        configuration.filter.isUplinkOnly = true
        try await GatewayRig.run([configuration]) { rig in
            try await rig.waitUntilUp("ns")
            server.send(
                #"{"txpk":{"imme":true,"freq":868.1,"rfch":0,"powe":14,"modu":"LORA","datr":"SF7BW125","codr":"4/5","size":1,"data":"AA=="}}"#,
                token: [3, 4])
            try await eventually("an answer") { server.acks.first?.json.contains("UNKNOWN") == true }
            #expect(rig.radio.sent.isEmpty)
        }
        await server.stop()
    }
}
