import ArgumentParser
import DeviceCore
import DeviceTransport
import Glibc
import TestSupport
import Testing

@testable import LoRaGateway

@Suite struct OptionTests {
    @Test func withoutFlagsItListensOnLoopback() throws {
        let options = try LoRaGatewayCommand.parse([]).options()
        #expect(options.listen == ListenAddress(host: "127.0.0.1", port: 1700))
        #expect(!options.isLAN && !options.isJSON && options.duration == nil)
    }

    @Test(arguments: [
        (["--listen", "0.0.0.0:1700"], "reachable from other machines"), (["--listen", "[::]:1700"], "--lan"),
        (["--listen", "nonsense"], "not an address"), (["--for", "soon"], "not a duration"),
        (["--max-gateways", "0"], "from 1 to"),
    ])
    func wrongCommandLinesAreExplained(_ arguments: [String], _ part: String) throws {
        let command = try LoRaGatewayCommand.parse(arguments)
        let error = #expect(throws: DeviceError.self) { try command.options() }
        #expect(error?.description.contains(part) == true, "\(String(describing: error))")
        #expect(error?.exitStatus == 64)
    }

    @Test func helpSaysHowToBegin() {
        let help = LoRaGatewayCommand.helpMessage(columns: 10_000)
        for part in [
            "--simulate", "global_conf.json", "--check-config", "--station", "--lan", "no passwords", "SIGHUP",
        ] {
            #expect(help.contains(part), "\(part)")
        }
    }

    @Test func simulationAndStationAreGateways() throws {
        let options = try #require(try LoRaGatewayCommand.parse(["--simulate", "--every", "2s"]).serviceOptions())
        #expect(options.isSimulated && options.source == .builtIn && options.interval == .seconds(2))
        let station = try #require(try LoRaGatewayCommand.parse(["--station", "/etc/station"]).serviceOptions())
        #expect(station.source == .station("/etc/station") && !station.isSimulated)
        #expect(try LoRaGatewayCommand.parse([]).serviceOptions() == nil)
    }

    @Test(arguments: [
        (["--simulate", "--devices", "20000"], "0 to 10000"), (["--simulate", "--every", "1ms"], "at least 100ms"),
        (["--simulate", "--server", "smoke"], "gwmp or lns"), (["--simulate", "--page", "nowhere"], "not an address"),
    ])
    func wrongSimulationsAreExplained(_ arguments: [String], _ part: String) throws {
        let command = try LoRaGatewayCommand.parse(arguments)
        let error = #expect(throws: DeviceError.self) { try command.serviceOptions() }
        #expect(error?.description.contains(part) == true, "\(String(describing: error))")
    }

    @Test func itEndsAfterItsTime() async throws {
        var options = ForwarderEarOptions()
        options.listen.port = 0
        options.duration = .milliseconds(50)
        let text = Locked("")
        let gateway = ForwarderEar(options: options) { part in text.withLock { $0 += part } }
        try await within { try await gateway.run() }
        #expect(text.withLock { $0 }.contains("Ended after "))
    }

    @Test func aPortInUseIsExplained() async throws {
        _ = try await GatewayRun.lines { _, port in
            var options = ForwarderEarOptions()
            options.listen.port = port
            let gateway = ForwarderEar(options: options) { _ in }
            let error = await #expect(throws: DeviceError.self) { try await gateway.run() }
            #expect(error?.code == .busy)
            #expect(error?.hint?.contains("ss -lunp") == true)
        }
    }

    @Test func aReaderWhoStopsDoesNotHoldItUp() async throws {
        var options = ForwarderEarOptions()
        options.listen.port = 0
        options.duration = .milliseconds(50)
        let gate = Locked(false)
        let gaveUp = Locked(false)
        // Nobody reads until the program has given up.
        let gateway = ForwarderEar(options: options) { _ in while !gate.withLock({ $0 }) { usleep(1000) } }
        try await within {
            try await gateway.run {
                gaveUp.withLock { $0 = true }
                gate.withLock { $0 = true }
            }
        }
        #expect(gaveUp.withLock { $0 })
    }
}
