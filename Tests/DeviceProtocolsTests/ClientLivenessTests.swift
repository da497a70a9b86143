import DeviceCore
import DeviceProtocols
import NIOCore
import Testing

@Suite struct ClientLivenessTests {
    @Test func theHandshakeHasADeadline() throws {
        var bench = ClientBench()
        #expect(bench.tick(after: .zero) == bench.now + .seconds(5))
        bench.receive(bytes { $0.writeSMQInit(seed: 1, address: "") })
        #expect(bench.tick(after: .milliseconds(4999)) == bench.now + .milliseconds(1))
        #expect(bench.failure == nil)
        #expect(bench.tick(after: .milliseconds(1)) == .distantFuture)
        let error = try #require(bench.failure)
        #expect(error.code == .timedOut)
        #expect(error.hint != nil)
    }

    /// What this end sends proves nothing about the other end.
    @Test func aPingIsSentWhenNothingWasReceivedEvenWhileSending() throws {
        var bench = ClientBench.open()
        for _ in 0..<29 {
            bench.machine.output.writeSMQPublish(to: 1, from: 0x1001, subtopic: 0, payload: text("x"))
            _ = bench.tick(after: .milliseconds(100))
            #expect(try !bench.takeOutput().rawFrames().contains(.ping))
        }
        bench.machine.output.writeSMQPublish(to: 1, from: 0x1001, subtopic: 0, payload: text("x"))
        #expect(bench.tick(after: .milliseconds(100)) == bench.now + .seconds(2))
        #expect(try bench.takeOutput().rawFrames().contains(.ping))
        #expect(bench.tick(after: .milliseconds(1999)) == bench.now + .milliseconds(1))
        #expect(bench.failure == nil)
        _ = bench.tick(after: .milliseconds(1))
        #expect(bench.failure?.code == .timedOut)
        #expect(!bench.machine.isOpen)
    }

    @Test func anythingThatComesIsASignOfLife() throws {
        var bench = ClientBench.open()
        _ = bench.tick(after: .seconds(3))
        #expect(try bench.takeOutput().rawFrames() == [.ping])
        bench.now = bench.now + .seconds(1)
        bench.receive(bytes { $0.writeSMQPublish(to: 1, from: 2, subtopic: 0, payload: text("x")) })
        _ = bench.tick(after: .seconds(2))
        #expect(bench.failure == nil)
        #expect(bench.tick(after: .seconds(1)) == bench.now + .seconds(2))
        #expect(try bench.takeOutput().rawFrames() == [.ping])
    }

    @Test func theRoundTripIsMeasuredByThePongAlone() {
        var bench = ClientBench.open()
        _ = bench.tick(after: .seconds(3))
        bench.now = bench.now + .milliseconds(10)
        bench.receive(bytes { $0.writeSMQPublish(to: 1, from: 2, subtopic: 0, payload: text("x")) })
        #expect(bench.machine.roundTrip == nil)
        bench.now = bench.now + .milliseconds(20)
        bench.receive(bytes { $0.writeSMQ(.pong) })
        #expect(bench.machine.roundTrip == .milliseconds(30))
        // A pong that nobody asked for says nothing.
        bench.now = bench.now + .milliseconds(20)
        bench.receive(bytes { $0.writeSMQ(.pong) })
        #expect(bench.machine.roundTrip == .milliseconds(30))
    }

    /// Pongs have no number: they answer the pings in order, whoever sent those.
    @Test func pongsAreNumberedAsThePingsWere() throws {
        for pieces in splits(of: bytes { for _ in 0..<4 { $0.writeSMQ(.pong) } }) {
            var bench = ClientBench.open()
            #expect(bench.machine.ping() == 1)
            _ = bench.tick(after: .seconds(3))
            #expect(bench.machine.ping() == 3)
            #expect(try bench.takeOutput().rawFrames() == [.ping, .ping, .ping])
            bench.now = bench.now + .milliseconds(10)
            for piece in pieces { bench.receive(piece) }
            let numbers = bench.takeEvents().map { if case .pong(let number) = $0 { number } else { UInt64(0) } }
            // The fourth answers nothing.
            #expect(numbers == [1, 2, 3])
            #expect(bench.machine.roundTrip == .milliseconds(10))
        }
    }

    @Test func barriersNeitherReplaceNorDelayTheSignOfLife() throws {
        var bench = ClientBench.open()
        for _ in 0..<29 {
            _ = bench.machine.ping()
            _ = bench.tick(after: .milliseconds(100))
        }
        _ = bench.takeOutput()
        _ = bench.tick(after: .milliseconds(100))
        #expect(try bench.takeOutput().rawFrames() == [.ping])
        _ = bench.tick(after: .milliseconds(1999))
        #expect(bench.failure == nil)
        _ = bench.tick(after: .milliseconds(1))
        #expect(bench.failure?.code == .timedOut)
    }

    /// Of a broker that asks and does not read, answers would gather without end.
    @Test func aBrokerThatAsksAndDoesNotReadIsLeft() {
        var client = ClientBench.open()
        let pings = bytes { for _ in 0..<5_000 { $0.writeSMQ(.ping) } }
        for _ in 0..<20 {
            client.receive(pings)
            _ = client.machine.takeOutput()
        }
        #expect(client.failure == nil, "one that reads may ask as often as it likes")
        for _ in 0..<20 { client.receive(pings) }
        #expect(client.failure?.code == .limitExceeded)
        #expect(client.takeOutput().readableBytes < 14 * pings.readableBytes)
    }

    @Test func aBrokersPingIsAnswered() throws {
        var bench = ClientBench.open()
        bench.receive(bytes { $0.writeSMQ(.ping) })
        #expect(try bench.takeOutput().rawFrames() == [.pong])
    }

    @Test(arguments: [
        "00 02", "00 03 00", "00 03 0a", "00 06 08 00 00 00", "00 08 01 01 00 00 00 01", "00 03 04", "00 03 13",
    ])
    func malformedFrames(_ digits: String) {
        for pieces in splits(of: hex(digits)) {
            var bench = ClientBench.open()
            for piece in pieces { bench.receive(piece) }
            #expect(bench.failure?.code == .protocolViolation, "\(pieces.map(\.readableBytes))")
        }
    }
}

@Suite struct BackOffTests {
    @Test func growsToTheCapWithFullJitter() {
        var random = SeededRandom(seed: 1)
        var ceilings: [Duration] = []
        for attempt in 0..<12 {
            var longest = Duration.zero
            var shortest = Duration.seconds(100)
            for _ in 0..<200 {
                var backOff = BackOff()
                for _ in 0..<attempt { _ = backOff.next(using: &random) }
                let wait = backOff.next(using: &random)
                longest = max(longest, wait)
                shortest = min(shortest, wait)
            }
            #expect(shortest < longest / 4)
            ceilings.append(longest)
        }
        #expect(ceilings[0] <= .milliseconds(50) && ceilings[0] > .milliseconds(40))
        #expect(ceilings[11] <= .seconds(2) && ceilings[11] > .seconds(1))
        var backOff = BackOff()
        for _ in 0..<1000 { _ = backOff.next(using: &random) }
        backOff.reset()
        #expect(backOff.next(using: &random) <= .milliseconds(50))
    }
}
