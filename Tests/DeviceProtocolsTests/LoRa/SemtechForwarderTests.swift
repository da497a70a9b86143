import DeviceProtocols
import Testing

/// What Semtech's lora_pkt_fwd 2.1.0 (sx1302_hal) sent, byte for byte, when its HAL was replaced by one that makes up
/// frames; the second has a signal to noise ratio that is not a number, which C prints as `nan`.
@Suite struct SemtechForwarderTests {
    private static let datagram = """
        {"rxpk":[{"jver":1,"tmst":104,"chan":3,"rfch":0,"freq":865.096845,"mid":12,"stat":0,"modu":"LORA",\
        "datr":"SF9BW125","codr":"4/6","rssis":-110,"lsnr":-8.2,"foff":-68,"rssi":-108,"size":72,\
        "data":"DCtKaYinxuUEI0JhgJ++3fwbOll4l7bV9BMyUXCPrs3sCypJaIemxeQDIkFgf5693PsaOVh3lrXU8xIxUG+OrczrCilIZ4al"},\
        {"jver":1,"tmst":134,"ftime":13000039,"chan":4,"rfch":1,"freq":865.271582,"mid":13,"stat":1,"modu":"LORA",\
        "datr":"SF10BW250","codr":"4/7","rssis":-109,"lsnr":nan,"foff":-57,"rssi":-107,"size":78,\
        "data":"DSxLaomox+YFJENigaC/3v0cO1p5mLfW9RQzUnGQr87tDCtKaYinxuUEI0JhgJ++3fwbOll4l7bV9BMyUXCPrs3sCypJaIemxeQD\
        IkFg"}]}
        """

    /// The payload that the HAL made up for a frame.
    private func payload(_ number: Int, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 * 31 + number) }
    }

    @Test func bothFramesAreRead() throws {
        let data = try GWMPPushDataTests.push(Self.datagram)
        #expect(data.rejected.isEmpty)
        #expect(data.rxpk.map(\.freq.hertz) == [865_096_845, 865_271_582])
        #expect(data.rxpk.map(\.payload) == [payload(12, 72), payload(13, 78)])
        #expect(data.rxpk.map(\.lsnr) == [-8.2, nil])
        #expect(data.rxpk.map(\.ftime) == [nil, 13_000_039])
        #expect(data.rxpk.map(\.stat) == [CRCStatus.none, .ok])
        #expect(data.rxpk.map(\.codr) == [.fourSixths, .fourSevenths])
        #expect(data.rxpk.map(\.foff) == [-68, -57])
    }

    @Test func itsReportIsRead() throws {
        let stat = try GWMPPushDataTests.push(
            """
            {"stat":{"time":"2026-11-21 09:54:46 GMT","rxnb":40,"rxok":29,"rxfw":40,"ackr":100.0,"dwnb":0,"txnb":0,\
            "temp":21.5}}
            """
        ).stat
        #expect(stat?.time?.statText == "2026-11-21 09:54:46 GMT")
        #expect(stat?.rxok == 29)
        #expect(stat?.temp == 21.5)
    }
}
