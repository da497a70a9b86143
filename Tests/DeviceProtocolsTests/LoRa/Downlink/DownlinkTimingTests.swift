import DeviceProtocols
import Testing

/// Class B and C, beacons, power, and what GWMP asks and is answered.
@Suite struct DownlinkTimingTests {
    private typealias Bench = DownlinkBench

    @Test func classCTakesTheFirstFreeTime() throws {
        var bench = Bench(Bench.settings())
        let airtime = TimeOnAir.microseconds(of: Bench.frame())
        let first = try #require(bench.request(.immediately, id: 1).acceptance)
        #expect(first.count == bench.now + 30_000)
        // After the first, and so on.
        let second = try #require(bench.request(.immediately, id: 2).acceptance)
        #expect(second.count == first.count + airtime + 20_000)
        // A gap that is too small is passed by; the next one is taken.
        let far = second.count + 2 * airtime + 39_999
        #expect(bench.request(.count(far), id: 3).acceptance != nil)
        let third = try #require(bench.request(.immediately, id: 4).acceptance)
        #expect(third.count == far + airtime + 20_000)
        // A gap that is just large enough.
        var other = Bench(Bench.settings())
        #expect(other.request(.count(other.now + 30_000 + airtime + 20_000)).acceptance != nil)
        #expect(other.request(.immediately).acceptance?.count == other.now + 30_000)
    }

    private func beaconBench() -> Bench {
        var settings = Bench.settings()
        settings.beacons = DownlinkSettings.BeaconTimes(airtime: 152_576)
        var bench = Bench(settings)
        // A beacon is due 10 s from now.
        bench.reference = RadioTimeReference(count: bench.now + 10_000_000, gpsTime: 128_000_000 * 1000)
        return bench
    }

    @Test func classBKeepsAwayFromBeacons() throws {
        let airtime = TimeOnAir.microseconds(of: Bench.frame())
        let beacon: UInt64 = 128_000_000 * 1000
        for (offset, refusal): (Int64, DownlinkRefusal?) in [
            (-3_000_000 - Int64(airtime), nil), (-3_000_000 - Int64(airtime) + 1, .collisionBeacon),
            (-1_000_000, .collisionBeacon), (0, .collisionBeacon), (2_119_999, .collisionBeacon), (2_120_000, nil),
        ] {
            var bench = beaconBench()
            let time = UInt64(Int64(beacon) + offset)
            #expect(bench.request(.gps(microseconds: time)).refusal == refusal, "\(offset)")
        }
    }

    @Test func classAKeepsAwayFromTheBeaconItself() throws {
        let airtime = Int64(TimeOnAir.microseconds(of: Bench.frame()))
        for (offset, refusal): (Int64, DownlinkRefusal?) in [
            (-20_000 - airtime, nil), (-20_000 - airtime + 1, .collisionBeacon), (0, .collisionBeacon),
            (152_576 + 19_999, .collisionBeacon), (152_576 + 20_000, nil), (1_000_000, nil),
        ] {
            var bench = beaconBench()
            let count = UInt64(Int64(bench.now) + 10_000_000 + offset)
            #expect(bench.request(.count(count)).refusal == refusal, "\(offset)")
        }
    }

    @Test func classCGoesAroundABeacon() throws {
        var bench = beaconBench()
        bench.now += 9_960_000
        let start = try #require(bench.request(.immediately).acceptance).count
        #expect(start == bench.now - 9_960_000 + 10_000_000 + 152_576 + 20_000)
        // Without GPS time nothing is known of beacons, and none is sent.
        var unlocked = beaconBench()
        unlocked.now += 9_960_000
        unlocked.reference = nil
        #expect(unlocked.request(.immediately).acceptance?.count == unlocked.now + 30_000)
    }

    @Test func aBeaconIsSentOnTime() throws {
        var bench = beaconBench()
        let layout = try #require(BeaconLayout(spreadingFactor: 9))
        let frame = Beacon(gpsSeconds: 128_000).frame(
            layout, frequency: Region.eu868.rx2Frequency,
            modulation: .lora(LoRaDataRate(spreadingFactor: 9, bandwidth: 125)))
        let due = bench.now + 10_000_000
        let acceptance = try #require(bench.request(.beacon(gpsMicroseconds: 128_000_000_000), id: 7, frame).acceptance)
        #expect(acceptance.count == due)
        #expect(acceptance.airtime == 152_576)
        // What collides with a beacon that waits is told so.
        bench.reference = nil
        #expect(bench.request(.count(due + 1000), id: 8).refusal == .collisionBeacon)
        bench.run(until: due + 1_000_000)
        #expect(bench.sent.map(\.id) == [7])
        #expect(bench.sent.first?.frame.invertsPolarity == false)
        #expect(bench.sent.first?.frame.isImplicitHeader == true)
    }

