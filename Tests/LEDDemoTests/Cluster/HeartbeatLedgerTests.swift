import DeviceCore
import NIOCore
import Testing

@testable import LEDDemo

@Suite struct HeartbeatLedgerTests {
    private func at(_ milliseconds: Int64) -> MonotonicTime { .zero + .milliseconds(milliseconds) }

    @Test func whatNeverComesIsLostAfterATime() {
        var ledger = HeartbeatLedger(nodes: 2, at: .zero)
        for number in [1, 2, 5] as [UInt64] { ledger.receive(number, node: 0, at: at(100)) }
        #expect(ledger.received == 3)
        #expect(ledger.highest == 5)
        #expect(ledger.lost(at: at(5000)) == 0)
        #expect(ledger.lost(at: at(5200)) == 2)
        // Late is not lost.
        ledger.receive(3, node: 1, at: at(6000))
        #expect(ledger.lost(at: at(6000)) == 1)
        #expect(ledger.received == 4)
    }

    @Test func copiesCountOnce() {
        var ledger = HeartbeatLedger(nodes: 2, at: .zero)
        for node in [0, 1, 0] { ledger.receive(1, node: node, at: at(10)) }
        #expect(ledger.received == 1)
        #expect(ledger.course(at: at(10)) == [[1, 0]])
    }

    @Test func nonsenseChangesNothing() {
        var ledger = HeartbeatLedger(nodes: 2, at: .zero)
        ledger.receive(0, node: 0, at: at(10))
        ledger.receive(1, node: 2, at: at(10))
        ledger.receive(1, node: -1, at: at(10))
        #expect(ledger.received == 0)
    }

    @Test func aHugeNumberCostsNoMemory() {
        var ledger = HeartbeatLedger(nodes: 1, at: .zero)
        ledger.receive(.max, node: 0, at: at(10))
        #expect(ledger.received == 1)
        #expect(ledger.lost(at: at(10)) == UInt64.max - 1 - UInt64(HeartbeatLedger.missingLimit))
        #expect(ledger.lost(at: at(6000)) == UInt64.max - 1)
    }

    @Test func theCourseHasAPlaceForEachStepAndNode() {
        var ledger = HeartbeatLedger(nodes: 2, at: .zero)
        ledger.receive(1, node: 0, at: at(0))
        ledger.receive(2, node: 0, at: at(249))
        ledger.receive(3, node: 1, at: at(750))
        #expect(ledger.course(at: at(1000)) == [[2, 0], [0, 0], [0, 0], [0, 1], [0, 0]])
        // A minute is kept, whatever comes.
        #expect(ledger.course(at: at(60_500)).count == HeartbeatLedger.stepLimit)
        #expect(ledger.course(at: at(60_500)).first == [0, 1])
        #expect(ledger.course(at: at(3_600_000)) == [[0, 0]])
    }

    @Test func beatsAreReadAsWritten() {
        let beat = Heartbeat.Beat(run: "3f9a", number: 17)
        #expect(Heartbeat.Beat(beat.payload) == beat)
        for text in ["", "3f9a", "3f9a x", "3f9a 1 2", " 1", "3f9a -1", String(repeating: "1", count: 65)] {
            #expect(Heartbeat.Beat(ByteBuffer(string: text)) == nil, "\(text)")
        }
    }

    @Test(arguments: [("20", 20), ("20/s", 20), ("1", 1), ("1000/s", 1000)])
    func ratesAreRead(_ text: String, _ rate: Int) throws {
        #expect(try Heartbeat.rate(text) == rate)
    }

    @Test(arguments: ["", "0", "1001", "-1", "x", "20/m", "/s"])
    func otherRatesAreRefused(_ text: String) {
        #expect(throws: DeviceError.self) { try Heartbeat.rate(text) }
    }
}
