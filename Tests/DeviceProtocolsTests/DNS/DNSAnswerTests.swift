import DeviceCore
import DeviceProtocols
import Testing

/// Builds DNS messages, right and wrong ones.
struct DNSMessageBuilder {
    var bytes: [UInt8]

    /// A response's header and its question.
    init(_ name: String, _ type: UInt16, answers: Int = 0, authorities: Int = 0, flags: UInt16 = 0x8180) {
        bytes = [0x12, 0x34]
        add(flags)
        for count in [1, answers, authorities, 0] { add(UInt16(count)) }
        bytes += Self.name(name)
        add(type)
        add(1)
    }

    mutating func add(_ value: UInt16) { bytes += [UInt8(value >> 8), UInt8(truncatingIfNeeded: value)] }

    /// A record; its owner is the question's name unless bytes are given.
    mutating func record(
        _ type: UInt16, ttl: UInt32, _ data: [UInt8], owner: [UInt8] = [0xC0, 0x0C], length: Int? = nil
    ) {
        bytes += owner
        add(type)
        add(1)
        add(UInt16(truncatingIfNeeded: ttl >> 16))
        add(UInt16(truncatingIfNeeded: ttl))
        add(UInt16(length ?? data.count))
        bytes += data
    }

    static func name(_ name: String) -> [UInt8] {
        name.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) } + [0]
    }
}

@Suite struct DNSAnswerTests {
    private func addresses(_ answer: DNSAnswer?) -> [String]? {
        answer.map { answer in
            answer.records.map { record in
                if case .address(let address) = record.value { "\(address) \(record.timeToLive)" } else { "?" }
            }
        }
    }

    @Test func addressesWithTheirTimes() {
        var message = DNSMessageBuilder("Broker.Example", 1, answers: 3)
        message.record(1, ttl: 60, [192, 0, 2, 1])
        message.record(1, ttl: 0xFFFF_FFFF, [192, 0, 2, 2])
        message.record(1, ttl: 5, [192, 0, 2, 3], owner: DNSMessageBuilder.name("other.example"))
        #expect(addresses(DNSAnswer(message: message.bytes)) == ["192.0.2.1 60", "192.0.2.2 0"])
        var six = DNSMessageBuilder("a", 28, answers: 1)
        six.record(28, ttl: 7, [0x20, 1, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 11) + [1])
        #expect(addresses(DNSAnswer(message: six.bytes)) == ["2001:db8::1 7"])
    }

    @Test func aliasesInAnyOrderWithTheShortestTime() {
        var message = DNSMessageBuilder("a.example", 1, answers: 3)
        message.record(1, ttl: 60, [192, 0, 2, 9], owner: DNSMessageBuilder.name("c.example"))
        message.record(5, ttl: 20, DNSMessageBuilder.name("c.example"), owner: DNSMessageBuilder.name("b.example"))
        message.record(5, ttl: 30, DNSMessageBuilder.name("b.example"))
        #expect(addresses(DNSAnswer(message: message.bytes)) == ["192.0.2.9 20"])
        var circle = DNSMessageBuilder("a.example", 1, answers: 2)
        circle.record(5, ttl: 30, DNSMessageBuilder.name("b.example"))
        circle.record(5, ttl: 30, DNSMessageBuilder.name("a.example"), owner: DNSMessageBuilder.name("b.example"))
        #expect(addresses(DNSAnswer(message: circle.bytes)) == [])
    }

