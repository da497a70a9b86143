import DeviceCore
import DeviceProtocols
import NIOCore
import Testing

@Suite struct GWMPTxpkTests {
    /// A PULL_RESP's content.
    private func pull(_ json: String) throws -> GWMPTxpk {
        let buffer = ByteBuffer(string: "\u{2}\u{0}\u{0}\u{3}" + json)
        guard case .pullResp(let frame) = try GWMPDatagram(buffer).content else { throw GWMPError.missing("PULL_RESP") }
        return frame
    }

    private func answer(_ json: String) throws -> GWMPTxpkAck {
        let buffer = ByteBuffer(string: "\u{2}\u{0}\u{0}\u{5}" + "12345678" + json)
        guard case .txAck(let ack) = try GWMPDatagram(buffer).content else { throw GWMPError.missing("TX_ACK") }
        return ack
    }

    /// The examples of Semtech's PROTOCOL.TXT, section 6, and ChirpStack's form.
    @Test(arguments: [
        "{\"txpk\":{\"imme\":true,\"freq\":864.123456,\"rfch\":0,\"powe\":14,\"modu\":\"LORA\",\"datr\":\"SF11BW125\","
            + "\"codr\":\"4/6\",\"ipol\":false,\"size\":3,\"data\":\"AQID\"}}",
        "{\"txpk\":{\"tmst\":5000000,\"freq\":861.300000,\"rfch\":0,\"powe\":12,\"modu\":\"FSK\",\"datr\":50000,"
            + "\"fdev\":3000,\"ipol\":false,\"prea\":8,\"size\":3,\"data\":\"AQID\"}}",
        "{\"txpk\":{\"tmms\":1048695691528,\"freq\":869.525000,\"rfch\":0,\"powe\":27,\"modu\":\"LORA\",\"datr\":\"SF9BW125\","
            + "\"codr\":\"4/5\",\"ipol\":true,\"size\":3,\"data\":\"AQID\",\"ncrc\":true,\"nhdr\":true,\"brd\":0,\"ant\":1}}",
    ])
    func everyFieldOfAFrameToSendIsReadAndWritten(_ json: String) throws { #expect(try pull(json).json == json) }

    @Test func dataMayComeWithoutPaddingAndCodesInTheOldForm() throws {
        let frame = try pull(
            "{\"txpk\":{\"imme\":false,\"tmst\":4294967295,\"tmms\":7,\"freq\":868.1,\"rfch\":0,\"modu\":\"LORA\","
                + "\"datr\":\"SF7BW125\",\"codr\":\"2/3\",\"size\":4,\"data\":\"AQIDBA\"}}")
        #expect(frame.timing == .counter(.max))
        #expect(frame.codr == .fourSixths)
        #expect(frame.payload == [1, 2, 3, 4])
        #expect(frame.powe == nil)
    }

    @Test(arguments: [
        ("tmst", GWMPError.missing("txpk.tmst")), ("freq", .missing("txpk.freq")), ("rfch", .missing("txpk.rfch")),
        ("modu", .missing("txpk.modu")), ("datr", .missing("txpk.datr")), ("codr", .missing("txpk.codr")),
        ("size", .missing("txpk.size")), ("data", .missing("txpk.data")),
    ])
    func mandatoryFieldsAreMissed(_ field: String, _ expected: GWMPError) {
        #expect(throws: expected) { try pull(Self.frame(changing: field, to: nil)) }
    }

    @Test(arguments: [
        ("rfch", "200"), ("rfch", "-1"), ("tmst", "4294967296"), ("powe", "1000"), ("freq", "1e400"), ("prea", "70000"),
        ("fdev", "-1"), ("size", "300"), ("ipol", "1"), ("imme", "\"yes\""), ("codr", "\"5/4\""),
    ])
    func wrongFieldsAreErrors(_ field: String, _ value: String) {
        #expect(throws: GWMPError.self) { try pull(Self.frame(changing: field, to: value)) }
    }

    private static func frame(changing field: String, to value: String?) -> String {
        var members = [
            ("tmst", "1"), ("freq", "868.1"), ("rfch", "0"), ("modu", "\"LORA\""), ("datr", "\"SF7BW125\""),
            ("codr", "\"4/5\""), ("size", "3"), ("data", "\"AQID\""),
        ].filter { $0.0 != field }
        if let value { members.append((field, value)) }
        return "{\"txpk\":{\(members.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ","))}}"
    }

    @Test(arguments: [
        ("", GWMPTxpkAck()), ("\u{0}", GWMPTxpkAck()), ("{}", GWMPTxpkAck()),
        ("{\"txpk_ack\":{\"error\":\"NONE\"}}", GWMPTxpkAck()),
        ("{\"txpk_ack\":{\"error\":\"TOO_LATE\"}}", GWMPTxpkAck(error: .tooLate)),
        ("{\"txpk_ack\":{\"error\":\"TX_POWER\"}}\u{0}", GWMPTxpkAck(error: .txPower)),
        ("{\"txpk_ack\":{\"warn\":\"TX_POWER\",\"value\":20}}", GWMPTxpkAck(warn: .txPower, value: 20)),
        ("{\"txpk_ack\":{\"error\":\"DUTY_CYCLE_OVERFLOW\"}}", GWMPTxpkAck(error: .init("DUTY_CYCLE_OVERFLOW"))),
    ])
    func answersOfOldAndNewForwardersAreRead(_ json: String, _ expected: GWMPTxpkAck) throws {
        #expect(try answer(json) == expected)
        #expect(try answer(expected.json) == expected)
    }

    @Test(arguments: ["{\"txpk_ack\":5}", "{\"txpk_ack\":{\"error\":5}}", "[", "{\"txpk_ack\":{\"value\":\"x\"}}"])
    func otherAnswersAreErrors(_ json: String) { #expect(throws: GWMPError.self) { try answer(json) } }
}
