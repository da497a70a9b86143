import DeviceCore
import DeviceProtocols
import DeviceTransport
import TestSupport
import Testing

@testable import LoRaNetworkServer

/// The server as a forwarder sees it. The forwarder's datagrams are written by hand.
@Suite struct ForwarderSideTests {
    private let eui: [UInt8] = [0xAA, 0x55, 0x5A, 0, 0, 0, 1, 1]

    private func push(_ token: UInt8, _ json: String) -> [UInt8] { [2, token, 0x99, 0] + eui + Array(json.utf8) }

    private func rxpk(_ payload: [UInt8], tmst: UInt32 = 3_512_348_611) -> String {
        """
        {"rxpk":[{"tmst":\(tmst),"chan":0,"rfch":1,"freq":868.100000,"stat":1,"modu":"LORA","datr":"SF7BW125",\
        "codr":"4/5","rssi":-35,"lsnr":5.1,"size":\(payload.count),"data":"\(Base64.encode(payload))"}]}
        """
    }

    private func txpk(_ datagram: [UInt8]?) throws -> JSONObject {
        let datagram = try #require(datagram)
        #expect(datagram[0] == 2 && datagram[3] == 3)
        return try #require(try JSONValue(parsing: datagram.dropFirst(4))["txpk"]?.objectValue)
    }

    private func start() async throws -> (ServerRun, UDPClient) {
        let run = try await ServerRun([TestDevices.joining, TestDevices.personalized]) {
            $0.secondWindowEvery = 2
            $0.classCInterval = nil
        }
        let forwarder = try UDPClient(port: run.server.forwarderAddress.port)
        try forwarder.send([2, 0x12, 0x34, 2] + eui)
        #expect(forwarder.receive() == [2, 0x12, 0x34, 4])
        return (run, forwarder)
    }

    @Test func aDeviceJoinsInTheFirstWindow() async throws {
        let (run, forwarder) = try await start()
        try forwarder.send(push(7, rxpk(try TestDevices.joinRequest(nonce: 1), tmst: .max - 999_999)))
        #expect(forwarder.receive() == [2, 7, 0x99, 1])
        let answer = try txpk(forwarder.receive())
        // Five seconds later, beyond the counter's end.
        #expect(answer["tmst"] == 4_000_000)
        #expect(answer["freq"]?.doubleValue == 868.1)
        #expect(answer["datr"] == "SF7BW125")
        #expect(answer["ipol"] == true && answer["ncrc"] == true)
        #expect(answer["imme"] == nil)
        let frame = try #require(answer["data"]?.stringValue.flatMap { Base64.decode($0) })
        #expect(answer["size"]?.integerValue == Int64(frame.count))
        let accept = try LoRaWANSecurity(OpenSSLCrypto()).openJoinAccept(
            Array(frame.dropFirst()), key: TestDevices.key)
        #expect(accept?.rxDelay == 1)
        #expect(accept?.channels.count == 5)
        // The same again is a copy from another channel or gateway; another request is answered, in the second window.
        try forwarder.send(push(8, rxpk(try TestDevices.joinRequest(nonce: 1))))
        #expect(forwarder.receive() == [2, 8, 0x99, 1])
        try await run.wait("the copy") { $0.duplicates == 1 }
        #expect(await run.server.counters().joins == 1)
        await run.server.close()
    }

