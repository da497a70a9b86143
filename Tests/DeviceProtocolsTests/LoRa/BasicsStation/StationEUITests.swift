import DeviceProtocols
import Testing

@Suite struct StationEUITests {
    /// From Basics Station's documentation and code.
    @Test(
        arguments: [
            (0, "::0"), (1, "::1"), (0x1_0000, "::1:0"), (0x000A_000B, "::a:b"), (0x0001_0000_0000_0000, "1::"),
            (0x0016_C001_0000_0000, "16:c001::"), (0x000F_0000_0000_0001, "f::1"),
            (0x0016_C001_FF10_A235, "16:c001:ff10:a235"),
            (0x000F_A123_00F8_0100, "f:a123:f8:100"), (0x0000_0001_0000_0000, "0:1::"),
            (0x0000_0001_0000_0002, "0:1:0:2"),
            (0x0001_0000_0002_0000, "1:0:2:0"), (.max, "ffff:ffff:ffff:ffff"),
        ] as [(UInt64, String)])
    func id6(_ number: UInt64, _ text: String) {
        #expect(EUI64(number).id6 == text)
        #expect(EUI64(station: text) == EUI64(number))
        #expect(EUI64(station: text.uppercased()) == EUI64(number))
    }

    @Test func everyForm() {
        let eui = EUI64(0x0016_C001_FF10_A235)
        #expect(eui.dashed == "00-16-C0-01-FF-10-A2-35")
        for text in [
            eui.dashed, eui.dashed.lowercased(), "00:16:c0:01:ff:10:a2:35", "0016C001FF10A235", "16:c001:ff10:a235",
        ] {
            #expect(EUI64(station: text) == eui, "\(text)")
        }
    }

    @Test(arguments: [
        "", ":", "::", ":::", "1", "1:2", "1:2:3", "1:2:3:4:5", "1::2::3", "1:::2", "::1:2:3:4", "12345::", "g::1",
        "+1::2", "-1::2", "00-16-C0-01-FF-10-A2", "00-16-C0-01-FF-10-A2-3", "00-16-C0-01-FF-10-A2-355", "1:2:3:",
        ":1:2:3",
        "0016C001FF10A23", "0016C001FF10A2355", "1::2:3:4", "------------------------", "0-0-0-0-0-0-0-0",
    ])
    func whatIsNone(_ text: String) {
        // Two colons alone stand for zero in some programs; here nothing is guessed, apart from that.
        #expect(EUI64(station: text) == (text == "::" ? EUI64(0) : nil))
    }

    @Test func everyNumberIsReadBack() {
        var random = SeededRandom(seed: 6)
        for _ in 0..<10_000 {
            var number = UInt64.random(in: .min ... .max, using: &random)
            // Whole groups of zeros are what the form is about.
            for group in 0..<4 where Bool.random(using: &random) { number &= ~(0xFFFF << UInt64(16 * group)) }
            #expect(EUI64(station: EUI64(number).id6) == EUI64(number))
            #expect(EUI64(station: EUI64(number).dashed) == EUI64(number))
        }
    }

    @Test func timesAreExact() throws {
        let time = LNSTime(unit: 1, session: 0xFE, count: 0xFFFF_FFFF_FFFF)
        #expect(time.rawValue == 0x01FE_FFFF_FFFF_FFFF)
        #expect(time.unit == 1 && time.session == 0xFE)
        #expect(time.count(session: 0xFE, now: 0xFFFF_FFFF_FFF0) == 0xFFFF_FFFF_FFFF)
        #expect(time.count(session: 0xFD, now: 0xFFFF_FFFF_FFF0) == nil)
        // The highest number that there is.
        #expect(LNSTime(unit: 0xFF, session: 0xFF, count: .max).rawValue == .max)
        // Bits above 48 are those nearest to now, before and after.
        let now: UInt64 = 5 << 48 | 10
        #expect(LNSTime(unit: 0, session: 1, count: now - 20).count(session: 1, now: now) == now - 20)
        #expect(LNSTime(unit: 0, session: 1, count: now + 20).count(session: 1, now: now) == now + 20)
        // Before the clock's beginning, zero, below zero: none.
        #expect(LNSTime(unit: 0, session: 1, count: 0xFFFF_FFFF_FFFF).count(session: 1, now: 5) == nil)
        #expect(LNSTime(rawValue: 0).count(session: 0, now: 5) == nil)
        #expect(LNSTime(rawValue: .min).count(session: 0, now: 5) == nil)
        #expect(LNSTime(rawValue: -1).count(session: 255, now: 5) == nil)
    }
}
