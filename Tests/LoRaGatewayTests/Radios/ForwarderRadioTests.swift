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

    /// A quiet place, where no device is heard for hours: the forwarder's PULL_DATA alone shows that it lives.
    @Test func itsClockRunsBeforeTheFirstFrame() async throws {
        try await Self.run { radio, forwarder in
            #expect(radio.now() == 0)
            try forwarder.send([2, 0, 9, 2] + Self.eui)
            #expect(forwarder.receive() == [2, 0, 9, 4])
            try await eventually("its clock runs") { radio.now() > 20_000 }
            let clocks = radio.counters.clocks
            // Its counter is lower than what was guessed, and known from here on.
            try forwarder.send(push(5_000, token: 2))
            #expect(forwarder.receive() == [2, 0, 2, 1])
            #expect(radio.now() >= 1 << 32)
            #expect(UInt32(truncatingIfNeeded: radio.now()) >= 5_000)
            #expect(radio.counters.clocks == clocks + 1, "what was said by the guessed clock is void")
            // The next frames go on with it; a forwarder that is started again has another one.
            try forwarder.send(push(6_000, token: 3))
            #expect(forwarder.receive() == [2, 0, 3, 1])
            #expect(radio.counters.clocks == clocks + 1)
            try forwarder.send(push(3_000_000_000, token: 4))
            #expect(forwarder.receive() == [2, 0, 4, 1])
            #expect(radio.counters.clocks == clocks + 2)
        }
    }

    /// Nobody knows its clock before its first frame, so what has no time of its own goes without one.
    @Test func beforeTheFirstFrameItSendsAtOnce() async throws {
        try await Self.run { radio, forwarder in
            try forwarder.send([2, 0, 9, 2] + Self.eui)
            #expect(forwarder.receive() == [2, 0, 9, 4])
            try radio.transmit(Self.downlink(count: radio.now() + 170_000))
            let bytes = try #require(forwarder.receive())
            let json = try JSONValue(parsing: bytes[4...], options: .message)
            #expect(json["txpk"]?["imme"] == true && json["txpk"]?["tmst"] == nil)
        }
    }

    /// What the forwarder refuses is not on the air: whoever asked hears of it, and the duty cycle has it back.
    @Test func whatItRefusesIsNotSent() async throws {
        try await Self.run { radio, forwarder in
            try forwarder.send([2, 0, 9, 2] + Self.eui)
            #expect(forwarder.receive() == [2, 0, 9, 4])
            try forwarder.send(push(1_000_000))
            #expect(forwarder.receive() == [2, 0, 1, 1])
            var queue = DownlinkQueue(DownlinkSettings(plan: RadioPlan(.eu868), region: .eu868))
            let count = radio.now() + 60_000
            let request = DownlinkRequest(id: 7, timing: .count(count), frame: Self.downlink())
            guard case .accepted = queue.enqueue(request, now: radio.now(), reference: nil) else {
                Issue.record("it was not accepted")
                return
            }
            let actions = queue.poll(now: count - 40_000) { radio.transmitStatus(rfChain: $0) }
            guard case .transmit(_, let frame)? = actions.first else {
                Issue.record("it was not handed over: \(actions)")
                return
            }
            try radio.transmit(frame)
            let bytes = try #require(forwarder.receive())
            try forwarder.send(
                [2, bytes[1], bytes[2], 5] + Self.eui + Array(#"{"txpk_ack":{"error":"COLLISION_PACKET"}}"#.utf8))
            try await eventually("its refusal") { radio.counters.failed == 1 }
            let fates = queue.poll(now: count + 1_000_000) { radio.transmitStatus(rfChain: $0) }
            guard case .failed(7, .refusedByRadio)? = fates.first else {
                Issue.record("it failed otherwise: \(fates)")
                return
            }
            #expect(queue.counters.emitted == 0)
            // The next one is not held for it.
            let next = DownlinkRequest(id: 8, timing: .count(count + 2_000_000), frame: Self.downlink())
            _ = queue.enqueue(next, now: count + 1_000_000, reference: nil)
            #expect(queue.poll(now: count + 1_960_000) { radio.transmitStatus(rfChain: $0) }.count == 1)
        }
    }

    private static func downlink(count: UInt64? = nil) -> RadioDownlink {
        RadioDownlink(
            count: count, frequency: RadioFrequency(hertz: 869_525_000),
            modulation: .lora(LoRaDataRate(spreadingFactor: 9, bandwidth: 125)), power: 14, payload: [1, 2, 3])
    }

    private static func run(_ body: (ForwarderRadio, UDPClient) async throws -> Void) async throws {
        let radio = ForwarderRadio(
            listen: ListenAddress(host: "127.0.0.1", port: 0), eui: nil, clock: DeviceClock(ContinuousClock()),
            eventLoop: MultiThreadedEventLoopGroup.singleton.next(), warn: { _, _ in })
        try await radio.start(RadioPlan(.eu868))
        try await body(radio, try UDPClient(port: try #require(radio.boundAddress?.port)))
        await radio.stop()
    }
}
