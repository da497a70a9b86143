import DeviceProtocols
import NIOCore
import Testing

@Suite struct GWMPPushDataTests {
    static let eui = GatewayEUI(0xAA55_5A00_0000_0101)

    /// PUSH_DATA with a JSON.
    static func push(_ json: String) throws -> GWMPPushData {
        var buffer = ByteBuffer()
        buffer.writeGWMPHeader(GWMPHeader(token: 1, type: .pushData, gateway: eui))
        buffer.writeString(json)
        guard case .pushData(let data) = try GWMPDatagram(buffer).content else { throw GWMPError.missing("PUSH_DATA") }
        return data
    }

    /// The least that a frame has to have, and more members or other ones.
    static func rxpk(_ more: String = "", without: String = "") -> String {
        let members = [
            ("freq", "868.100000"), ("modu", "\"LORA\""), ("datr", "\"SF7BW125\""), ("size", "3"), ("data", "\"AQID\""),
        ]
        let least = members.filter { $0.0 != without }.map { "\"\($0.0)\":\($0.1)" }
        return "{\((least + (more.isEmpty ? [] : [more])).joined(separator: ","))}"
    }

    @Test func everyFieldOfAFrameIsReadAndWritten() throws {
        let json = """
            {"jver":1,"tmst":4294967295,"time":"2013-03-31T16:21:17.528002Z","tmms":1048695691528,"ftime":999999999,\
            "chan":9,"rfch":1,"freq":866.349812,"mid":8,"brd":2,"aesk":3,"stat":-1,"modu":"LORA","datr":"SF12BW500",\
            "codr":"4/6","hpw":52,"rssi":-35,"rssis":-36,"lsnr":5.1,"foff":-1234,"rsig":[{"ant":1,"chan":7,"rssic":-110,\
            "rssis":-111,"rssisd":2,"lsnr":-7.2,"etime":"AQIDBAUGBwgJCgsMDQ4PEA==","ftime":12,"foff":3,"ftstat":1,\
            "ftver":2,"ftdelta":-5}],"size":4,"data":"3q2+7w==","meta":{"name":"roof \\"A\\""}}
            """
        let data = try Self.push("{\"rxpk\":[\(json)]}")
        #expect(data.rejected.isEmpty)
        let frame = try #require(data.rxpk.first)
        #expect(frame.freq.hertz == 866_349_812)
        #expect(frame.time?.microseconds == 1_364_746_877_528_002)
        #expect(frame.modulation == .lora(LoRaDataRate(spreadingFactor: 12, bandwidth: 500)))
        #expect(frame.codr == .fourSixths)
        #expect(frame.stat == .bad)
        #expect(frame.tmst == .max)
        #expect(frame.payload == [0xDE, 0xAD, 0xBE, 0xEF])
        #expect(frame.rsig.first?.etime == Array(1...16))
        #expect(frame.rsig.first?.ftdelta == -5)
        #expect(frame.meta == ["name": "roof \"A\""])
        // All of it comes out again as it went in.
        #expect(frame.json == json)
    }

    @Test func framesOfFSKHaveANumberForTheDataRate() throws {
        let json =
            "{\"tmst\":3512348514,\"freq\":869.100000,\"stat\":1,\"modu\":\"FSK\",\"datr\":50000,\"rssi\":-75,"
            + "\"size\":4,\"data\":\"VEVTVA==\"}"
        let frame = try #require(try Self.push("{\"rxpk\":[\(json)]}").rxpk.first)
        #expect(frame.modulation == .fsk(bitRate: 50000))
        #expect(frame.payload == Array("TEST".utf8))
        #expect(frame.json == json)
    }

    @Test(arguments: ["865.062500", "1.000001", "4293.967295", "2400.000000", "868.100010"])
    func frequenciesKeepTheirSixDecimals(_ text: String) throws {
        let json =
            "{\"tmst\":0,\"freq\":\(text),\"modu\":\"LORA\",\"datr\":\"SF5BW812\",\"codr\":\"4/8\",\"foff\":-2147483648,"
            + "\"size\":2,\"data\":\"AP8=\"}"
        #expect(try Self.push("{\"rxpk\":[\(json)]}").rxpk.first?.json == json)
    }

    @Test func everyFieldOfAReportIsReadAndWritten() throws {
        let json = """
            {"time":"2014-01-12 08:59:28 GMT","lati":46.24,"long":-3.2523,"alti":-145,"rxnb":2,"rxok":1,"rxfw":3,\
            "ackr":66.6,"dwnb":4,"txnb":5,"temp":-2.5,"pfrm":"IMST","mail":"a@b.c","desc":"roof","meta":{"a":"b"}}
            """
        let data = try Self.push("{\"stat\":\(json)}")
        #expect(data.rejected.isEmpty)
        #expect(data.stat?.time?.microseconds == 1_389_517_168_000_000)
        #expect(data.stat?.json == json)
    }

