import DeviceCore
import DeviceProtocols
import Testing

@testable import LoRaGateway

@Suite struct FilterTests {
    /// Data of DevAddr 26011BDA; a join request with JoinEUI 70B3D57ED0000001.
    private let data: [UInt8] = [0x40, 0xDA, 0x1B, 0x01, 0x26, 0, 7, 0, 1, 9, 9, 9, 9, 9]
    private let join: [UInt8] = [0, 1, 0, 0, 0xD0, 0x7E, 0xD5, 0xB3, 0x70] + [UInt8](repeating: 1, count: 14)

    private func filter(_ devAddr: [String], _ joinEUI: [String]) throws -> UplinkFilter {
        var filter = UplinkFilter()
        filter.devAddr = try devAddr.map { try #require(UplinkFilter.DevAddrPrefix($0)) }
        filter.joinEUI = try joinEUI.map { try #require(UplinkFilter.range($0)) }
        return filter
    }

    @Test func addressesAndJoinServersDecide() throws {
        #expect(try filter([], []).passes(data) && filter([], []).passes(join) && filter([], []).passes([]))
        #expect(try filter(["26000000/7"], []).passes(data))
        #expect(try filter(["26011bda"], []).passes(data))
        #expect(try !filter(["26011bdb"], []).passes(data))
        #expect(try !filter(["28000000/7"], []).passes(data))
        #expect(try filter(["28000000/7", "00000000/0"], []).passes(data))
        let range = "70b3d57ed0000000-70b3d57ed0ffffff"
        #expect(try filter([], [range]).passes(join) && filter([], [range]).passes(data))
        #expect(try !filter([], ["70b3d57ed0000002"]).passes(join))
        // Where something is asked for, what has no address does not pass.
        #expect(try !filter(["26000000/7"], []).passes([]) && !filter(["26000000/7"], []).passes([0xE0, 1]))
        #expect(try !filter(["26000000/7"], []).passes(Array(data.prefix(11))))
        #expect(try !filter([], [range]).passes(Array(join.prefix(22))))
    }

    @Test(arguments: ["", "26", "26000000/33", "26000000/-1", "26000000/7/8", "2600000g", "+6000000"])
    func whatIsNoPrefixIsRefused(_ text: String) { #expect(UplinkFilter.DevAddrPrefix(text) == nil) }

    private func frame(
        _ payload: [UInt8] = [1, 2, 3], at count: UInt64, hertz: UInt32 = 868_100_000, rssi: Double = -80,
        codingRate: LoRaCodingRate = .fourFifths
    ) -> RadioUplink {
        RadioUplink(
            count: count, frequency: RadioFrequency(hertz: hertz),
            modulation: .lora(LoRaDataRate(spreadingFactor: 7, bandwidth: 125)), codingRate: codingRate, rssi: rssi,
            snr: 5, payload: payload, receivedAt: .zero)
    }

    @Test func ghostsAndMirrorsAreKeptBackAndCounted() {
        var sieve = FrameSieve()
        let strong = frame(at: 1_000_000, rssi: -40)
        let mirror = frame(at: 1_000_010, hertz: 867_900_000, rssi: -110)
        let ghost = frame([9], at: 1_000_020, codingRate: .off)
        let other = frame([4], at: 1_000_030)
        #expect(sieve.sift([mirror, ghost, strong, other]) == [strong, other])
        // The image of a frame that has gone already.
        #expect(sieve.sift([mirror]).isEmpty)
        // The same bytes later are a frame of their own: a device that repeats.
        let again = frame(at: 3_000_000)
        #expect(sieve.sift([again]) == [again])
        #expect(sieve.counters.ghosts == 1 && sieve.counters.mirrors == 2 && sieve.counters.passed == 3)
    }
}
