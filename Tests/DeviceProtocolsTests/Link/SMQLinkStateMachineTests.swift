import DeviceCore
@testable import DeviceProtocols
import DeviceTransport
import NIOCore
import Testing

@Suite struct SMQLinkStateMachineTests {
    private let start = MonotonicTime(nanoseconds: 1_000_000_000)

    /// One end of a link; a class, so that expectations can change it.
    private final class End {
        var machine: SMQLinkStateMachine
        var output = ByteBuffer()

        init(_ machine: SMQLinkStateMachine) { self.machine = machine }

        /// Hands all frames over; gives events and answers.
        func receive(_ bytes: ByteBuffer) throws -> (events: [SMQLinkStateMachine.Event], answers: ByteBuffer) {
            var rest = bytes
            var answers = ByteBuffer()
            var events: [SMQLinkStateMachine.Event] = []
            while let length = rest.readInteger(as: UInt32.self), let id = rest.readInteger(as: UInt16.self) {
                try machine.check(length: Int(length), id: id)
                guard let data = rest.readSlice(length: Int(length) - 6) else { throw Leftover(bytes: Int(length)) }
                events.append(
                    try machine.receive(id: id, data, now: MonotonicTime(nanoseconds: 1_000_000_000), into: &answers))
            }
            return (events, answers)
        }

        func tick(_ now: MonotonicTime) -> SMQLinkStateMachine.Verdict { machine.tick(now: now, into: &output) }

        func greeting() -> ByteBuffer { bytes { machine.greet(into: &$0) } }

        func proof() throws -> ByteBuffer {
            var proof = ByteBuffer()
            try machine.prove(into: &proof)
            return proof
        }
    }

    private func end(_ random: UInt32, password: String = "cluster password") -> End {
        End(
            SMQLinkStateMachine(
                .init(password: Array(password.utf8), crypto: OpenSSLCrypto()), random: random,
                channels: (smq: 500, node: 600), now: start))
    }

    private func opened() throws -> End {
        let one = end(1)
        let other = end(2)
        _ = try one.receive(other.greeting())
        _ = try other.receive(one.greeting())
        _ = try one.receive(try other.proof())
        _ = try one.receive(bytes { $0.writeSMQLinkOpen("SMQ-1", id: 700) })
        return one
    }

    @Test func handshakeOfTheRecordedLink() throws {
        let one = end(0x4bb9_621a)
        #expect(one.greeting() == hex("00 00 00 12 00 00 00 15 a5 a5 4b b9 62 1a a5 a5 5a aa"))
        let (events, _) = try one.receive(hex("00 00 00 12 00 00 00 15 a5 a5 60 24 2c 2b a5 a5 5a aa"))
        #expect(events == [.greeted])
        #expect(try one.proof().piece(0..<18) == hex("00 00 00 46 00 00 41 ee d5 b1 c6 37 65 5f 09 d5 9a bc"))
    }

    @Test func bothKnowThePassword() throws {
        let one = end(0x8000_0001)
        let other = end(2)
        #expect(one.machine.weight == 1)
        #expect(try one.receive(other.greeting()).events == [.greeted])
        #expect(try other.receive(one.greeting()).events == [.greeted])
        #expect(try one.receive(try other.proof()).events == [.authenticated])
        #expect(try other.receive(try one.proof()).events == [.authenticated])
        #expect(one.machine.phase == .open && other.machine.phase == .open)
    }

    @Test func anotherPasswordIsRefused() throws {
        let one = end(1)
        let other = end(2, password: "cluster passwore")
        _ = try one.receive(other.greeting())
        _ = try other.receive(one.greeting())
        #expect(throws: SMQLinkError.wrongPassword) { try one.receive(try other.proof()) }
    }

    @Test func ownProofPlayedBackIsRefused() throws {
        let one = end(1)
        // The same weight: its own proof would be right.
        #expect(throws: SMQLinkError.badWeight) { try one.receive(one.greeting()) }
    }

    @Test(arguments: [
        "00 00 00 12 00 00 00 15 a5 a5 00 00 00 01 a5 a5 5a ab",
        "00 00 00 12 00 00 00 15 a5 a4 00 00 00 01 a5 a5 5a aa",
    ])
    func greetingsOfOthersAreRefused(_ digits: String) {
        let one = end(5)
        #expect(throws: SMQLinkError.badGreeting) { try one.receive(hex(digits)) }
    }