    @Test func services() {
        var message = DNSMessageBuilder("_smq._tcp.example", 33, answers: 2)
        message.record(33, ttl: 9, [0, 1, 0, 20, 0x1F, 0x90] + DNSMessageBuilder.name("N1.Example"))
        message.record(33, ttl: 9, [0, 0, 0, 0, 0, 0, 0])
        let records = DNSAnswer(message: message.bytes)?.records
        #expect(
            records?.map(\.value) == [
                .service(target: "n1.example", port: 8080, priority: 1, weight: 20),
                .service(target: "", port: 0, priority: 0, weight: 0),
            ])
    }

    @Test func noneForSoLong() {
        var message = DNSMessageBuilder("a.example", 1, authorities: 1, flags: 0x8183)
        let numbers: [UInt8] = [UInt8](repeating: 0, count: 16) + [0, 0, 0, 17]
        message.record(
            6, ttl: 60, DNSMessageBuilder.name("ns.example") + DNSMessageBuilder.name("me.example") + numbers)
        #expect(DNSAnswer(message: message.bytes)?.negativeTimeToLive == 17)
    }

    @Test func whatIsMalformed() {
        func answer(_ build: (inout DNSMessageBuilder) -> Void, _ type: UInt16 = 1) -> DNSAnswer? {
            var message = DNSMessageBuilder("a.example", type, answers: 1)
            build(&message)
            return DNSAnswer(message: message.bytes)
        }
        #expect(answer { _ in } == nil, "a record is missing")
        #expect(answer { $0.record(1, ttl: 1, [1, 2, 3]) } == nil)
        #expect(answer { $0.record(1, ttl: 1, [1, 2, 3, 4, 5]) } == nil)
        #expect(answer { $0.record(1, ttl: 1, [1, 2, 3, 4], length: 400) } == nil)
        #expect(answer { $0.record(1, ttl: 1, [1, 2, 3, 4], owner: [0xC0, 0xFF]) } == nil, "points forward")
        #expect(answer { $0.record(1, ttl: 1, [1, 2, 3, 4], owner: [0x80, 1]) } == nil)
        #expect(answer { $0.record(1, ttl: 1, [1, 2, 3, 4], owner: [63, 1]) } == nil)
        #expect(answer { $0.record(5, ttl: 1, [0xC0, 0x0C], length: 1) } == nil)
        #expect(answer({ $0.record(33, ttl: 1, [0, 1, 0, 1, 0, 80, 1, 0x20, 0]) }, 33) == nil, "a blank in a name")
        #expect(
            answer({ $0.record(33, ttl: 1, [0, 1, 0, 1, 0, 80, 3, 0x61, 0x2E, 0x62, 0]) }, 33) == nil,
            "a dot in a label")
        // A pointer to itself, and two that point to each other.
        #expect(
            answer { message in message.record(1, ttl: 1, [1, 2, 3, 4], owner: [0xC0, UInt8(message.bytes.count)]) }
                == nil)
        let long =
            [UInt8](repeating: 0, count: 0) + (0..<5).flatMap { _ in [63] + [UInt8](repeating: 0x61, count: 63) } + [0]
        #expect(answer { $0.record(1, ttl: 1, [1, 2, 3, 4], owner: long) } == nil, "a name of 320 bytes")
        #expect(DNSAnswer(message: []) == nil)
        #expect(DNSAnswer(message: DNSMessageBuilder("a", 1, flags: 0x0100).bytes) == nil, "a question")
        #expect(DNSAnswer(message: DNSMessageBuilder("a", 99).bytes) == nil, "a type that nobody asks for")
    }

    @Test func recordsAreBounded() {
        var message = DNSMessageBuilder("a.example", 1, answers: 500)
        for index in 0..<500 { message.record(1, ttl: 1, [10, 0, UInt8(index >> 8), UInt8(index & 0xFF)]) }
        let answer = DNSAnswer(message: message.bytes)
        #expect(answer?.records.count == DNSAnswer.recordLimit)
        #expect(answer?.recordsLeftOut == 500 - DNSAnswer.recordLimit)
    }

    /// Every cut and a hundred thousand changes of a message with everything in it: nothing traps.
    @Test func survivesAnyBytes() {
        var message = DNSMessageBuilder("a.example", 33, answers: 3, authorities: 1)
        message.record(33, ttl: 9, [0, 1, 0, 20, 0x1F, 0x90] + [1, 0x62, 0xC0, 0x0E])
        message.record(5, ttl: 9, [1, 0x63, 0xC0, 0x0C])
        message.record(6, ttl: 60, [0xC0, 0x0C, 0xC0, 0x0C] + [UInt8](repeating: 1, count: 20))
        message.record(6, ttl: 60, [0xC0, 0x0C, 0xC0, 0x0C] + [UInt8](repeating: 1, count: 20))
        #expect(DNSAnswer(message: message.bytes)?.records.count == 1)
        for count in message.bytes.indices { _ = DNSAnswer(message: Array(message.bytes[..<count])) }
        var random = SeededRandom(seed: 1)
        for _ in 0..<100_000 {
            var bytes = message.bytes
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                bytes[Int.random(in: 2..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            _ = DNSAnswer(message: bytes)
        }
    }
}

@Suite struct HostsFileTests {
    private let file = Array(
        """
        127.0.0.1 localhost  # this one
        ::1\tlocalhost ip6-localhost
        # 10.0.0.9 broker
        10.0.0.1   Broker.example broker
        10.0.0.1   broker
        10.0.0.2 other broker.example\r
        300.1.1.1 broker
        10.0.0.3
        garbage broker
        fe80::1%eth0 broker
        """.utf8)

    @Test(arguments: [
        ("localhost", ["127.0.0.1", "::1"]), ("BROKER.example", ["10.0.0.1", "10.0.0.2"]),
        ("broker.example.", ["10.0.0.1", "10.0.0.2"]),
        ("broker", ["10.0.0.1", "fe80::1%eth0"]), ("roker", []), ("", []), (".", []), ("this", []),
    ])
    func names(_ name: String, _ addresses: [String]) {
        #expect(HostsFile.addresses(of: name, in: file).map(\.description) == addresses)
    }
}

@Suite struct DNSNameTests {
    @Test(arguments: [
        "a", "Broker.Example", "a.b.", "_smq._tcp.x", "xn--bcher-kva.example", String(repeating: "a", count: 63),
    ])
    func names(_ name: String) throws { #expect(try DNSName.checked(name) == name.lowercased()) }

    @Test(arguments: [
        "", ".", "a..b", ".a", "a b", "bücher.example", "a\u{0}", "a/b", String(repeating: "a", count: 64), "a\\.b",
        Array(repeating: "abcdefgh", count: 29).joined(separator: "."),
    ])
    func whatIsNoName(_ name: String) {
        do {
            _ = try DNSName.checked(name)
            #expect(Bool(false), "\(name)")
        } catch {
            #expect(error.code == .invalidArgument)
        }
    }
}
