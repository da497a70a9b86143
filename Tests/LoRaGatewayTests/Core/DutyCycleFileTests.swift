import DeviceCore
import DeviceProtocols
import Glibc
import TestSupport
import Testing

@testable import LoRaGateway

/// The duty cycle's hour goes on when the program is restarted.
@Suite(.timeLimit(.minutes(5))) struct DutyCycleFileTests {
    private static let year2026: Int64 = 1_767_225_600_000_000
    private static func moment(_ seconds: Int64, boot: String = "a", utc: Int64 = year2026) -> HostMoment {
        HostMoment(utc: utc + seconds * 1_000_000, uptime: 500_000_000 + seconds * 1_000_000, boot: boot)
    }
    private static let record = DutyCycle.Record(
        lowest: RadioFrequency(hertz: 868_000_000), end: RadioFrequency(hertz: 868_600_000), minutesAgo: 5,
        airtime: 1_155_072)

    @Test(
        arguments: [
            // The same start of the machine: its own clock counts, whatever the host's clock does.
            (moment(0), moment(600), Int64(15)), (moment(0), moment(600, utc: 0), 15), (moment(0), moment(599), 14),
            (moment(600), moment(0), 5),
            // Another start: the host's clock, and at least the time since that start.
            (moment(0), HostMoment(utc: year2026 + 600_000_000, uptime: 60_000_000, boot: "b"), 15),
            (moment(0), HostMoment(utc: year2026 + 120_000_000, uptime: 600_000_000, boot: "b"), 15),
            (moment(0), HostMoment(utc: year2026 - 86_400_000_000, uptime: 30_000_000, boot: "b"), 5),
            // A clock that is not set, or was not.
            (moment(0), HostMoment(utc: 0, uptime: 600_000_000, boot: "b"), 15),
            (moment(0, utc: 0), HostMoment(utc: year2026, uptime: 600_000_000, boot: "b"), 15),
        ] as [(HostMoment, HostMoment, Int64)]) func ages(_ written: HostMoment, _ read: HostMoment, _ minutes: Int64)
        throws
    {
        let text = DutyCycleFile.encode([Self.record], region: "EU868", at: written)
        let records = try DutyCycleFile.decode(Array(text.utf8), region: "EU868", now: read)
        #expect(records.map(\.minutesAgo) == [minutes])
        #expect(records.first?.airtime == 1_155_072 && records.first?.lowest == Self.record.lowest)
    }

    @Test(arguments: [
        ("", ""), ("[]", "no version"), ("{}", "no version"), ("{\"version\":2}", "no version"),
        (file(region: "US915"), "another region"), (file(sent: "[[1,2,3]]"), "a record in it cannot be"),
        (file(sent: "[[868000000,868600000,62,5]]"), "a record in it cannot be"),
        (file(sent: "[[868000000,868600000,-11,5]]"), "a record in it cannot be"),
        (file(sent: "[[868000000,868600000,1,-5]]"), "a record in it cannot be"),
        (file(sent: "[[868000000,868600000,1,3600000001]]"), "a record in it cannot be"),
        (file(sent: "[[-1,868600000,1,5]]"), "a record in it cannot be"),
        (file(sent: "[[868000000,1e300,1,5]]"), "a record in it cannot be"),
        (file(sent: "7"), "a part of it is missing"),
        (file(sent: "[" + String(repeating: "[1,1,1,1],", count: 4096) + "[1,1,1,1]]"), "a part of it is missing"),
        (String(repeating: "[", count: 100_000), "nest"), (String(repeating: " ", count: 300_000), "too large"),
    ]) func whatIsNoSuchFileIsSaid(_ text: String, _ words: String) {
        let error = #expect(throws: DeviceError.self) {
            try DutyCycleFile.decode(Array(text.utf8), region: "EU868", now: Self.moment(0))
        }
        #expect(error?.message.contains(words) == true, "\(String(describing: error))")
    }

    private static func file(region: String = "EU868", sent: String = "[]") -> String {
        "{\"version\":1,\"region\":\"\(region)\",\"utc\":0,\"uptime\":0,\"boot\":\"\",\"sent\":\(sent)}"
    }

    @Test func clocksFromOutsideDoNotTrap() throws {
        for utc in [Int64.min, 0, .max] {
            for uptime in [Int64.min, 0, .max] {
                for boot in ["a", ""] {
                    let written = HostMoment(utc: utc, uptime: uptime, boot: boot)
                    let text = DutyCycleFile.encode([Self.record], region: "EU868", at: written)
                    for now in [Self.moment(0), HostMoment(utc: .max, uptime: .max, boot: "a")] {
                        let records = try DutyCycleFile.decode(Array(text.utf8), region: "EU868", now: now)
                        #expect(records.allSatisfy { $0.minutesAgo >= 5 })
                    }
                }
            }
        }
    }

    /// SF12, 50 bytes: 2.3 s in a band that has 36 s an hour.
    private static func txpk() -> String {
        let data = Base64.encode([UInt8](repeating: 0x60, count: 50))
        return #"{"txpk":{"imme":true,"freq":868.1,"rfch":0,"powe":14,"modu":"LORA","datr":"SF12BW125","codr":"4/5","#
            + #""ipol":true,"size":50,"data":"\#(data)","ncrc":true}}"#
    }

    private func uplink(_ server: FakeGWMPServer) -> UplinkConfiguration {
        UplinkConfiguration(
            name: "ns", kind: .gwmp(GWMPServer(host: server.host, portUp: server.port, portDown: server.port)))
    }

    @Test func aRestartedGatewayHasNoNewHour() async throws {
        let directory = try TemporaryDirectory()
        let server = try await FakeGWMPServer.start()
        let isRefused = { @Sendable in server.acks.contains { $0.json.contains("DUTY_CYCLE_OVERFLOW") } }
        try await GatewayRig.run([uplink(server)], state: directory.path, enforcesAirtime: true) { rig in
            try await rig.waitUntilUp("ns")
            // Planned one behind the other: what is planned counts as well.
            for number in 0..<40 where !isRefused() {
                server.send(Self.txpk(), token: [0, UInt8(number)])
                try await eventually("answer \(number)") { server.acks.count == number + 1 }
            }
            #expect(isRefused())
            // A server's beacons, or other settings, are no reason to forget.
            let waiting = try await rig.get { $0.desk.count }
            try await rig.get { core in
                var settings = core.desk.queue.settings
                settings.beacons = DownlinkSettings.BeaconTimes(airtime: 152_576)
                core.use(settings)
            }
            #expect(try await rig.get { $0.desk.count } == waiting && waiting > 1)
            let count = server.acks.count
            server.send(Self.txpk(), token: [9, 9])
            try await eventually("an answer") { server.acks.count == count + 1 }
            #expect(server.acks.last?.json.contains("DUTY_CYCLE_OVERFLOW") == true)
        }
        let count = server.acks.count
        // Another program, another radio's clock.
        let radio = TestRadio(count: 5)
        try await GatewayRig.run([uplink(server)], radio: radio, state: directory.path, enforcesAirtime: true) { rig in
            try await rig.waitUntilUp("ns")
            server.send(Self.txpk(), token: [9, 9])
            try await eventually("an answer") { server.acks.count == count + 1 }
            #expect(server.acks.last?.json.contains("DUTY_CYCLE_OVERFLOW") == true)
            #expect(try await rig.warnings["duty-cycle"] == nil)
        }
        // A file that is none is told of, and everything works.
        try TemporaryDirectory.write(Array("rubbish".utf8), to: directory("duty-cycle.json"))
        try await GatewayRig.run([uplink(server)], state: directory.path, enforcesAirtime: true) { rig in
            try await rig.waitUntilUp("ns")
            #expect(try await rig.warnings["duty-cycle"] == 1)
            server.send(Self.txpk(), token: [9, 9])
            try await eventually("an answer") { server.acks.count == count + 2 }
            #expect(server.acks.last?.json.contains("error") == false)
        }
        #expect(try SystemFile.text(directory("duty-cycle.json")).contains("\"sent\":[[868000000,868600000,"))
        await server.stop()
    }

    @Test func aDirectoryThatCannotBeWrittenIsSaidAndStopsNothing() async throws {
        let directory = try TemporaryDirectory()
        let server = try await FakeGWMPServer.start()
        let missing = directory("gone/away")
        let log = Locked<GatewayRig?>(nil)
        try await GatewayRig.run([uplink(server)], state: missing, enforcesAirtime: true) { rig in
            log.withLock { $0 = rig }
            try await rig.waitUntilUp("ns")
            server.send(Self.txpk(), token: [9, 9])
            try await eventually("an answer") { server.acks.count == 1 }
        }
        let lines = log.withLock { $0 }?.lines ?? []
        #expect(lines.contains { "\($0)".contains("the duty cycle is not kept") })
        await server.stop()
    }
}
