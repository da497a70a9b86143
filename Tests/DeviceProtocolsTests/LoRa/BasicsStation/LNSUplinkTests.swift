import DeviceCore
import DeviceProtocols
import Testing

@Suite struct LNSUplinkTests {
    private static let info = LNSUplink.Info(
        rctx: 0, xtime: LNSTime(rawValue: 0x02AB_1234_5678_9ABD), gpstime: 1_300_000_000_123_456, fts: -1, rssi: -35,
        snr: 5.25, rxtime: 1_700_000_000.125)

    private func uplink(_ frame: LoRaWANFrame) -> LNSUplink {
        LNSUplink(
            frame: frame, dataRate: 5, frequency: RadioFrequency(hertz: 868_100_000), refTime: 1_700_000_000.5,
            info: Self.info)
    }

    /// The fields in the order and form of Basics Station's `s2e_parse_lora_frame` and `s2e_flushRxjobs`.
    @Test func dataFrame() throws {
        let frame = try LoRaWANFrame(LoRaWANFrameTests.bytes("40F17DBEC98202000102954378762B11FF0D"))
        let text = #"""
            {"msgtype":"updf","MHdr":64,"DevAddr":-910262799,"FCtrl":130,"FCnt":2,"FOpts":"0102","FPort":149,\#
            "FRMPayload":"437876","MIC":234819883,"RefTime":1700000000.5,"DR":5,"Freq":868100000,"upinfo":{"rctx":0,\#
            "xtime":192267425091721917,"gpstime":1300000000123456,"fts":-1,"rssi":-35.0,"snr":5.25,\#
            "rxtime":1700000000.125}}
            """#
        let json = try #require(uplink(frame).json())
        #expect(json == text)
        #expect(try LNSUpMessage(json.utf8) == .uplink(uplink(frame)))
    }

    /// chirpstack-gateway-bridge's `uplink_data_frame_test.go`: the frame that its fields stand for.
    @Test(arguments: [
        (-1, "", "40f6ffffff80900100010203ecffffff"), (1, "", "40f6ffffff8090010102"), (1, "04030201", ""),
    ])
    func negativeNumbers(_ port: Int, _ payload: String, _: String) throws {
        let text = #"""
            {"msgtype":"updf","MHdr":64,"DevAddr":-10,"FCtrl":128,"FCnt":400,"FOpts":"","FPort":\#(port),\#
            "FRMPayload":"\#(payload)","MIC":-20,"RefTime":0,"DR":5,"Freq":868100000,"upinfo":{"rctx":1,"xtime":2,\#
            "rssi":120,"snr":5.5}}
            """#
        guard case .uplink(let uplink) = try LNSUpMessage(text.utf8) else {
            Issue.record("no uplink")
            return
        }
        let expected = "40f6ffffff809001" + (port < 0 ? "" : "01" + payload) + "ecffffff"
        #expect(uplink.frame.bytes == LoRaWANFrameTests.bytes(expected))
        #expect(uplink.info.rctx == 1 && uplink.info.xtime.rawValue == 2 && uplink.info.snr == 5.5)
        #expect(uplink.json()?.contains(#""DevAddr":-10,"#) == true)
        #expect(uplink.json()?.contains(#""MIC":-20,"#) == true)
    }

    @Test func aFrameWithoutAPort() throws {
        let frame = LoRaWANFrame.data(LoRaWANData(.confirmedUp, devAddr: DevAddr(0xFFFF_FFF6), fCnt: 7, mic: 1))
        let json = try #require(uplink(frame).json())
        #expect(json.contains(#""FPort":-1,"FRMPayload":"","#))
        #expect(try LNSUpMessage(json.utf8) == .uplink(uplink(frame)))
    }

    @Test func joinRequest() throws {
        let frame = try LoRaWANFrame(LoRaWANFrameTests.bytes("00040302010403020105040302050403022d106a990e12"))
        let json = try #require(uplink(frame).json())
        #expect(
            json.hasPrefix(
                #"{"msgtype":"jreq","MHdr":0,"JoinEui":"01-02-03-04-01-02-03-04","DevEui":"02-03-04-05-02-03-04-05","#
                    + #""DevNonce":4141,"MIC":302946666,"RefTime":"#))
        #expect(try LNSUpMessage(json.utf8) == .uplink(uplink(frame)))
        let capital = try #require(uplink(frame).json(capitalEUI: true))
        #expect(capital.contains(#""JoinEUI":"01-02"#) && capital.contains(#""DevEUI":"02-03"#))
        #expect(try LNSUpMessage(capital.utf8) == .uplink(uplink(frame)))
    }

    @Test func otherFrames() throws {
        let own = LoRaWANFrame.proprietary(mhdr: 0xE1, [1, 2, 3])
        let json = try #require(uplink(own).json())
        #expect(json.hasPrefix(#"{"msgtype":"propdf","FRMPayload":"E1010203","#))
        #expect(try LNSUpMessage(json.utf8) == .uplink(uplink(own)))
        let rejoin = LoRaWANFrame.rejoinRequest([UInt8](repeating: 3, count: 22))
        let text = try #require(uplink(rejoin).json())
        #expect(text.hasPrefix(#"{"msgtype":"rejoin","MHdr":192,"#))
        #expect(try LNSUpMessage(text.utf8) == .uplink(uplink(rejoin)))
        // What the protocol does not carry.
        #expect(uplink(.rejoinRequest([UInt8](repeating: 3, count: 18))).json() == nil)
        #expect(uplink(.joinAccept(enciphered: [UInt8](repeating: 3, count: 16))).json() == nil)
        #expect(uplink(.data(LoRaWANData(.unconfirmedDown, devAddr: DevAddr(1), fCnt: 0))).json() == nil)
    }

    @Test func otherMessages() throws {
        let version = LNSVersion(station: "0.1", firmware: "1", package: "2", model: "pi", features: "gps")
        let transmitted = LNSTransmitted(
            diid: .max, dataRate: 0, frequency: RadioFrequency(hertz: 869_525_000), devEUI: EUI64(1), rctx: -1,
            xtime: LNSTime(rawValue: .max), txtime: 12.5, gpstime: 7)
        for message in [
            LNSUpMessage.version(version), .transmitted(transmitted), .timeSync(txtime: 9_223_372_036_854_775_807),
            .xtimes([LNSTime(rawValue: 9_007_199_254_740_993)], muxTime: 1.5, ustime: 2.5, utcTime: 3.5),
            .noRemoteShells,
        ] {
            let json = try #require(message.json())
            #expect(try LNSUpMessage(json.utf8) == message, "\(json)")
        }
        #expect(
            LNSUpMessage.version(version).json()
                == #"{"msgtype":"version","station":"0.1","firmware":"1","package":"2","model":"pi","protocol":2,"features":"gps"}"#
        )
        #expect(
            LNSUpMessage.transmitted(transmitted).json()?.contains(
                #""seqno":9223372036854775807,"diid":9223372036854775807,"#) == true)
        #expect(LNSUpMessage.noRemoteShells.json() == #"{"msgtype":"rmtsh","rmtsh":[]}"#)
    }

    @Test(arguments: [
        ("", "bad-json"), ("[]", "bad-json"), ("nan", "bad-json"), ("{}", "unknown-message"),
        (#"{"msgtype":"foo"}"#, "unknown-message"), (#"{"msgtype":7}"#, "unknown-message"),
        (#"{"msgtype":"updf"}"#, "missing-field"), (#"{"msgtype":"updf","MHdr":"x"}"#, "wrong-kind"),
        (#"{"msgtype":"updf","MHdr":96}"#, "out-of-range"), (#"{"msgtype":"updf","MHdr":1e300}"#, "out-of-range"),
        (#"{"msgtype":"version"}"#, "missing-field"), (#"{"msgtype":"timesync","txtime":0.5}"#, "out-of-range"),
        (#"{"msgtype":"propdf","FRMPayload":"40"}"#, "out-of-range"),
        (#"{"msgtype":"propdf","FRMPayload":"E"}"#, "unknown-value"),
        (#"{"msgtype":"jreq","JoinEui":"x"}"#, "unknown-value"),
    ])
    func hostileMessages(_ text: String, _ kind: String) {
        do throws(LNSError) {
            _ = try LNSUpMessage(text.utf8)
            Issue.record("read: \(text)")
        } catch {
            #expect(error.kind == kind && !error.description.isEmpty, "\(text): \(error)")
        }
    }
}
