import DeviceCore
import DeviceProtocols
import DeviceTransport
import NIOPosix
import TestSupport
import Testing

@testable import LoRaGateway

/// Another forwarder as our radio, by hand-written datagrams.
@Suite struct ForwarderRadioTests {
    static let eui: [UInt8] = [0xAA, 0x55, 0x5A, 0, 0, 0, 1, 1]

    private func push(_ tmst: UInt32, token: UInt8 = 1) -> [UInt8] {
        let json = """
            {"rxpk":[{"tmst":\(tmst),"chan":2,"rfch":0,"freq":868.100000,"stat":1,"modu":"LORA","datr":"SF7BW125",\
            "codr":"4/5","lsnr":5.1,"rssi":-35,"size":17,"data":"QPF9vkkAAgABlUN4disR/w0="}]}
            """
        return [2, 0, token, 0] + Self.eui + Array(json.utf8)
    }

    @Test func itsFramesComeAndItGetsItsDownlinks() async throws {
        let clock = DeviceClock(ContinuousClock())
        let radio = ForwarderRadio(
            listen: ListenAddress(host: "127.0.0.1", port: 0), eui: nil, clock: clock,
            eventLoop: MultiThreadedEventLoopGroup.singleton.next(), warn: { _, _ in })
        try await radio.start(RadioPlan(.eu868))
        let forwarder = try UDPClient(port: try #require(radio.boundAddress?.port))
        let downlink = RadioDownlink(
            count: 0x1_0000_1000, frequency: RadioFrequency(hertz: 869_525_000),
            modulation: .lora(LoRaDataRate(spreadingFactor: 9, bandwidth: 125)), power: 27, payload: [1, 2, 3])
        #expect(throws: DeviceError.self) { try radio.transmit(downlink) }
        try forwarder.send([2, 0, 9, 2] + Self.eui)
        #expect(forwarder.receive() == [2, 0, 9, 4])
        try forwarder.send(push(0xFFFF_FF00))
        #expect(forwarder.receive() == [2, 0, 1, 1])
        try forwarder.send(push(0x100, token: 2))
        #expect(forwarder.receive() == [2, 0, 2, 1])
        try await eventually("two frames") { radio.uplinks.count == 2 }
        let frames = radio.uplinks.takeAll() ?? []
        // The counter went through 2^32.
        #expect(frames.map(\.count) == [0xFFFF_FF00, 0x1_0000_0100])
        #expect(frames[0].rssi == -35 && frames[0].snr == 5.1 && frames[0].payload.count == 17)
        #expect(radio.now() >= 0x1_0000_0100)

        try radio.transmit(downlink)
        let bytes = try #require(forwarder.receive())
        #expect(bytes.prefix(1) == [2] && bytes[3] == 3)
        let json = try JSONValue(parsing: bytes[4...], options: .message)
        #expect(json["txpk"]?["tmst"] == 0x1000 && json["txpk"]?["freq"] == 869.525 && json["txpk"]?["data"] == "AQID")
        #expect(json["txpk"]?["ipol"] == true && json["txpk"]?["ncrc"] == true && json["txpk"]?["datr"] == "SF9BW125")
        try forwarder.send([2, bytes[1], bytes[2], 5] + Self.eui + Array(#"{"txpk_ack":{"error":"TOO_LATE"}}"#.utf8))
        try await eventually("its refusal") { radio.counters.failed == 1 }
        // A token that was never given, another gateway, and rubbish.
        try forwarder.send([2, 0x55, 0x55, 5] + Self.eui)
        try forwarder.send([2, 0, 7, 2] + Self.eui.reversed())
        try forwarder.send([2, 0])
        try await eventually("they are counted") {
            radio.bad["unknown-token"] == 1 && radio.bad["other-gateway"] == 1 && radio.bad["truncated"] == 1
        }
        await radio.stop()
    }
}
