import DeviceCore
import DeviceProtocols
import Glibc
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import LoRaGateway

/// The records of Basics Station's simulated radio, with offsets as lora.md has them (lora_gateway 5.0.1, LP64).
@Suite struct LgwsimTests {
    /// A record of libloragw's `lgw_pkt_rx_s`, byte by byte.
    private func record(
        hertz: UInt32 = 868_100_000, count: UInt32 = 123_456, rate: UInt32 = 0x02, size: UInt16 = 4,
        status: UInt8 = 0x10, modulation: UInt8 = 0x10, codingRate: UInt8 = 1, rssi: Float = -60, snr: Float = 7.5
    ) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 300)
        func put(_ value: UInt32, at offset: Int) {
            for index in 0..<4 { bytes[offset + index] = UInt8(truncatingIfNeeded: value >> UInt32(8 * index)) }
        }
        put(hertz, at: 0)
        bytes[4] = 3
        bytes[5] = status
        put(count, at: 8)
        bytes[12] = 1
        bytes[13] = modulation
        bytes[14] = 3
        put(rate, at: 16)
        bytes[20] = codingRate
        put(rssi.bitPattern, at: 24)
        put(snr.bitPattern, at: 28)
        bytes[42] = UInt8(size & 255)
        bytes[43] = UInt8(size >> 8)
        for index in 0..<4 { bytes[44 + index] = UInt8(index + 1) }
        return bytes
    }

    @Test func aFrameIsReadFromItsPlaces() throws {
        let received = LgwsimRecord.decode(ByteBuffer(bytes: record(rate: 0x20)), receivedAt: .zero)
        guard case .frame(let frame, let count) = received else { return #expect(Bool(false), "\(received)") }
        #expect(count == 123_456 && frame.frequency.hertz == 868_100_000 && frame.payload == [1, 2, 3, 4])
        #expect(frame.modulation == .lora(LoRaDataRate(spreadingFactor: 11, bandwidth: 125)))
        #expect(frame.codingRate == .fourFifths && frame.rssi == -60 && frame.snr == 7.5 && frame.crc == .ok)
        #expect(frame.ifChain == 3 && frame.rfChain == 1)
    }

    @Test func whatCannotBeIsSaid() {
        let bad = [
            record(rate: 0), record(rate: 3), record(rate: 0x80), record(size: 256), record(size: 65535),
            record(status: 9),
            record(modulation: 7), record(codingRate: 9), record(rssi: .nan), record(snr: .infinity),
            Array(record().dropLast()), [],
        ]
        for bytes in bad {
            let received = LgwsimRecord.decode(ByteBuffer(bytes: bytes), receivedAt: .zero)
            guard case .impossible = received else { return #expect(Bool(false), "\(received)") }
        }
        guard case .busyTable = LgwsimRecord.decode(ByteBuffer(bytes: record(hertz: 0xCCAF_CCAF)), receivedAt: .zero)
        else {
            return #expect(Bool(false))
        }
    }

    @Test func aFrameToSendHasItsPlaces() throws {
        let downlink = RadioDownlink(
            count: 0x1_2345_6789, frequency: RadioFrequency(hertz: 869_525_000),
            modulation: .lora(LoRaDataRate(spreadingFactor: 12, bandwidth: 125)), power: 27, rfChain: 1,
            payload: [9, 8, 7])
        let bytes = Array(try #require(LgwsimRecord.encode(downlink)).readableBytesView)
        #expect(bytes.count == 288)
        #expect(
            bytes[0..<4] == [0x08, 0xE6, 0xD3, 0x33] && bytes[4] == 1 && bytes[8..<12] == [0x89, 0x67, 0x45, 0x23])
        #expect(
            bytes[12] == 1 && bytes[13] == 27 && bytes[14] == 0x10 && bytes[15] == 3
                && bytes[16..<20] == [0x40, 0, 0, 0])
        #expect(bytes[20] == 1 && bytes[21] == 1 && bytes[24..<26] == [8, 0] && bytes[26] == 1 && bytes[27] == 0)
        #expect(bytes[28..<30] == [3, 0] && bytes[30..<33] == [9, 8, 7])
        var other = downlink
        other.modulation = .lora(LoRaDataRate(spreadingFactor: 5, bandwidth: 125))
        #expect(LgwsimRecord.encode(other) == nil)
        let hello = Array(LgwsimRecord.hello(timeOffset: 0x1122_3344_5566_7788, unit: 5).readableBytesView)
        #expect(hello.count == 288 && hello[0..<4] == [0x44, 0x33, 0x22, 0x11] && hello[4] == 255)
        #expect(hello[8..<12] == [0x88, 0x77, 0x66, 0x55] && hello[22] == 5)
    }

    @Test func aSimulatorDrivesTheRadio() async throws {
        let directory = try TemporaryDirectory()
        let path = directory("spidev")
        let received = Locked<[UInt8]>([])
        let peer = Locked<(any Channel)?>(nil)
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let radio = LgwsimRadio(path: path, clock: DeviceClock(ContinuousClock()), eventLoop: loop, warn: { _, _ in })
        // Without a simulator the start says so.
        let error = await #expect(throws: DeviceError.self) { try await radio.start(RadioPlan(.eu868)) }
        #expect(error?.code == .unavailable && error?.message.contains(path) == true)

        let listener = try await ServerBootstrap(group: loop)
            .childChannelInitializer { channel in
                peer.withLock { $0 = channel }
                return channel.pipeline.addHandler(Recorder { bytes in received.withLock { $0 += bytes } })
            }
            .bind(unixDomainSocketPath: path).get()
        try await radio.start(RadioPlan(.eu868))
        try await eventually("the first record") { received.withLock { $0.count } == 288 }
        // Old enough to have heard something a millisecond ago.
        try await eventually("a second of the radio's life") { radio.now() > 1_000_000 }
        let count = UInt32(truncatingIfNeeded: radio.now())
        let bytes = record(count: count)
        let channel = try #require(peer.withLock { $0 })
        // In two pieces, as a stream may come.
        try await channel.writeAndFlush(ByteBuffer(bytes: bytes.prefix(100)))
        try await channel.writeAndFlush(ByteBuffer(bytes: bytes.dropFirst(100) + record(count: count &- 1000)))
        try await eventually("two frames") { radio.uplinks.count == 2 }
        #expect(radio.uplinks.takeAll()?.map { UInt32(truncatingIfNeeded: $0.count) } == [count, count &- 1000])
        try radio.transmit(
            RadioDownlink(
                count: radio.now() + 1_000_000, frequency: RadioFrequency(hertz: 868_100_000),
                modulation: .lora(LoRaDataRate(spreadingFactor: 7, bandwidth: 125)), power: 14, payload: [1]))
        #expect(radio.transmitStatus(rfChain: 0) == .scheduled)
        try await eventually("its record") { received.withLock { $0.count } == 576 }
        // Nobody reads: what does not fit is counted, never silently gone.
        let limit = radio.uplinks.limit
        var flood = ByteBuffer()
        for number in 0..<limit + 10 { flood.writeBytes(record(count: count &+ UInt32(number))) }
        flood.writeBytes(record(rate: 3))
        try await channel.writeAndFlush(flood)
        try await eventually("those that did not fit are counted") { radio.counters.lost == 10 }
        #expect(radio.counters.received == UInt64(limit) + 12 && radio.counters.faults == 1)
        #expect(radio.uplinks.count == limit)
        // Its end stops the clock, by which the host notices.
        try await channel.close()
        try await eventually("its end") { radio.transmitStatus(rfChain: 0) == .off }
        let stopped = radio.now()
        try await Task.sleep(for: .milliseconds(5))
        #expect(radio.now() == stopped)
        try await listener.close()
        await radio.stop()
    }
}

private final class Recorder: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer
    private let take: @Sendable ([UInt8]) -> Void
    init(_ take: @escaping @Sendable ([UInt8]) -> Void) { self.take = take }
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        take(Array(unwrapInboundIn(data).readableBytesView))
    }
}
