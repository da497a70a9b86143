import DeviceCore
import DeviceProtocols
import NIOCore
import Testing

@testable import device_fleet

/// What the numbers of a fleet rest on.
@Suite struct CountingTests {
    @Test func eachMessageCountsOnce() {
        var tracker = SequenceTracker()
        #expect(tracker.receive(1) == .new)
        #expect(tracker.receive(1) == .duplicate)
        #expect(tracker.receive(5) == .new)
        // Late, in any order, and again.
        #expect(tracker.receive(3) == .new)
        #expect(tracker.receive(2) == .new)
        #expect(tracker.receive(3) == .duplicate)
        #expect(tracker.receive(4) == .new)
        #expect(tracker.receive(4) == .duplicate)
        #expect(tracker.received == 5)
    }

    /// Against a set, which forgets nothing, with numbers out of order and repeated.
    @Test(arguments: 0..<20) func agreesWithASet(_ seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var tracker = SequenceTracker()
        var seen: Set<UInt32> = []
        var base: UInt32 = 1
        for _ in 0..<5000 {
            // Never more than 40 numbers back, so that no gap has to be given up.
            let number = base + UInt32.random(in: 0..<40, using: &random)
            if Bool.random(using: &random) { base += 1 }
            let verdict = tracker.receive(number)
            #expect(verdict == (seen.insert(number).inserted ? .new : .duplicate))
        }
        #expect(tracker.received == UInt64(seen.count))
    }

    @Test func gapsAreBounded() {
        var tracker = SequenceTracker()
        for number in 1...100 { _ = tracker.receive(UInt32(number * 2)) }
        #expect(tracker.receive(1) == .unknown)
        #expect(tracker.receive(199) == .new)
        #expect(tracker.receive(.max) == .new)
        #expect(tracker.receive(.max) == .duplicate)
    }

    @Test func quantilesAreCloseEnough() {
        var histogram = Histogram()
        for number in 1...10_000 { histogram.add(.microseconds(number)) }
        #expect(histogram.count == 10_000 && histogram.minimum == .microseconds(1))
        #expect(histogram.maximum == .microseconds(10_000))
        for (share, exact) in [(0.01, 100.0), (0.5, 5000.0), (0.99, 9900.0)] {
            let value = Double(histogram.quantile(share).wholeNanoseconds) / 1000
            #expect(abs(value - exact) / exact < 0.07)
        }
        #expect(histogram.bars.reduce(0) { $0 + $1.count } == 10_000)
        histogram.add(.seconds(1_000_000))
        histogram.add(.seconds(-1))
        #expect(histogram.quantile(1) == .seconds(1_000_000) && histogram.minimum == .zero)
        #expect(Histogram().quantile(0.5) == .zero && Histogram().bars.isEmpty)
    }

    @Test func theAgendaIsInOrder() {
        var random = SplitMix64(seed: 1)
        var agenda = Agenda()
        for device in 0..<1000 {
            agenda.add(Int32(device), at: MonotonicTime(nanoseconds: Int64.random(in: 0..<500, using: &random)))
        }
        #expect(agenda.take(at: MonotonicTime(nanoseconds: -1)) == nil)
        var last = MonotonicTime.zero
        var taken: Set<Int32> = []
        while let entry = agenda.take(at: MonotonicTime(nanoseconds: 499)) {
            #expect(entry.time >= last)
            last = entry.time
            taken.insert(entry.device)
        }
        #expect(taken.count == 1000 && agenda.nextTime == nil)
    }

    @Test func messagesSurviveTheWire() {
        let message = FleetMessage(
            .echo, run: 7, device: 4999, sequence: .max, time: MonotonicTime(nanoseconds: 123), value: -2)
        #expect(message.payload.readableBytes == FleetMessage.byteCount)
        #expect(FleetMessage(message.payload) == message)
        // Anything else is somebody else's.
        var bytes = Array(message.payload.readableBytesView)
        #expect(FleetMessage(ByteBuffer(bytes: bytes.dropLast())) == nil)
        #expect(FleetMessage(ByteBuffer(bytes: bytes + [0])) == nil)
        bytes[3] = 99
        #expect(FleetMessage(ByteBuffer(bytes: bytes)) == nil)
        #expect(FleetMessage(ByteBuffer()) == nil)
    }

    /// Numbers that a stranger makes up are counted as foreign, and trap nowhere.
    @Test func strangersAreCountedApart() {
        let ledger = FleetLedger(devices: 2, run: 1)
        let peer = SMQPeerMaker.peer
        func message(_ run: UInt32, _ device: UInt32, _ sequence: UInt32, _ kind: FleetMessage.Kind) -> FleetMessage {
            FleetMessage(
                kind, run: run, device: device, sequence: sequence, time: MonotonicTime(nanoseconds: .min), value: -1)
        }
        ledger.received(
            [
                (message(2, 0, 1, .light), peer), (message(1, 2, 1, .light), peer),
                (message(1, .max, 1, .hello), peer), (message(1, 0, 0, .light), peer),
                (message(1, 1, .max, .echo), peer),
            ], by: 0, foreign: 3, at: .distantFuture)
        #expect(ledger.totals.foreign == 7 && ledger.totals.delivered == 1)
    }
}
