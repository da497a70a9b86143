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

    @Test func helpSaysWhatIsMissing() {
        let help = LoRaGatewayCommand.helpMessage(columns: 10_000)
        for part in ["does not do yet", "radio", "network servers", "--lan", "no passwords"] {
            #expect(help.contains(part))
        }
    }

    @Test func itEndsAfterItsTime() async throws {
        var options = LoRaGatewayOptions()
        options.listen.port = 0
        options.duration = .milliseconds(50)
        let text = Locked("")
        let gateway = LoRaGateway(options: options) { part in text.withLock { $0 += part } }
        try await within { try await gateway.run() }
        #expect(text.withLock { $0 }.contains("Ended after "))
    }

    @Test func aPortInUseIsExplained() async throws {
        _ = try await GatewayRun.lines { _, port in
            var options = LoRaGatewayOptions()
            options.listen.port = port
            let gateway = LoRaGateway(options: options) { _ in }
            let error = await #expect(throws: DeviceError.self) { try await gateway.run() }
            #expect(error?.code == .busy)
            #expect(error?.hint?.contains("ss -lunp") == true)
        }
    }

    @Test func aReaderWhoStopsDoesNotHoldItUp() async throws {
        var options = LoRaGatewayOptions()
        options.listen.port = 0
        options.duration = .milliseconds(50)
        let gate = Locked(false)
        let gaveUp = Locked(false)
        // Nobody reads until the program has given up.
        let gateway = LoRaGateway(options: options) { _ in while !gate.withLock({ $0 }) { usleep(1000) } }
        try await within {
            try await gateway.run {
                gaveUp.withLock { $0 = true }
                gate.withLock { $0 = true }
            }
        }
        #expect(gaveUp.withLock { $0 })
    }
}
