import DeviceProtocols
import NIOCore
import Testing

@Suite struct LoRaWANFrameTests {
    static func bytes(_ digits: String) -> [UInt8] { Array(datagram(digits).readableBytesView) }

    @Test func aPublishedDataFrame() throws {
        let bytes = Self.bytes("40F17DBE4900020001954378762B11FF0D")
        let frame = try LoRaWANFrame(bytes)
        guard case .data(let data) = frame else {
            Issue.record("\(frame)")
            return
        }
        #expect(data.type == .unconfirmedUp)
        #expect(data.devAddr == DevAddr("49be7df1"))
        #expect(data.control == [])
        #expect(data.fCnt == 2)
        #expect(data.options == [])
        #expect(data.port == 1)
        #expect(data.payload == [0x95, 0x43, 0x78, 0x76])
        #expect(data.mic == 0x0DFF_112B)
        #expect(frame.bytes == bytes)
        #expect(frame.isUplink == true)
    }

    @Test func aFrameWithAPortAndNoPayload() throws {
        guard case .data(let data) = try LoRaWANFrame(Self.bytes("40F17DBE49000300012A3518AF")) else {
            Issue.record("no data frame")
            return
        }
        #expect(data.port == 1)
        #expect(data.payload == [])
        #expect(data.fCnt == 3)
    }

    @Test func aFrameWithoutAPort() throws {
        guard case .data(let data) = try LoRaWANFrame(Self.bytes("60f17dbe4920020001f9d65d27")) else {
            Issue.record("no data frame")
            return
        }
        #expect(data.type == .unconfirmedDown)
        #expect(data.control == .ack)
        #expect(data.fCnt == 2)
        #expect(data.port == 1)
    }

    @Test func aPublishedJoinRequest() throws {
        let bytes = Self.bytes("00040302010403020105040302050403022d106a990e12")
        guard case .joinRequest(let request) = try LoRaWANFrame(bytes) else {
            Issue.record("no join-request")
            return
        }
        #expect(request.joinEUI == EUI64("0102030401020304"))
        #expect(request.devEUI == EUI64("0203040502030405"))
        #expect(request.devNonce == 4141)
        #expect(request.mic == 0x120E_996A)
        #expect(LoRaWANFrame.joinRequest(request).bytes == bytes)
    }

    /// Every header byte, every length: read, or refused with the right error; what was read is written the same.
    @Test func everyHeaderAndLength() throws {
        var random = SeededRandom(seed: 5)
        var read: Set<UInt8> = []
        for header in UInt8.min...UInt8.max {
            for length in 0...260 {
                var bytes = (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
                if length > 0 { bytes[0] = header }
                do throws(LoRaWANError) {
                    let frame = try LoRaWANFrame(bytes)
                    read.insert(header >> 5)
                    var expected = bytes
                    // RFU bits of MHDR are written as zero.
                    if header >> 5 != 7 { expected[0] &= 0xE0 }
                    #expect(frame.bytes == expected)
                } catch .truncated {
                    #expect(length < 12)
                } catch .wrongLength {
                    #expect(length > 255 || header >> 5 == 0 || header >> 5 == 1)
                } catch .unknownMajor(let major) {
                    #expect(major == header & 3 && header >> 5 != 7)
                } catch .optionsOverrun(let claimed, let available) {
                    #expect(claimed > available && (2...5).contains(header >> 5))
                }
            }
        }
        #expect(read == Set(0...7))
    }

    @Test func optionsRunOverTheEnd() {
        // 12 bytes with one byte of options that is not there.
        #expect(throws: LoRaWANError.optionsOverrun(claimed: 1, available: 0)) {
            try LoRaWANFrame(Self.bytes("40F17DBE4901020001020304"))
        }
    }

    @Test func proprietaryFramesMayBeShort() throws {
        #expect(try LoRaWANFrame([0xE3]) == .proprietary(mhdr: 0xE3, []))
        #expect(try LoRaWANFrame([0xE3]).isUplink == nil)
    }

    @Test func partsThatAreTooLongAreCut() {
        let data = LoRaWANData(
            .confirmedDown, devAddr: DevAddr(1), control: [.adr, .framePending], fCnt: 1,
            options: [UInt8](repeating: 7, count: 20), payload: [1, 2])
        // 15 bytes of options, and without a port no payload.
        #expect(data.bytes.count == 1 + 7 + 15 + 4)
        #expect(data.bytes[5] == 0x9F)
    }

    @Test func aCounterIsContinued() {
        func frame(_ low: UInt16) -> LoRaWANData { LoRaWANData(.unconfirmedUp, devAddr: DevAddr(1), fCnt: low) }
        #expect(frame(5).fullCounter(from: 5) == 5)
        #expect(frame(4).fullCounter(from: 5) == 0x1_0004)
        #expect(frame(0).fullCounter(from: 0x1_FFFF) == 0x2_0000)
        #expect(frame(0xFFFF).fullCounter(from: .max) == .max)
    }

    @Test func addressesAndKeysAsText() {
        #expect(DevAddr("49BE7DF1")?.description == "49be7df1")
        #expect(DevAddr("49BE7DF") == nil && DevAddr("49BE7DF1 ") == nil && DevAddr("+9BE7DF1") == nil)
        #expect(DevAddr(0xFE00_0000).networkID == 0x7F)
        let key = LoRaWANKey("000102030405060708090A0B0C0D0E0F")
        #expect(key?.bytes == Array(0...15))
        #expect(LoRaWANKey("00") == nil && LoRaWANKey([UInt8](repeating: 0, count: 17)) == nil)
        #expect("\(String(describing: key)) \(String(reflecting: key))".contains("0102") == false)
    }
}
