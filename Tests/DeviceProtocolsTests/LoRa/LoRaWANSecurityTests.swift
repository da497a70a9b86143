import DeviceCore
import DeviceProtocols
import DeviceTransport
import Testing

/// The vectors that others have published, with OpenSSL's AES.
@Suite struct LoRaWANSecurityTests {
    private let security = LoRaWANSecurity(OpenSSLCrypto())

    private static func bytes(_ digits: String) -> [UInt8] { LoRaWANFrameTests.bytes(digits) }
    private static func key(_ digits: String) throws -> LoRaWANKey { try #require(LoRaWANKey(digits)) }

    /// RFC 4493, section 4.
    @Test(arguments: [
        ("", "bb1d6929e95937287fa37d129b756746"),
        ("6bc1bee22e409f96e93d7e117393172a", "070a16b46b4d4144f79bdd9dd04a287c"),
        (
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411",
            "dfa66747de9ae63030ca32611497c827"
        ),
        (
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
                + "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
            "51f0bebf7e3b9d92fc49741779363cfe"
        ),
    ])
    func cmac(_ message: String, _ code: String) throws {
        let key = Self.bytes("2b7e151628aed2a6abf7158809cf4f3c")
        #expect(try OpenSSLCrypto().aesCMAC(key: key, Self.bytes(message)) == Self.bytes(code))
    }

    /// FIPS 197, appendix C.1.
    @Test func aes() throws {
        let key = Array(UInt8(0)...15)
        let plain = Self.bytes("00112233445566778899aabbccddeeff")
        let cipher = Self.bytes("69c4e0d86a7b0430d8cdb78070b4c55a")
        let crypto = OpenSSLCrypto()
        #expect(try crypto.aes128Encrypt(key: key, plain) == cipher)
        #expect(try crypto.aes128Decrypt(key: key, cipher) == plain)
        #expect(try crypto.aes128Encrypt(key: key, plain + plain) == cipher + cipher)
        #expect(try crypto.aes128Encrypt(key: key, []) == [])
    }

    @Test func wrongLengthsAreErrors() {
        let crypto = OpenSSLCrypto()
        for count in [0, 15, 17, 32] {
            let key = [UInt8](repeating: 1, count: count)
            #expect(throws: DeviceError.self) { try crypto.aes128Encrypt(key: key, []) }
            #expect(throws: DeviceError.self) { try crypto.aes128Decrypt(key: key, []) }
            #expect(throws: DeviceError.self) { try crypto.aesCMAC(key: key, []) }
        }
        #expect(throws: DeviceError.self) { try crypto.aes128Encrypt(key: Array(0...15), [1]) }
    }

    /// lora-packet's first example.
    @Test func dataFrame() throws {
        let keys = LoRaWANSessionKeys(
            network: try Self.key("44024241ed4ce9a68c6a8bc055233fd3"),
            application: try Self.key("ec925802ae430ca77fd3dd73cb2cc588"))
        let bytes = Self.bytes("40F17DBE4900020001954378762B11FF0D")
        guard case .data(let frame) = try LoRaWANFrame(bytes) else {
            Issue.record("no data frame")
            return
        }
        let opened = try #require(try security.open(frame, fCnt: 2, keys: keys))
        #expect(opened.payload == Array("test".utf8))
        #expect(try security.seal(opened, fCnt: 2, keys: keys).bytes == bytes)
        // Another counter, another address, another payload: not the same code.
        #expect(try security.open(frame, fCnt: 0x1_0002, keys: keys) == nil)
        var changed = frame
        changed.payload[0] ^= 1
        #expect(try security.open(changed, fCnt: 2, keys: keys) == nil)
        // The other two: an empty payload, and a downlink.
        for (text, fCnt) in [("40F17DBE49000300012A3518AF", UInt32(3)), ("60f17dbe4920020001f9d65d27", 2)] {
            guard case .data(let frame) = try LoRaWANFrame(Self.bytes(text)) else { continue }
            #expect(try security.open(frame, fCnt: fCnt, keys: keys) != nil, "\(text)")
        }
    }

    /// brocaar/lorawan.
    @Test func joinRequest() throws {
        let key = try #require(LoRaWANKey([UInt8](repeating: 1, count: 16)))
        guard
            case .joinRequest(let request) = try LoRaWANFrame(
                Self.bytes("00040302010403020105040302050403022d106a990e12"))
        else {
            Issue.record("no join-request")
            return
        }
        #expect(try security.mic(ofJoin: request, key: key) == request.mic)
    }

    /// brocaar/lorawan.
    @Test func joinAccept() throws {
        let key = try Self.key("00112233445566778899aabbccddeeff")
        let bytes = Self.bytes("20493eeb51fba2116f810edb3742975142")
        guard case .joinAccept(let enciphered) = try LoRaWANFrame(bytes) else {
            Issue.record("no join-accept")
            return
        }
        let clear = try OpenSSLCrypto().aes128Encrypt(key: key.bytes, enciphered)
        #expect([0x20] + clear == Self.bytes("20c70b5701112280190302000043485bbc"))
        let accept = try #require(try security.openJoinAccept(enciphered, key: key))
        #expect(accept.joinNonce == 5_704_647)
        #expect(accept.netID == 0x22_1101)
        #expect(accept.devAddr == DevAddr(0x0203_1980))
        #expect(accept.rx1DataRateOffset == 0 && accept.rx2DataRate == 0 && accept.rxDelay == 0)
        #expect(try security.joinAcceptFrame(accept, key: key) == bytes)
        // Another key, or a changed byte: no join-accept.
        #expect(try security.openJoinAccept(enciphered, key: try Self.key("00112233445566778899aabbccddeefe")) == nil)
        #expect(try security.openJoinAccept(Array(enciphered.dropLast()), key: key) == nil)
    }

    @Test func joinAcceptWithChannels() throws {
        let key = try Self.key("00112233445566778899aabbccddeeff")
        var accept = LoRaWANJoinAccept(
            joinNonce: 0xABCDEF, netID: 0x13, devAddr: DevAddr(0x2601_1234), rx1DataRateOffset: 3, rx2DataRate: 9,
            rxDelay: 5)
        accept.channels = [867_100_000, 867_300_000, 867_500_000, 867_700_000, 867_900_000].map {
            RadioFrequency(hertz: $0)
        }
        // 867.1 MHz is 8671000 hundreds of Hz, 0x844F18.
        #expect(accept.cfList.prefix(3) == [0x18, 0x4F, 0x84])
        let frame = try security.joinAcceptFrame(accept, key: key)
        #expect(frame.count == 33)
        #expect(try security.openJoinAccept(Array(frame.dropFirst()), key: key) == accept)
        accept.cfList[15] = 1
        #expect(accept.channels == [])
    }

    /// lora-packet; the numbers are written highest byte first there.
    @Test func sessionKeys() throws {
        let keys = try security.sessionKeys(
            key: try Self.key("98929b92c49edba9676d646d3b612456"), joinNonce: 0x37_6338, netID: 0xAA_BBCC,
            devNonce: 0xF18E)
        #expect(keys.network == (try Self.key("4e3d6e6afbcc67af2ba3c8e8ec4acf4b")))
        #expect(keys.application == (try Self.key("610897aa6f1460623443b527d3ac6a9d")))
    }

    @Test func longPayloadsUseOneBlockAfterTheOther() throws {
        let key = try Self.key("00112233445566778899aabbccddeeff")
        let payload = (0..<242).map { UInt8($0) }
        let enciphered = try security.cipher(payload, direction: .down, devAddr: DevAddr(7), fCnt: 9, key: key)
        #expect(enciphered != payload && Set(zip(payload, enciphered).map { $0 ^ $1 }).count > 100)
        #expect(try security.cipher(enciphered, direction: .down, devAddr: DevAddr(7), fCnt: 9, key: key) == payload)
        #expect(try security.cipher([], direction: .up, devAddr: DevAddr(7), fCnt: 9, key: key) == [])
        #expect(throws: DeviceError.self) {
            try security.cipher(
                [UInt8](repeating: 0, count: 256), direction: .up, devAddr: DevAddr(7), fCnt: 0, key: key)
        }
    }
}