    @Test func beforeTheProofOnlyTheHandshakesLengthsMayCome() throws {
        let one = end(1)
        for (length, id) in [(0, 0), (17, 0), (19, 0), (70, 0), (18, 1), (70000, 0), (6, 5)] {
            #expect(throws: SMQLinkError.badLength(length, id: UInt16(id))) {
                try one.machine.check(length: length, id: UInt16(id))
            }
        }
        _ = try one.receive(bytes { $0.writeSMQLinkGreeting(weight: 9) })
        #expect(throws: SMQLinkError.self) { try one.machine.check(length: 18, id: 0) }
        try one.machine.check(length: 70, id: 0)
    }

    @Test func framesHaveALimit() throws {
        let one = try opened()
        try one.machine.check(length: 6, id: 5)
        try one.machine.check(length: SMQLinkFormat.maximumFrame, id: 500)
        for length in [0, 5, SMQLinkFormat.maximumFrame + 1, Int(UInt32.max)] {
            #expect(throws: SMQLinkError.self) { try one.machine.check(length: length, id: 500) }
        }
    }

    @Test func checksAndPingsAreAnswered() throws {
        let one = try opened()
        #expect(try one.receive(hex("00 00 00 06 00 03")).answers == hex("00 00 00 06 00 04"))
        #expect(try one.receive(hex("00 00 00 06 00 05")).answers == hex("00 00 00 06 00 06"))
        // Nothing is said to these: the vendor's node ends a link on which a pong comes unasked.
        for digits in ["00 00 00 06 00 04", "00 00 00 06 00 06", "00 00 00 07 00 63 01", "00 00 00 07 ff ff 01"] {
            #expect(try one.receive(hex(digits)).answers.readableBytes == 0)
        }
    }

    @Test func channelsOpenAndClose() throws {
        let one = try opened()
        #expect(one.machine.smq.peer == 700)
        #expect(try one.receive(bytes { $0.writeSMQLinkOpen("SMQ-7", id: 800) }).events == [.nothing])
        #expect(try one.receive(bytes { $0.writeSMQLinkOpen("DeviceSDK-1", id: 801) }).events == [.opened(.node)])
        #expect(try one.receive(hex("00 00 00 0d 00 02 00 05 53 4d 51 2d 31")).events == [.closed(.smq)])
        for id: UInt16 in [0, 99, 801] {
            #expect(throws: SMQLinkError.badChannel(id)) {
                try one.receive(bytes { $0.writeSMQLinkOpen("SMQ-1", id: id) })
            }
        }
        #expect(throws: SMQLinkError.self) { try one.receive(hex("00 00 00 07 00 01 00")) }
        #expect(throws: SMQLinkError.self) { try one.receive(hex("00 00 00 09 00 02 00 05 53")) }
    }

    @Test func aSlowHandshakeEnds() {
        let one = end(1)
        for step in 1..<30 {
            #expect(one.tick(start + .milliseconds(100 * step)) == .fine)
        }
        #expect(one.tick(start + .milliseconds(3000)) == .tooSlow)
        #expect(one.output.readableBytes == 0)
    }

    @Test func silenceIsAskedAndThenEnds() throws {
        let one = try opened()
        var pings: [Int] = []
        for milliseconds in stride(from: 50, to: 1500, by: 50) {
            let before = one.output.readableBytes
            #expect(one.tick(start + .milliseconds(milliseconds)) == .fine)
            if one.output.readableBytes > before { pings.append(milliseconds) }
        }
        #expect(pings == [500, 1000])
        #expect(one.tick(start + .milliseconds(1500)) == .dead)
    }

    @Test func whoHasSleptDoesNotBlameTheOtherEnd() throws {
        let one = try opened()
        #expect(one.tick(start + .milliseconds(50)) == .fine)
        #expect(one.tick(start + .seconds(60)) == .fine)
        // But then it does.
        var end: Int?
        for milliseconds in stride(from: 50, through: 2000, by: 50) where end == nil {
            if one.tick(start + .seconds(60) + .milliseconds(milliseconds)) == .dead {
                end = milliseconds
            }
        }
        #expect(end == 1450)
    }

    @Test func theVendorsOldConnectionCheckIsWaitedFor() throws {
        let one = end(1)
        let other = end(2)
        _ = try one.receive(other.greeting())
        _ = try other.receive(one.greeting())
        _ = try one.receive(try other.proof())
        for milliseconds in stride(from: 100, to: 12000, by: 100) {
            #expect(one.tick(start + .milliseconds(milliseconds)) == .fine)
        }
        // Nobody may ask before: the vendor's node does not read meanwhile.
        #expect(one.output.readableBytes == 0)
        #expect(one.tick(start + .seconds(12)) == .tooSlow)
    }
}