    @Test func dataIsEchoedInBothWindows() async throws {
        let (run, forwarder) = try await start()
        // lora-packet's published frame; its counter is 2.
        let published: [UInt8] = [
            0x40, 0xF1, 0x7D, 0xBE, 0x49, 0x00, 0x02, 0x00, 0x01, 0x95, 0x43, 0x78, 0x76, 0x2B, 0x11, 0xFF, 0x0D,
        ]
        let security = LoRaWANSecurity(OpenSSLCrypto())
        let next = try security.seal(
            LoRaWANData(.confirmedUp, devAddr: DevAddr(0x49BE_7DF1), fCnt: 0, port: 1, payload: Array("next".utf8)),
            fCnt: 3, keys: TestDevices.keys)
        let expected: [(frame: [UInt8], tmst: Int64, freq: Double, datr: JSONValue, payload: String, isAck: Bool)] = [
            (published, 1_000_100, 868.1, "SF7BW125", "test", false),
            (next.bytes, 2_000_100, 869.525, "SF12BW125", "next", true),
        ]
        for (number, one) in expected.enumerated() {
            try forwarder.send(push(1, rxpk(one.frame, tmst: 100)))
            #expect(forwarder.receive() == [2, 1, 0x99, 1])
            let answer = try txpk(forwarder.receive())
            #expect(answer["tmst"]?.integerValue == one.tmst)
            #expect(answer["freq"]?.doubleValue == one.freq)
            #expect(answer["datr"] == one.datr)
            let bytes = try #require(answer["data"]?.stringValue.flatMap { Base64.decode($0) })
            guard case .data(let data) = try LoRaWANFrame(bytes) else {
                Issue.record("no data frame")
                continue
            }
            #expect(data.control.contains(.ack) == one.isAck)
            let opened = try security.open(data, fCnt: UInt32(number), keys: TestDevices.keys)
            #expect(opened.map { String(decoding: $0.payload, as: UTF8.self) } == one.payload)
        }
        let counters = await run.server.counters()
        #expect(counters.data == 2 && counters.downlinksFirst == 1 && counters.downlinksSecond == 1)
        await run.server.close()
    }

    @Test func fatesAreCounted() async throws {
        let (run, forwarder) = try await start()
        try forwarder.send([2, 0, 1, 5] + eui)
        try forwarder.send([2, 0, 2, 5] + eui + Array(#"{"txpk_ack":{"error":"TOO_LATE"}}"#.utf8))
        try forwarder.send([2, 0, 3, 5] + eui + Array(#"{"txpk_ack":{"warn":"TX_POWER","value":20}}"#.utf8))
        try await run.wait("three answers") { $0.accepted == 2 && $0.refused == ["TOO_LATE": 1] }
        await run.server.close()
    }

    @Test func whatIsNoUplinkIsCountedAndNotAnswered() async throws {
        let (run, forwarder) = try await start()
        try forwarder.send([])
        try forwarder.send([2, 0, 0])
        try forwarder.send([9, 0, 0, 0] + eui)
        try forwarder.send([2, 0, 0, 77] + eui)
        // A server's own words.
        try forwarder.send([2, 0, 0, 3] + Array("{}".utf8))
        #expect(forwarder.receive(milliseconds: 200) == nil)
        // These have a head, so the way is open.
        try forwarder.send(push(1, "{{{"))
        #expect(forwarder.receive() == [2, 1, 0x99, 1])
        try forwarder.send(push(2, rxpk([0x40, 1, 2])))
        #expect(forwarder.receive() == [2, 2, 0x99, 1])
        // A wrong code, a stranger, and a frame that only a network sends.
        var wrong = try TestDevices.joinRequest(nonce: 4)
        wrong[22] ^= 1
        let frames = [
            wrong, [0x40, 9, 9, 9, 9, 0, 0, 0, 1, 1, 1, 1, 1], [0x60, 9, 9, 9, 9, 0, 0, 0, 1, 1, 1, 1, 1],
        ]
        for frame in frames {
            try forwarder.send(push(3, rxpk(frame)))
            #expect(forwarder.receive() == [2, 3, 0x99, 1])
        }
        try await run.wait("all counted") { $0.unknown == 3 && $0.wrongMIC == 1 }
        let bad = await run.server.counters().bad
        #expect(bad["truncated"] ?? 0 >= 1)
        #expect(bad["unknown-version"] == 1 && bad["unknown-type"] == 1 && bad["unexpected-type"] == 1)
        #expect(bad["bad-json"] == 1)
        #expect(await run.server.counters().downlinks == 0)
        await run.server.close()
    }

    @Test func withoutPullDataNothingCanBeSent() async throws {
        let run = try await ServerRun([TestDevices.joining])
        let forwarder = try UDPClient(port: run.server.forwarderAddress.port)
        try forwarder.send(push(1, rxpk(try TestDevices.joinRequest(nonce: 1))))
        #expect(forwarder.receive() == [2, 1, 0x99, 1])
        try await run.wait("a frame without a way") { $0.undeliverable == 1 }
        await run.server.close()
    }
}
