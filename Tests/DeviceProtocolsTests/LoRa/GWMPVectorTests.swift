import DeviceProtocols
import NIOCore
import Testing

/// The datagrams in the tests of chirpstack-gateway-bridge 4238596 (MIT), which its authors wrote for another codec.
@Suite struct GWMPVectorTests {
    static let eui = GatewayEUI(0x0102_0304_0506_0708)
    static let reversed = GatewayEUI(0x0807_0605_0403_0201)
    static let whole: [(String, GWMPDatagram)] = [
        ("01020304", GWMPDatagram(version: 1, token: 0x0203, content: .pullAck)),
        ("02010304", GWMPDatagram(token: 0x0103, content: .pullAck)),
        ("02000004", GWMPDatagram(token: 0, content: .pullAck)),
        ("027b0004", GWMPDatagram(token: 0x7B00, content: .pullAck)),
        ("020000020000000000000000", GWMPDatagram(token: 0, gateway: GatewayEUI(0), content: .pullData)),
        ("027b00020102030405060708", GWMPDatagram(token: 0x7B00, gateway: eui, content: .pullData)),
        ("02000001", GWMPDatagram(token: 0, content: .pushAck)),
        ("027b0001", GWMPDatagram(token: 0x7B00, content: .pushAck)),
        (
            "0200000000000000000000007b7d",
            GWMPDatagram(token: 0, gateway: GatewayEUI(0), content: .pushData(GWMPPushData()))
        ),
        ("027b000001020304050607087b7d", GWMPDatagram(token: 0x7B00, gateway: eui, content: .pushData(GWMPPushData()))),
        ("020000050000000000000000", GWMPDatagram(token: 0, gateway: GatewayEUI(0), content: .txAck(GWMPTxpkAck()))),
        ("027b00050807060504030201", GWMPDatagram(token: 0x7B00, gateway: reversed, content: .txAck(GWMPTxpkAck()))),
        (
            "027b000500000000000000007b227478706b5f61636b223a7b226572726f72223a22434f4c4c4953494f4e5f424541434f4e227d7d",
            GWMPDatagram(
                token: 0x7B00, gateway: GatewayEUI(0), content: .txAck(GWMPTxpkAck(error: .collisionBeacon)))
        ),
    ]

    @Test(arguments: whole)
    func publishedDatagramsAreReadAndWrittenByteForByte(_ text: String, _ expected: GWMPDatagram) throws {
        #expect(try GWMPDatagram(datagram(text)) == expected)
        #expect(bytes { $0.writeGWMP(expected) } == datagram(text))
    }

    @Test func bytesThatFollowAnEmptyContentAreIgnored() throws {
        #expect(try GWMPDatagram(datagram("0102030405")).content == .pullAck)
        #expect(try GWMPDatagram(datagram("027b0005080706050403020100")).content == .txAck(GWMPTxpkAck()))
    }

    @Test(arguments: [
        ("020000037b7d", GWMPError.missing("PULL_RESP.txpk")), ("027b00037b7d", .missing("PULL_RESP.txpk")),
        // A TX_ACK without its EUI, which those tests use as four arbitrary bytes.
        ("02030405", .truncated(length: 4, needed: 12)),
    ])
    func publishedDatagramsWithoutContentAreErrors(_ text: String, _ expected: GWMPError) {
        #expect(throws: expected) { try GWMPDatagram(datagram(text)) }
    }

    @Test(arguments: whole)
    func everyShorterDatagramIsReadOrRefused(_ text: String, _ expected: GWMPDatagram) throws {
        let all = datagram(text)
        let head = expected.gateway == nil ? 4 : 12
        for length in 0..<head {
            #expect(throws: GWMPError.truncated(length: length, needed: length < 4 ? 4 : 12)) {
                try GWMPDatagram(all.piece(0..<length))
            }
        }
        // A cut JSON is none; what has no JSON is whole with its head.
        for length in head..<all.readableBytes {
            let isEmptyAck = expected.content.type == .txAck && length == head
            #expect((try? GWMPDatagram(all.piece(0..<length))) == nil || isEmptyAck)
        }
    }

    @Test func everyTypeAndVersionByteHasItsAnswer() {
        for byte in UInt8(6)...255 {
            #expect(throws: GWMPError.unknownType(byte)) {
                try GWMPDatagram(ByteBuffer(bytes: [2, 0, 0, byte] + [UInt8](repeating: 0, count: 8)))
            }
        }
        for version in (UInt8.min...UInt8.max) where version != 1 && version != 2 {
            #expect(throws: GWMPError.unknownVersion(version)) {
                try GWMPDatagram(ByteBuffer(bytes: [version, 0, 0, 1]))
            }
        }
    }

    @Test func anAcknowledgementRepeatsVersionAndToken() throws {
        for version in UInt8(1)...2 {
            for (type, answer) in [(GWMPType.pushData, GWMPType.pushAck), (.pullData, .pullAck)] {
                let header = GWMPHeader(version: version, token: 0xBEEF, type: type, gateway: Self.eui)
                #expect(header.acknowledgement == GWMPHeader(version: version, token: 0xBEEF, type: answer))
            }
        }
        for type in [GWMPType.pushAck, .pullAck, .pullResp, .txAck] {
            #expect(GWMPHeader(token: 1, type: type).acknowledgement == nil)
        }
    }
}

/// A datagram from hexadecimal digits without spaces.
func datagram(_ digits: String) -> ByteBuffer {
    let digits = Array(digits)
    return ByteBuffer(
        bytes: stride(from: 0, to: digits.count, by: 2).compactMap { UInt8(String(digits[$0..<$0 + 2]), radix: 16) })
}
