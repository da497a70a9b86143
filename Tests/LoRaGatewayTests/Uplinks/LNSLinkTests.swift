import DeviceCore
import DeviceProtocols
import TestSupport
import Testing

@testable import LoRaGateway

/// A gateway and Basics Station servers over real WebSockets.
@Suite struct LNSLinkTests {
    private func uplink(_ server: FakeLNS, store: StoreSettings? = nil) -> UplinkConfiguration {
        UplinkConfiguration(name: "lns", kind: .lns(LNSServer(url: "ws://127.0.0.1:\(server.port)")), store: store)
    }

    private func numbers(_ server: FakeLNS) -> [Int64] { server.values.compactMap { $0["FCnt"]?.integerValue } }

    @Test func discoveryConfigurationFramesAndTheirFields() async throws {
        let server = try await FakeLNS.start()
        try await GatewayRig.run([uplink(server)]) { rig in
            try await rig.waitUntilUp("lns")
            #expect(server.texts.first == #"{"router":"aa55:5a00:0:101"}"#)
            #expect(server.heads.count == 2)
            let version = try #require(server.values.first { $0["msgtype"] == "version" })
            #expect(version["protocol"] == 2)
            let heard = rig.radio.hear(77)
            rig.radio.hear(78, crc: .bad)
            try await eventually("a frame") { numbers(server) == [77] }
            let frame = try #require(server.values.first { $0["msgtype"] == "updf" })
            #expect(frame["DevAddr"] == 0x0102_0304 && frame["FPort"] == 1 && frame["FRMPayload"] == "ABABABAB")
            #expect(
                frame["MIC"] == 0x0403_0201 && frame["DR"] == 5 && frame["Freq"] == 868_100_000 && frame["MHdr"] == 64)
            let xtime = try #require(frame["upinfo"]?["xtime"]?.integerValue)
            #expect(xtime & 0xFFFF_FFFF_FFFF == Int64(heard.count) && xtime >> 48 & 0xFF != 0 && xtime > 0)
            let refTime = try #require(frame["RefTime"]?.doubleValue)
            #expect(refTime >= 1_700_000_000.5 && refTime < 1_700_000_100)
            try await eventually("it is acknowledged") { try await rig.uplink("lns").counters.delivered == 1 }
        }
        await server.stop()
    }

    @Test func downlinksOfClassAAndCAreSentAndReported() async throws {
        let server = try await FakeLNS.start()
        try await GatewayRig.run([uplink(server)]) { rig in
            try await rig.waitUntilUp("lns")
            rig.radio.hear(1)
            try await eventually("a frame") { numbers(server) == [1] }
            let xtime = server.values.compactMap { $0["upinfo"]?["xtime"]?.integerValue }[0]
            try await server.send(
                #"{"msgtype":"dnmsg","DevEui":"00-00-00-00-00-00-00-07","dC":0,"diid":4711,"pdu":"60AABB","RxDelay":5,"#
                    + #""RX1DR":5,"RX1Freq":868100000,"RX2DR":0,"RX2Freq":869525000,"priority":0,"xtime":\#(xtime),"rctx":0}"#
            )
            try await eventually("it is reported") { server.values.contains { $0["msgtype"] == "dntxed" } }
            let report = try #require(server.values.first { $0["msgtype"] == "dntxed" })
            #expect(report["diid"] == 4711 && report["DR"] == 5 && report["Freq"] == 868_100_000)
            #expect(report["xtime"]?.integerValue == xtime + 5_000_000)
            #expect(rig.radio.sent.first?.payload == [0x60, 0xAA, 0xBB])
            // Class C, without an uplink: at once.
            try await server.send(
                #"{"msgtype":"dnmsg","DevEui":"00-00-00-00-00-00-00-07","dC":2,"diid":4712,"pdu":"60CC","RX2DR":3,"RX2Freq":869525000,"priority":0}"#
            )
            try await eventually("class C") { server.values.contains { $0["diid"] == 4712 } }
            // A time of another session, nonsense, and things that no gateway should do.
            for text in [
                #"{"msgtype":"dnmsg","DevEui":"00-00-00-00-00-00-00-07","dC":0,"diid":1,"pdu":"60","RX1DR":5,"RX1Freq":868100000,"xtime":\#(xtime ^ (1 << 48))}"#,
                #"{"msgtype":"dnmsg"}"#, "{", #"{"msgtype":"runcmd","command":"reboot"}"#, #"{"msgtype":"what"}"#,
            ] { try await server.send(text) }
            try await eventually("they are counted") {
                let warnings = try await rig.warnings
                return warnings["lns-stale-time"] == 1 && warnings["lns-runcmd"] == 1 && warnings["lns-bad-json"] == 1
                    && warnings["lns-missing-field"] == 1 && warnings["lns-unknown-message"] == 1
            }
            #expect(rig.radio.sent.count == 2)
        }
        await server.stop()
    }

    @Test func withAStoreABrokenConnectionLosesNothing() async throws {
        let directory = try TemporaryDirectory()
        let server = try await FakeLNS.start()
        try await GatewayRig.run([uplink(server, store: StoreSettings())], state: directory.path) { rig in
            try await rig.waitUntilUp("lns")
            rig.radio.hear(0)
            try await eventually("the first") { numbers(server) == [0] }
            // Nothing is acknowledged any more, then the connection breaks.
            server.answerPings(false)
            for number in 1...20 { rig.radio.hear(UInt16(number)) }
            server.dropAll()
            for number in 21...40 { rig.radio.hear(UInt16(number)) }
            server.answerPings(true)
            try await eventually("all are there") { Set(numbers(server)) == Set(0...40) }
            var seen: Set<Int64> = []
            #expect(numbers(server).filter { seen.insert($0).inserted } == Array(0...40))
            try await eventually("the store is empty") { try await rig.uplink("lns").waiting == 0 }
            #expect(rig.radio.counters.starts == 1)
        }
        await server.stop()
    }

    @Test func aRefusalIsToldAndTriedAgain() async throws {
        let server = try await FakeLNS.start()
        server.refuse("unknown router")
        try await GatewayRig.run([uplink(server)]) { rig in
            try await eventually("the problem is known") {
                try await rig.uplink("lns").state.problem?.contains("unknown router") == true
            }
            server.refuse(nil)
            try await rig.waitUntilUp("lns")
        }
        await server.stop()
    }
}
