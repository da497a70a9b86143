import ClusterClient
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

    @Test func absenceCountsFromWhenADeviceIsGone() {
        var absence = FleetAbsence()
        func second(_ value: Int64) -> MonotonicTime { MonotonicTime(nanoseconds: value * 1_000_000_000) }
        absence.look([], at: second(0))
        #expect(absence.count == 0 && absence.longest == .zero)
        absence.look([true, false], at: second(1))
        absence.look([false, false, true], at: second(3))
        #expect(absence.count == 2 && absence.longest == .seconds(2))
        absence.look([false, true, true], at: second(4))
        #expect(absence.count == 1 && absence.longest == .seconds(1))
        // One that was back begins anew.
        absence.look([false, false, true], at: second(5))
        #expect(absence.count == 2 && absence.longest == .seconds(2))
        absence.look([true, true, true], at: second(9))
        #expect(absence.count == 0 && absence.longest == .zero)
    }

    /// A device can be reached through each receiver that has heard it in its present session.
    @Test func addressesAreKeptByReceiver() {
        let ledger = FleetLedger(devices: 1, run: 1)
        ledger.expect(receivers: 2)
        func hear(_ kind: FleetMessage.Kind, _ sequence: UInt32, _ time: Int64, by receiver: Int, peer: UInt32) {
            let message = FleetMessage(
                kind, run: 1, device: 0, sequence: sequence, time: MonotonicTime(nanoseconds: time))
            ledger.received(
                [(message, SMQPeer(id: peer, session: 1))], by: receiver, foreign: 0, at: .distantFuture)
        }
        func peers() -> [UInt32] {
            let command = FleetLedger.OpenCommand(led: 1, isOn: true, time: .zero)
            return ledger.command(0, command).map(\.peer.id)
        }
        #expect(peers().isEmpty && ledger.totals.commandsRefused == 1)
        hear(.hello, 0, 10, by: 0, peer: 100)
        hear(.hello, 0, 10, by: 1, peer: 200)
        #expect(Set(peers()) == [100, 200])
        // A new session, of which one receiver hears only a reading.
        hear(.hello, 0, 20, by: 1, peer: 201)
        #expect(peers() == [201])
        hear(.light, 1, 30, by: 0, peer: 101)
        #expect(peers() == [101, 201])
        // What was on its way since before.
        hear(.light, 2, 15, by: 0, peer: 100)
        #expect(peers() == [101, 201])
    }

    /// Copies at another receiver are duplicates unless a link has brought them, which may show later.
    @Test func copiesAtOtherReceiversAreJudgedAtTheEnd() {
        let ledger = FleetLedger(devices: 1, run: 1)
        ledger.expect(receivers: 2)
        func hear(_ kind: FleetMessage.Kind, _ sequence: UInt32, device: UInt32 = 0, by receiver: Int) {
            let message = FleetMessage(kind, run: 1, device: device, sequence: sequence, time: .zero)
            ledger.received([(message, SMQPeerMaker.peer)], by: receiver, foreign: 0, at: .distantFuture)
        }
        for receiver in 0...1 { hear(.light, 1, by: receiver) }
        hear(.light, 1, by: 0)
        #expect(ledger.totals.delivered == 1 && ledger.totals.duplicated == 2)
        hear(.probe, 0, device: 0, by: 0)
        #expect(ledger.totals.duplicated == 2, "its own probe tells nothing")
        hear(.probe, 0, device: 0, by: 1)
        #expect(ledger.totals.delivered == 1 && ledger.totals.duplicated == 1)
        hear(.light, 1, by: 1)
        #expect(ledger.totals.duplicated == 2)
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
