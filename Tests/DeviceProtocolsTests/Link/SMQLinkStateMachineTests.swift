import DeviceCore
@testable import DeviceProtocols
import DeviceTransport
import NIOCore
import Testing

@Suite struct SMQLinkStateMachineTests {
    private let start = MonotonicTime(nanoseconds: 1_000_000_000)

    private func machine(_ random: UInt32, password: String = "cluster password") -> SMQLinkStateMachine {
        SMQLinkStateMachine(
            .init(password: Array(password.utf8), crypto: OpenSSLCrypto()), random: random,
            channels: (smq: 500, node: 600), now: start)
    }

    /// Frames of a buffer: id and data.
    private func frames(_ buffer: ByteBuffer) throws -> [(UInt16, ByteBuffer)] {
        var rest = buffer
        var frames: [(UInt16, ByteBuffer)] = []
        while let length = rest.readInteger(as: UInt32.self), let id = rest.readInteger(as: UInt16.self) {
            frames.append((id, try #require(rest.readSlice(length: Int(length) - 6))))
        }
        return frames
    }

    /// Hands all frames over; gives events and answers.
    private func receive(
        _ machine: inout SMQLinkStateMachine, _ bytes: ByteBuffer, at time: MonotonicTime? = nil
    ) throws -> ([SMQLinkStateMachine.Event], ByteBuffer) {
        var output = ByteBuffer()
        var events: [SMQLinkStateMachine.Event] = []
        for (id, data) in try frames(bytes) {
            try machine.check(length: data.readableBytes + 6, id: id)
            events.append(try machine.receive(id: id, data, now: time ?? start, into: &output))
        }
        return (events, output)
    }

    private func opened() throws -> SMQLinkStateMachine {
        var one = machine(1)
        var other = machine(2)
        _ = try receive(&one, bytes { other.greet(into: &$0) })
        _ = try receive(&other, bytes { one.greet(into: &$0) })
        _ = try receive(&one, try proof(other))
        _ = try receive(&one, bytes { $0.writeSMQLinkOpen("SMQ-1", id: 700) })
        return one
    }

    private func proof(_ machine: SMQLinkStateMachine) throws -> ByteBuffer {
        var output = ByteBuffer()
        try machine.prove(into: &output)
        return output
    }

    @Test func handshakeOfTheRecordedLink() throws {
        var one = machine(0x4bb9_621a)
        #expect(bytes { one.greet(into: &$0) } == hex("00 00 00 12 00 00 00 15 a5 a5 4b b9 62 1a a5 a5 5a aa"))
        let (events, _) = try receive(&one, hex("00 00 00 12 00 00 00 15 a5 a5 60 24 2c 2b a5 a5 5a aa"))
        #expect(events == [.greeted])
        #expect(try proof(one).piece(0..<18) == hex("00 00 00 46 00 00 41 ee d5 b1 c6 37 65 5f 09 d5 9a bc"))
    }

    @Test func bothKnowThePassword() throws {
        var one = machine(0x8000_0001)
        var other = machine(2)
        #expect(one.weight == 1)
        #expect(try receive(&one, bytes { other.greet(into: &$0) }).0 == [.greeted])
        #expect(try receive(&other, bytes { one.greet(into: &$0) }).0 == [.greeted])
        #expect(try receive(&one, try proof(other)).0 == [.authenticated])
        #expect(try receive(&other, try proof(one)).0 == [.authenticated])
        #expect(one.phase == .open && other.phase == .open)
    }

    @Test func anotherPasswordIsRefused() throws {
        var one = machine(1)
        var other = machine(2, password: "cluster passwore")
        _ = try receive(&one, bytes { other.greet(into: &$0) })
        _ = try receive(&other, bytes { one.greet(into: &$0) })
        #expect(throws: SMQLinkError.wrongPassword) { try receive(&one, try proof(other)) }
    }

    @Test func ownProofPlayedBackIsRefused() throws {
        var one = machine(1)
        // The same weight: its own proof would be right.
        #expect(throws: SMQLinkError.badWeight) { try receive(&one, bytes { one.greet(into: &$0) }) }
    }

    @Test(arguments: [
        "00 00 00 12 00 00 00 15 a5 a5 00 00 00 01 a5 a5 5a ab",
        "00 00 00 12 00 00 00 15 a5 a4 00 00 00 01 a5 a5 5a aa",
    ])
    func greetingsOfOthersAreRefused(_ digits: String) {
        var one = machine(5)
        #expect(throws: SMQLinkError.badGreeting) { try receive(&one, hex(digits)) }
    }

    @Test func beforeTheProofOnlyTheHandshakesLengthsMayCome() throws {
        var one = machine(1)
        for (length, id) in [(0, 0), (17, 0), (19, 0), (70, 0), (18, 1), (70000, 0), (6, 5)] {
            #expect(throws: SMQLinkError.badLength(length, id: UInt16(id))) {
                try one.check(length: length, id: UInt16(id))
            }
        }
        _ = try receive(&one, bytes { $0.writeSMQLinkGreeting(weight: 9) })
        #expect(throws: SMQLinkError.self) { try one.check(length: 18, id: 0) }
        try one.check(length: 70, id: 0)
    }

    @Test func framesHaveALimit() throws {
        let one = try opened()
        try one.check(length: 6, id: 5)
        try one.check(length: SMQLinkFormat.maximumFrame, id: 500)
        for length in [0, 5, SMQLinkFormat.maximumFrame + 1, Int(UInt32.max)] {
            #expect(throws: SMQLinkError.self) { try one.check(length: length, id: 500) }
        }
    }

    @Test func checksAndPingsAreAnswered() throws {
        var one = try opened()
        #expect(try receive(&one, hex("00 00 00 06 00 03")).1 == hex("00 00 00 06 00 04"))
        #expect(try receive(&one, hex("00 00 00 06 00 05")).1 == hex("00 00 00 06 00 06"))
        // Nothing is said to these: the vendor's node ends a link on which a pong comes unasked.
        for digits in ["00 00 00 06 00 04", "00 00 00 06 00 06", "00 00 00 07 00 63 01", "00 00 00 07 ff ff 01"] {
            #expect(try receive(&one, hex(digits)).1.readableBytes == 0)
        }
    }

    @Test func channelsOpenAndClose() throws {
        var one = try opened()
        #expect(one.smq.peer == 700)
        #expect(try receive(&one, bytes { $0.writeSMQLinkOpen("SMQ-7", id: 800) }).0 == [.nothing])
        #expect(try receive(&one, bytes { $0.writeSMQLinkOpen("DeviceSDK-1", id: 801) }).0 == [.opened(.node)])
        #expect(try receive(&one, hex("00 00 00 0d 00 02 00 05 53 4d 51 2d 31")).0 == [.closed(.smq)])
        for id: UInt16 in [0, 99, 801] {
            #expect(throws: SMQLinkError.badChannel(id)) {
                try receive(&one, bytes { $0.writeSMQLinkOpen("SMQ-1", id: id) })
            }
        }
        #expect(throws: SMQLinkError.self) { try receive(&one, hex("00 00 00 07 00 01 00")) }
        #expect(throws: SMQLinkError.self) { try receive(&one, hex("00 00 00 09 00 02 00 05 53")) }
    }