    @Test func aBadFrameDoesNotLoseTheOthers() throws {
        let frames = [Self.rxpk(), Self.rxpk(without: "freq"), "7", Self.rxpk("\"tmst\":5"), Self.rxpk("\"rfch\":200")]
        let data = try Self.push("{\"rxpk\":[\(frames.joined(separator: ","))],\"stat\":{\"rxnb\":-1}}")
        #expect(data.rxpk.map(\.tmst) == [nil, 5])
        #expect(
            data.rejected == [
                .missing("rxpk.freq"), .wrongKind("rxpk", found: "a whole number"), .outOfRange("rxpk.rfch"),
                .outOfRange("stat.rxnb"),
            ])
        #expect(data.stat == nil)
    }

    @Test(arguments: ["freq", "modu", "datr", "size", "data"])
    func aFrameIsNothingWithoutTheseFields(_ field: String) throws {
        #expect(try Self.push("{\"rxpk\":[\(Self.rxpk(without: field))]}").rejected == [.missing("rxpk.\(field)")])
    }

    @Test(arguments: [
        ("freq", "0", GWMPError.outOfRange("rxpk.freq")), ("freq", "868100000", .outOfRange("rxpk.freq")),
        ("freq", "-868.1", .outOfRange("rxpk.freq")), ("freq", "1e308", .outOfRange("rxpk.freq")),
        ("freq", "NaN", .missing("rxpk.freq")), ("freq", "-nan", .missing("rxpk.freq")),
        ("freq", "\"868.1\"", .wrongKind("rxpk.freq", found: "a string")),
        ("modu", "\"OOK\"", .unknownValue("rxpk.modu", "OOK")),
        ("modu", "\"FSK\"", .wrongKind("rxpk.datr", found: "a string")),
        ("datr", "\"SF4BW125\"", .unknownValue("rxpk.datr", "SF4BW125")),
        ("datr", "\"SF7BW\"", .unknownValue("rxpk.datr", "SF7BW")),
        ("datr", "\"SF7BW125 \"", .unknownValue("rxpk.datr", "SF7BW125 ")),
        ("datr", "7", .wrongKind("rxpk.datr", found: "a whole number")),
        ("size", "4", .sizeMismatch("rxpk.size", claimed: 4, actual: 3)), ("size", "-1", .outOfRange("rxpk.size")),
        ("size", "256", .outOfRange("rxpk.size")), ("size", "2.5", .outOfRange("rxpk.size")),
        ("data", "\"AQI*\"", .badBase64("rxpk.data")), ("data", "\"A\"", .badBase64("rxpk.data")),
        ("data", "\"" + String(repeating: "A", count: 344) + "\"", .outOfRange("rxpk.data")),
    ])
    func wrongValuesAreNamed(_ field: String, _ value: String, _ expected: GWMPError) throws {
        let frame = Self.rxpk("\"\(field)\":\(value)", without: field)
        #expect(try Self.push("{\"rxpk\":[\(frame),\(Self.rxpk())]}").rejected == [expected])
    }

    @Test(arguments: [
        "\"tmst\":4294967296", "\"tmst\":-1", "\"chan\":256", "\"rfch\":200", "\"stat\":2", "\"codr\":\"4/9\"",
        "\"rssi\":\"loud\"", "\"lsnr\":1e9", "\"tmms\":-1", "\"ftime\":1000000000", "\"rsig\":{}", "\"rsig\":[1]",
        "\"time\":5", "\"meta\":[]", "\"tmst\":1e300", "\"foff\":0.5",
    ])
    func otherWrongFieldsAreErrorsToo(_ member: String) throws {
        let data = try Self.push("{\"rxpk\":[\(Self.rxpk(member)),\(Self.rxpk())]}")
        #expect(data.rejected.count == 1)
        #expect(data.rxpk.count == 1)
    }

    @Test(arguments: [
        "\"new\":{\"deep\":[1,[2,[3]]]}", "\"rssi\":-35.6", "\"time\":\"\"", "\"time\":\"yesterday\"", "\"lsnr\":null",
        "\"lsnr\":nan", "\"lsnr\":-inf", "\"note\":\"nan \\\" inf\"", "\"chan\":7.0",
    ])
    func oddFieldsCostNoFrame(_ member: String) throws {
        let data = try Self.push("{\"rxpk\":[\(Self.rxpk(member))]}")
        #expect(data.rejected.isEmpty)
        #expect(data.rxpk.count == 1)
    }

    @Test(arguments: [
        "", "[]", "7", "{", "{\"rxpk\":[}", "\u{0}", "{}x", "{\"a\":1,\"a\":2}", "{\"stat\":nan,}", "\"nan",
    ])
    func whatIsNoObjectIsAnError(_ json: String) {
        #expect(throws: GWMPError.self) { try Self.push(json) }
    }

    @Test func hugeAndDeepInputIsAnErrorAndEndsSoon() throws {
        #expect(throws: GWMPError.self) { try Self.push(String(repeating: "[", count: 65_000)) }
        #expect(throws: GWMPError.self) { try Self.push(String(repeating: "{\"a\":", count: 13_000)) }
        #expect(throws: GWMPError.self) { try Self.push("{\"" + String(repeating: "x", count: 70_000) + "\":1}") }
        let many = try Self.push("{\"rxpk\":[\(Array(repeating: "{}", count: 20_000).joined(separator: ","))]}")
        #expect(many.rejected.count == GWMPPushData.maximumRxpk + 1)
        #expect(many.rejected.last == .tooMany("rxpk", limit: GWMPPushData.maximumRxpk))
        let longest = String(repeating: "x", count: 60_000)
        let odd = try Self.push("{\"rxpk\":[\(Self.rxpk("\"modu\":\"\(longest)\"", without: "modu"))]}")
        #expect((odd.rejected.first?.description.utf8.count ?? 0) < 200)
    }

    @Test func whatAPeerWroteCannotSteerATerminal() throws {
        let odd = try Self.push("{\"rxpk\":[\(Self.rxpk("\"modu\":\"\\u001b[2J\\n\"", without: "modu"))]}")
        #expect(odd.rejected.first?.description == "rxpk.modu has the unknown value \"\\u001b[2J\\n\"")
    }
}
