import DeviceProtocols
import Testing

@Suite struct RadioValueTests {
    /// A JSON number's `Double` gives the Hz back: all steps of 100 Hz in the bands in use, all of 1 Hz in parts.
    @Test(arguments: [
        (UInt32(433_000_000), UInt32(435_000_000)), (863_000_000, 870_000_000), (902_000_000, 928_000_000),
        (2_400_000_000, 2_403_000_000),
    ])
    func frequenciesKeepEachHertz(_ from: UInt32, _ to: UInt32) throws {
        let hertz =
            Array(stride(from: from, through: to, by: 100)) + Array(from...from + 20_000) + Array(to - 20_000...to)
        for value in hertz {
            let frequency = RadioFrequency(hertz: value)
            let megahertz = try #require(Double(frequency.megahertzText))
            if RadioFrequency(megahertz: megahertz) != frequency { Issue.record("\(value) Hz is lost") }
        }
    }

    @Test(arguments: [
        (868.1, UInt32(868_100_000)), (868.3, 868_300_000), (869.525, 869_525_000), (865.0625, 865_062_500),
        (864.123456, 864_123_456), (868.0999999, 868_100_000), (1, 1_000_000), (4294, 4_294_000_000),
    ])
    func megahertzAreRounded(_ megahertz: Double, _ hertz: UInt32) {
        #expect(RadioFrequency(megahertz: megahertz)?.hertz == hertz)
    }

    @Test(arguments: [
        Double.nan, .infinity, -.infinity, 0, -868.1, 0.999, 4294.1, 868_100_000, .greatestFiniteMagnitude,
    ])
    func otherFrequenciesAreNone(_ megahertz: Double) { #expect(RadioFrequency(megahertz: megahertz) == nil) }

    @Test func frequenciesAreWrittenForPeople() {
        #expect(RadioFrequency(hertz: 868_100_000).description == "868.1 MHz")
        #expect(RadioFrequency(hertz: 865_062_500).description == "865.0625 MHz")
        #expect(RadioFrequency(hertz: 868_000_000).description == "868.0 MHz")
        #expect(RadioFrequency(hertz: 868_000_001).megahertzText == "868.000001")
    }

    @Test(arguments: [
        ("SF7BW125", UInt8(7), UInt16(125)), ("SF12BW500", 12, 500), ("SF5BW250", 5, 250), ("SF8BW812", 8, 812),
    ])
    func dataRatesAreReadAndWritten(_ text: String, _ factor: UInt8, _ bandwidth: UInt16) {
        #expect(LoRaDataRate(text) == LoRaDataRate(spreadingFactor: factor, bandwidth: bandwidth))
        #expect(LoRaDataRate(text)?.description == text)
    }

    @Test(arguments: [
        "", "SF", "BW", "SFBW", "SF7BW0", "SF13BW125", "SF4BW125", "SF7BW99999", "SF7BW-1", "sf7bw125", "SF7B125",
        "SF７BW125", "SF7BW125BW125", "SF+7BW125",
    ])
    func otherDataRatesAreNone(_ text: String) { #expect(LoRaDataRate(text) == nil) }

    @Test func codingRatesHaveAnOldAndANewForm() {
        for rate in LoRaCodingRate.allCases { #expect(LoRaCodingRate(gwmp: rate.rawValue) == rate) }
        #expect(LoRaCodingRate(gwmp: "2/3") == .fourSixths)
        #expect(LoRaCodingRate(gwmp: "1/2") == .fourEighths)
        #expect(LoRaCodingRate(gwmp: "4/9") == nil)
    }

    @Test(arguments: [
        ("1970-01-01T00:00:00.000000Z", Int64(0)), ("2000-02-29T23:59:59.999999Z", 951_868_799_999_999),
        ("2013-03-31T16:21:17.528002Z", 1_364_746_877_528_002), ("2024-02-29T00:00:00.000001Z", 1_709_164_800_000_001),
        ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999),
    ])
    func timesAreReadAndWritten(_ text: String, _ microseconds: Int64) {
        #expect(UTCTime(text)?.microseconds == microseconds)
        #expect(UTCTime(microseconds: microseconds).description == text)
    }

    @Test func timesHaveManyForms() {
        let second = UTCTime("2014-01-12 08:59:28 GMT")
        #expect(second?.microseconds == 1_389_517_168_000_000)
        #expect(second?.statText == "2014-01-12 08:59:28 GMT")
        for text in [
            "2014-01-12T08:59:28Z", "2014-01-12T08:59:28", "2014-01-12T09:59:28+01:00",
            "2014-01-12T03:29:28.0000000009-05:30",
        ] {
            #expect(UTCTime(text) == second, "\(text)")
        }
        // A leap second is the next minute's first.
        #expect(UTCTime("2016-12-31T23:59:60Z") == UTCTime("2017-01-01T00:00:00Z"))
    }

    @Test(arguments: [
        "", "2014", "2014-13-01T00:00:00Z", "2014-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2014-01-12T24:00:00Z",
        "2014-01-12T08:59:28.Z", "2014-01-12T08:59:28ZZ", "2014-01-12 08:59:28 CET", "-014-01-12T08:59:28Z",
        "2014-00-12T08:59:28Z", "2014-01-00T08:59:28Z", "2014-01-12T08:59:28+99:00", "2014-01-12T08:59:61Z",
    ])
    func otherTimesAreNone(_ text: String) { #expect(UTCTime(text) == nil) }

    @Test func everyDayHasOneName() {
        var day = UTCTime(microseconds: 0)
        // 150 years, with the century that is no leap year.
        for _ in 0..<55_000 {
            if UTCTime(day.description) != day { Issue.record("\(day)") }
            day.microseconds += 86_400_000_000
        }
        #expect(day.description == "2120-08-02T00:00:00.000000Z")
        _ = UTCTime(microseconds: .max).description
        _ = UTCTime(microseconds: .min).statText
    }

    @Test func gatewaysHaveSixteenDigits() {
        #expect(GatewayEUI("AA555A0000000101")?.description == "aa555a0000000101")
        #expect(GatewayEUI(1).description == "0000000000000001")
        for text in ["", "1", "+a555a0000000101", "aa555a00000001011", "aa555a000000010g"] {
            #expect(GatewayEUI(text) == nil)
        }
    }
}