    @Test(
        arguments: [
            // Asked, antenna, allowed by the law there: radiated, at the socket, changed.
            (14, 0, 869_525_000, 14, 14, false), (27, 0, 869_525_000, 27, 27, false),
            (13, 0, 869_525_000, 12, 12, true),
            (30, 0, 869_525_000, 27, 27, true), (20, 0, 868_100_000, 16, 16, true), (16, 3, 868_100_000, 15, 12, true),
            (-20, 0, 869_525_000, 0, 0, true), (16, 2.15, 868_100_000, 15, 12, true),
            (17, 3, 869_525_000, 17, 14, false),
            (16, -2, 868_100_000, 14, 16, true), (127, 50, 869_525_000, 50, 0, true),
            (14, .nan, 868_100_000, 14, 14, false),
        ] as [(Int8, Double, UInt32, Int8, Int8, Bool)])
    func power(
        _ asked: Int8, _ antenna: Double, _ hertz: UInt32, _ radiated: Int8, _ socket: Int8, _ isChanged: Bool
    ) throws {
        var settings = Bench.settings()
        settings.plan = Bench.plan(gains: [0, 6, 12, 14, 16, 20, 27], antenna: antenna)
        var bench = Bench(settings)
        let outcome = bench.request(.immediately, eirp: asked, Bench.frame(hertz: hertz))
        let acceptance = try #require(outcome.acceptance)
        #expect(acceptance.eirp == radiated)
        #expect(acceptance.isPowerChanged == isChanged)
        #expect(
            outcome.txpkAck == (isChanged ? GWMPTxpkAck(warn: .txPower, value: Double(radiated)) : GWMPTxpkAck()))
        bench.run(until: bench.now + 1_000_000)
        #expect(bench.sent.first?.frame.power == socket)
        #expect(bench.queue.counters.powerChanged == (isChanged ? 1 : 0))
    }

    @Test func powerWithoutTableOrRequest() throws {
        var bench = Bench(Bench.settings())
        // The most that the law allows there.
        #expect(bench.request(.immediately).acceptance?.eirp == 29)
        #expect(bench.request(.immediately, Bench.frame(hertz: 868_100_000)).acceptance?.eirp == 16)
        var unknown = Bench(Bench.settings(nil))
        #expect(unknown.request(.immediately).acceptance?.eirp == 14)
        #expect(unknown.request(.immediately, eirp: 100).acceptance?.eirp == 100)
        var trusting = Bench.settings()
        trusting.trustsServer = true
        var trusted = Bench(trusting)
        #expect(trusted.request(.immediately, eirp: 27, Bench.frame(hertz: 868_100_000)).acceptance?.eirp == 27)
    }

    /// One TX_ACK for each PULL_RESP, whatever it holds.
    @Test(arguments: [
        (
            #"{"imme":true,"freq":869.525,"rfch":0,"powe":14,"modu":"LORA","datr":"SF9BW125","codr":"4/5","size":2,"data":"AAA="}"#,
            ""
        ),
        (
            #"{"tmst":11000000,"freq":869.525,"rfch":0,"modu":"LORA","datr":"SF9BW125","codr":"4/5","size":2,"data":"AAA="}"#,
            ""
        ),
        (
            #"{"tmst":9000000,"freq":869.525,"rfch":0,"modu":"LORA","datr":"SF9BW125","codr":"4/5","size":2,"data":"AAA="}"#,
            "TOO_LATE"
        ),
        (
            #"{"tmst":600000000,"freq":869.525,"rfch":0,"modu":"LORA","datr":"SF9BW125","codr":"4/5","size":2,"data":"AAA="}"#,
            "TOO_EARLY"
        ),
        (
            #"{"tmms":1,"freq":869.525,"rfch":0,"modu":"LORA","datr":"SF9BW125","codr":"4/5","size":2,"data":"AAA="}"#,
            "GPS_UNLOCKED"
        ),
        (
            #"{"tmms":9223372036854775807,"freq":869.525,"rfch":0,"modu":"LORA","datr":"SF9BW125","codr":"4/5","size":2,"data":"AAA="}"#,
            "GPS_UNLOCKED"
        ),
        (
            #"{"imme":true,"freq":869.525,"rfch":200,"modu":"LORA","datr":"SF9BW125","codr":"4/5","size":2,"data":"AAA="}"#,
            "TX_FREQ"
        ),
        (
            #"{"imme":true,"freq":869.525,"rfch":9,"modu":"LORA","datr":"SF9BW125","codr":"4/5","size":2,"data":"AAA="}"#,
            "TX_FREQ"
        ),
        (
            #"{"imme":true,"freq":2400,"rfch":0,"modu":"LORA","datr":"SF9BW125","codr":"4/5","size":2,"data":"AAA="}"#,
            "TX_FREQ"
        ),
        (
            #"{"imme":true,"freq":1e30,"rfch":0,"modu":"LORA","datr":"SF9BW125","codr":"4/5","size":2,"data":"AAA="}"#,
            "TX_FREQ"
        ),
        (
            #"{"imme":true,"freq":869.525,"rfch":0,"modu":"LORA","datr":"SF9BW125","codr":"4/5","size":3,"data":"AAA="}"#,
            "UNKNOWN"
        ),
        (
            #"{"imme":true,"freq":869.525,"rfch":0,"modu":"LORA","datr":"SF99BW125","codr":"4/5","size":2,"data":"AAA="}"#,
            "UNKNOWN"
        ),
        (#"{"imme":true,"freq":869.525,"rfch":0,"modu":"LORA","codr":"4/5","size":2,"data":"AAA="}"#, "UNKNOWN"),
        (#"{"freq":869.525,"rfch":0,"modu":"LORA","datr":"SF9BW125","codr":"4/5","size":2,"data":"AAA="}"#, "UNKNOWN"),
        (#"{"imme":true"#, "UNKNOWN"), ("[]", "UNKNOWN"), ("", "UNKNOWN"),
    ])
    func gwmp(_ txpk: String, _ error: String) {
        var bench = Bench(Bench.settings())
        bench.now = 10_000_000
        let ack: GWMPTxpkAck
        do throws(GWMPError) {
            guard case .pullResp(let frame) = try GWMPContent(.pullResp, text(#"{"txpk":\#(txpk)}"#)) else {
                Issue.record("no PULL_RESP")
                return
            }
            ack = bench.queue.enqueue(DownlinkRequest(frame, id: 1), now: bench.now).txpkAck
        } catch {
            ack = GWMPTxpkAck(refusing: error)
        }
        #expect(ack.error?.description ?? "" == error)
    }

    @Test func gwmpFieldsReachTheRadio() throws {
        var txpk = GWMPTxpk(
            timing: .gps(milliseconds: 5_000), freq: RadioFrequency(hertz: 868_100_000), rfch: 2, powe: 12,
            modulation: .fsk(bitRate: 50_000), ipol: false, payload: [1, 2, 3], ncrc: false, nhdr: true)
        txpk.fdev = 30_000
        let request = DownlinkRequest(txpk, id: 9)
        #expect(request.timing == .gps(microseconds: 5_000_000) && request.eirp == 12 && request.id == 9)
        #expect(request.frame.preamble == 5 && request.frame.hasCRC && request.frame.isImplicitHeader)
        #expect(request.frame.frequencyDeviation == 30_000 && !request.frame.invertsPolarity)
        #expect(request.frame.rfChain == 2 && request.frame.payload == [1, 2, 3])
        let lora = GWMPTxpk(
            timing: .counter(7), freq: txpk.freq, modulation: .lora(LoRaDataRate(spreadingFactor: 7, bandwidth: 125)),
            codr: .fourSixths, ipol: true, payload: [], ncrc: true)
        let second = DownlinkRequest(lora, id: 1)
        #expect(second.timing == .counter(7) && second.frame.preamble == 8 && !second.frame.hasCRC)
        #expect(second.frame.codingRate == .fourSixths && second.frame.invertsPolarity)
    }
}
