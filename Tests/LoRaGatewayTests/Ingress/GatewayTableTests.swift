import DeviceCore
import DeviceProtocols
import Testing

@testable import LoRaGateway

@Suite struct GatewayTableTests {
    private func time(_ seconds: Int64) -> MonotonicTime { .zero + .seconds(seconds) }

    @Test func onlyASilentGatewayMakesRoom() {
        var table = GatewayTable(limit: 2, staleAfter: .seconds(600))
        #expect(table.update(GatewayEUI(1), at: time(0)) { $0.frames = 5 } == .new)
        #expect(table.update(GatewayEUI(2), at: time(10)) { _ in } == .new)
        #expect(table.update(GatewayEUI(3), at: time(599)) { _ in } == .refused)
        // The first speaks again, so the second is the next to go, ten minutes after its last word.
        #expect(table.update(GatewayEUI(1), at: time(599)) { _ in } == .known)
        #expect(table.update(GatewayEUI(3), at: time(609)) { _ in } == .refused)
        #expect(table.update(GatewayEUI(3), at: time(610)) { _ in } == .replaced(GatewayEUI(2)))
        #expect(table.update(GatewayEUI(2), at: time(611)) { _ in } == .refused)
        #expect(table.all.map(\.eui.rawValue) == [1, 3])
        #expect(table.all.first?.frames == 5)
        #expect(table.all.first?.lastSeen == time(599))
    }

    @Test func aFloodOfInventedGatewaysIsBounded() {
        var table = GatewayTable(limit: 100)
        for number in 0..<200_000 { _ = table.update(GatewayEUI(UInt64(number)), at: time(1)) { _ in } }
        #expect(table.count == 100)
        #expect(table.all.last?.eui == GatewayEUI(99))
    }
}