    @Test func aSlowHandshakeEnds() {
        var one = machine(1)
        var output = ByteBuffer()
        for step in 1..<30 {
            #expect(one.tick(now: start + .milliseconds(100 * step), into: &output) == .fine)
        }
        #expect(one.tick(now: start + .milliseconds(3000), into: &output) == .tooSlow)
        #expect(output.readableBytes == 0)
    }

    @Test func silenceIsAskedAndThenEnds() throws {
        var one = try opened()
        var output = ByteBuffer()
        var pings: [Int] = []
        for milliseconds in stride(from: 50, to: 1500, by: 50) {
            let before = output.readableBytes
            #expect(one.tick(now: start + .milliseconds(milliseconds), into: &output) == .fine)
            if output.readableBytes > before { pings.append(milliseconds) }
        }
        #expect(pings == [500, 1000])
        #expect(one.tick(now: start + .milliseconds(1500), into: &output) == .dead)
    }

    @Test func whoHasSleptDoesNotBlameTheOtherEnd() throws {
        var one = try opened()
        var output = ByteBuffer()
        #expect(one.tick(now: start + .milliseconds(50), into: &output) == .fine)
        #expect(one.tick(now: start + .seconds(60), into: &output) == .fine)
        // But then it does.
        var end: Int?
        for milliseconds in stride(from: 50, through: 2000, by: 50) where end == nil {
            if one.tick(now: start + .seconds(60) + .milliseconds(milliseconds), into: &output) == .dead {
                end = milliseconds
            }
        }
        #expect(end == 1450)
    }

    @Test func theVendorsOldConnectionCheckIsWaitedFor() throws {
        var one = machine(1)
        var other = machine(2)
        _ = try receive(&one, bytes { other.greet(into: &$0) })
        _ = try receive(&other, bytes { one.greet(into: &$0) })
        _ = try receive(&one, try proof(other))
        var output = ByteBuffer()
        for milliseconds in stride(from: 100, to: 12000, by: 100) {
            #expect(one.tick(now: start + .milliseconds(milliseconds), into: &output) == .fine)
        }
        // Nobody may ask before: the vendor's node does not read meanwhile.
        #expect(output.readableBytes == 0)
        #expect(one.tick(now: start + .seconds(12), into: &output) == .tooSlow)
    }
}
