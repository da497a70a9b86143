import DeviceCore
import DeviceSDK
import DeviceSimulator
import Glibc
import Testing

@Suite struct PWMTests {
    private static func tree() throws -> FakeTree {
        try FakeTree([
            "pwmchip0/npwm": "2\n", "pwmchip0/export": "", "pwmchip0/unexport": "", "pwmchip0/pwm1/period": "",
            "pwmchip2/npwm": "1\n", "pwmchip2/export": "", "pwmchip2/unexport": "", "pwmchip2/pwm0/duty_cycle": "",
            "pwmchip2/pwm0/enable": "0",
        ])
    }

    @Test func hardwareIsSetThroughTheKernelsFiles() throws {
        let tree = try Self.tree()
        let output = try PWMOutput(chip: 2, channel: 0, directory: tree.path)
        #expect(tree.text("pwmchip2/export") == "0")
        // The kernel makes this file at the export.
        _ = try FakeFile("\(tree.path)/pwmchip2/pwm0/period")
        try output.set(period: .milliseconds(20), high: .microseconds(1500))
        #expect(tree.text("pwmchip2/pwm0/period") == "20000000")
        #expect(tree.text("pwmchip2/pwm0/duty_cycle") == "1500000")
        #expect(tree.text("pwmchip2/pwm0/enable") == "1")
        try output.set(period: .milliseconds(1), high: .microseconds(500))
        #expect(tree.text("pwmchip2/pwm0/period") == "1000000")
        output.close()
        #expect(tree.text("pwmchip2/pwm0/enable") == "0" && tree.text("pwmchip2/unexport") == "0")
        #expect(throws: DeviceError.self) { try output.set(period: .milliseconds(1), high: .zero) }
    }

    @Test func whatIsNotThereOrTakenIsExplained() throws {
        let tree = try Self.tree()
        #expect(PWMOutput.chips(directory: tree.path).map(\.chip) == [0, 2])
        let absent = #expect(throws: DeviceError.self) {
            _ = try PWMOutput(chip: 0, channel: 2, directory: tree.path)
        }
        #expect(absent?.code == .notFound && absent?.hint?.contains("0:0 to 1, 2:0 to 0") == true)
        let busy = #expect(throws: DeviceError.self) { _ = try PWMOutput(chip: 0, channel: 1, directory: tree.path) }
        #expect(busy?.code == .busy && busy?.hint?.contains("unexport") == true)
    }

    @Test(arguments: [
        (Duration.zero, Duration.zero), (.seconds(11), .zero), (.seconds(1), .seconds(2)),
        (.seconds(1), .seconds(-1)),
    ])
    func impossibleSettingsAreRefused(_ period: Duration, _ high: Duration) throws {
        let pwm = try SoftwarePWM("GPIO17", on: SimulatedBoard())
        let error = #expect(throws: DeviceError.self) { try pwm.set(period: period, high: high) }
        #expect(error?.code == .invalidArgument)
    }

    @Test func softwareSwitchesOnTheClock() async throws {
        let clock = ManualClock()
        let board = SimulatedBoard(clock: clock)
        let pwm = try SoftwarePWM("GPIO17", on: board, clock: clock)
        try pwm.set(period: .milliseconds(20), high: .milliseconds(5))
        for step in 0..<6 {
            await clock.waitForSleepers()
            #expect(try board.isHigh("GPIO17") == (step % 2 == 0))
            clock.advance(by: .milliseconds(step % 2 == 0 ? 5 : 15))
        }
        await clock.waitForSleepers()
        let times = board.changes.map { $0.time.nanoseconds / 1_000_000 }
        #expect(times == [0, 5, 20, 25, 40, 45, 60])
        try pwm.set(period: .milliseconds(20), high: .milliseconds(20))
        #expect(try board.isHigh("GPIO17"))
        pwm.close()
        #expect(try !board.isHigh("GPIO17"))
        #expect(throws: DeviceError.self) { try pwm.set(period: .milliseconds(20), high: .zero) }
        #expect(try !board.info(at: "GPIO17").isUsed)
    }

    @Test func aNewPartCountsFromTheNextPeriod() async throws {
        let clock = ManualClock()
        let board = SimulatedBoard(clock: clock)
        let pwm = try SoftwarePWM("GPIO17", on: board, clock: clock)
        try pwm.set(period: .milliseconds(10), high: .milliseconds(5))
        await clock.waitForSleepers()
        try pwm.set(period: .milliseconds(10), high: .milliseconds(1))
        for wait in [5, 5, 1, 9] {
            clock.advance(by: .milliseconds(wait))
            await clock.waitForSleepers()
        }
        #expect(board.changes.map { $0.time.nanoseconds / 1_000_000 } == [0, 5, 10, 11, 20])
        pwm.close()
    }
}

/// A file that a test adds to a tree.
private struct FakeFile {
    init(_ path: String) throws {
        let file = creat(path, 0o600)
        try #require(file >= 0)
        close(file)
    }
}
