import ArgumentParser
import DeviceCore
import DeviceProtocols
import TestSupport
import Testing

@testable import device_fleet

@Suite struct FleetOptionTests {
    private func options(_ arguments: String) throws -> FleetOptions {
        let command = try FleetCommand.parse(arguments.split(separator: " ").map(String.init))
        let options = try command.options()
        try options.check()
        return options
    }

    @Test func flagsAreUnderstood() throws {
        let options = try options(
            """
            --devices 5000 --broker smq://127.0.0.1:1 --broker smq://127.0.0.2:1 --seed 9 --ramp 500ms --every 2s \
            --for 1m --scenario leds --profile fast --standby --threads 2 --receiver smq://127.0.0.1:1 \
            --policy sticky --service _smq._tcp
            """)
        #expect(options.devices == 5000 && options.brokers.count == 2 && options.receivers.count == 1)
        #expect(options.plan.seed == 9 && options.plan.ramp == .milliseconds(500) && options.plan.every == .seconds(2))
        #expect(options.duration == .seconds(60) && options.plan.scenario == .leds && options.profile == .fast)
        #expect(options.policy == .sticky && options.service == "_smq._tcp")
        #expect(options.keepsStandby && options.threads == 2 && options.delivery == .live)
    }

    @Test(arguments: [
        "--devices 5", "--broker smq://h --devices 0", "--broker smq://h --devices 100001",
        "--broker smq://h --scenario rain", "--broker smq://h --delivery later", "--broker smq://h --delivery broker",
        "--broker smq://h --delivery broker --state x --devices 501", "--broker smq://h --threads 0",
        "--broker smq://h --every 1ms", "--broker smq://h --ramp soon", "--broker smq://h --profile quick",
        "--broker smq://h --json true", "--broker smq://h --policy best", "--broker smq://h --service smq",
        "--broker smq://h --scripted 5", "--broker smq://h --script /nowhere/at.xlua",
        "--broker smq://h --devices 1001 --script /dev/null", "--broker smq://h --script /dev/null --scripted 0",
    ])
    func whatMakesNoSenseIsRefused(_ arguments: String) {
        let error = #expect(throws: DeviceError.self) { try options(arguments) }
        #expect(error?.exitStatus == 64)
        #expect(error?.message.isEmpty == false)
    }

    @Test func someDevicesHaveTheScript() throws {
        #expect(try options("--broker smq://h --devices 5 --script /dev/null").scripts?.devices == 5)
        let some = try options("--broker smq://h --devices 5000 --script /dev/null --scripted 1000").scripts
        #expect(some?.devices == 1000 && some?.path == "/dev/null")
        #expect(try options("--broker smq://h --devices 5 --script /dev/null --scripted 9").scripts?.devices == 5)
        #expect(try options("--broker smq://h").scripts == nil)
    }

    /// The programs' variables are all in one list, so that each passes over the others', but not over its own.
    @Test func variablesOfTheOwnAreHeard() throws {
        let arguments = try SettingsSources.arguments(
            commandLine: [], environment: ["DEVICE_DEVICES": "60", "DEVICE_LED": "x"], flags: [.option("devices")],
            ignoring: DeviceVariables.all
        ) { _ throws(DeviceError) in [] }
        #expect(arguments == ["--devices=60"])
    }

    @Test func filesAreWholeOrNotThere() throws {
        let directory = try TemporaryDirectory()
        let path = "\(directory.path)/summary.json"
        try AtomicFile.write("first", to: path)
        try AtomicFile.write("second", to: path)
        #expect(try SystemFile.text(path) == "second")
        #expect(SystemFile.names(in: directory.path).filter { !$0.hasPrefix(".") } == ["summary.json"])
        let error = #expect(throws: DeviceError.self) {
            try AtomicFile.write("x", to: "\(directory.path)/missing/file")
        }
        #expect(error?.exitStatus == 74)
    }

    /// Too many for the ports of one address is said, not found out later.
    @Test func sourcePortsAreCounted() throws {
        var options = FleetOptions()
        options.devices = 10
        #expect(try options.checkMachine(endpoints: 2).isEmpty)
        #expect(SourcePorts.count > 1000)
    }
}
