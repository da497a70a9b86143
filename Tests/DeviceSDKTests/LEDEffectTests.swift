import DeviceCore
import DeviceSDK
import DeviceSimulator
import Testing

/// What an LED does in the background, on a clock that the test moves.
@Suite(.timeLimit(.minutes(5))) struct LEDEffectTests {
    let clock = ManualClock()
    let board: SimulatedBoard
    let led: LED

    init() throws {
        board = SimulatedBoard(try Board.named("rpi4"), clock: clock)
        led = try LED("GPIO17", on: board, clock: clock)
    }

    /// Moves the clock as soon as the effect sleeps.
    private func advance(_ duration: Duration) async {
        await clock.waitForSleepers()
        clock.advance(by: duration)
    }

    private func history() -> [String] {
        board.changes.map { "\($0.isHigh ? "on" : "off") \(($0.time - .zero).wholeNanoseconds / 1_000_000)" }
    }

    @Test func blinksWithoutDrift() async throws {
        try led.blink(on: .milliseconds(200), off: .milliseconds(800))
        #expect(led.isLit, "the first step is done at once")
        for _ in 0..<2 {
            await advance(.milliseconds(200))
            await advance(.milliseconds(800))
        }
        await clock.waitForSleepers()
        #expect(history() == ["on 0", "off 200", "on 1000", "off 1200", "on 2000"])
    }

    @Test func blinksACountedNumberOfTimesAndEndsDark() async throws {
        try led.blink(on: .seconds(1), off: .seconds(1), count: 2)
        for _ in 0..<3 { await advance(.seconds(1)) }
        #expect(try await eventually { !led.isBusy })
        #expect(history() == ["on 0", "off 1000", "on 2000", "off 3000"])
        #expect(clock.sleeperCount == 0)
    }

    @Test func everyCommandEndsTheEffect() async throws {
        let commands: [(LED) throws -> Void] = [
            { try $0.on() }, { try $0.off() }, { try $0.toggle() }, { try $0.setBrightness(1) }, { $0.close() },
        ]
        for command in commands {
            let led = try LED("GPIO27", on: board, clock: clock)
            try led.blink()
            await clock.waitForSleepers()
            try command(led)
            #expect(!led.isBusy)
            #expect(try await eventually { clock.sleeperCount == 0 }, "its task ended")
            board.clearChanges()
            clock.advance(by: .seconds(10))
            #expect(board.changes.isEmpty)
        }
    }

    @Test func aForgottenLEDEndsItsEffectAndGivesItsLineBack() async throws {
        do {
            let forgotten = try LED("GPIO27", on: board, clock: clock)
            try forgotten.pulse()
            await clock.waitForSleepers()
        }
        #expect(try await eventually { clock.sleeperCount == 0 })
        #expect(try !board.info(at: "GPIO27").isUsed)
        #expect(try !board.isHigh("GPIO27"))
    }

    @Test func brightnessIsTheShareOfTimeThatItIsLit() async throws {
        try led.setBrightness(0.3)
        #expect(led.brightness == 0.3)
        #expect(led.isLit)
        for _ in 0..<3 {
            await advance(.milliseconds(3))
            await advance(.milliseconds(7))
        }
        await clock.waitForSleepers()
        #expect(history() == ["on 0", "off 3", "on 10", "off 13", "on 20", "off 23", "on 30"])
        try led.setBrightness(0)
        #expect(!led.isBusy && !led.isLit)
        try led.setBrightness(1)
        #expect(!led.isBusy && led.brightness == 1)
    }

    @Test(arguments: [-0.1, 1.1, .nan, .infinity]) func brightnessOutsideItsRangeIsRefused(_ value: Double) {
        let error = #expect(throws: DeviceError.self) { try led.setBrightness(value) }
        #expect(error?.code == .invalidArgument)
    }

    @Test func timesThatMakeNoSenseAreRefused() {
        #expect(throws: DeviceError.self) { try led.blink(on: .zero) }
        #expect(throws: DeviceError.self) { try led.blink(off: .seconds(-1)) }
        #expect(throws: DeviceError.self) { try led.blink(count: 0) }
        #expect(throws: DeviceError.self) { try led.pulse(fadeIn: .milliseconds(1)) }
        #expect(throws: DeviceError.self) { try led.pulse(count: -1) }
        #expect(!led.isBusy)
    }

    @Test func pulseFadesInAndOutAgain() async throws {
        try led.pulse(fadeIn: .milliseconds(40), fadeOut: .milliseconds(40), count: 1)
        var levels: [Double] = []
        while led.isBusy {
            if clock.sleeperCount > 0 {
                if levels.last != led.brightness { levels.append(led.brightness) }
                clock.advance(by: .microseconds(500))
            }
            await Task.yield()
        }
        #expect(levels == [0.25, 0.5, 0.75, 1, 0.75, 0.5, 0.25, 0])
        #expect(!led.isLit)
        #expect(board.changes.last?.isHigh == false)
    }

    @Test func aStoppedProcessDoesNotCatchUp() async throws {
        try led.blink(on: .milliseconds(100), off: .milliseconds(100))
        await advance(.seconds(60))
        await clock.waitForSleepers()
        #expect(history() == ["on 0", "off 60000"])
        await advance(.milliseconds(100))
        await clock.waitForSleepers()
        #expect(history().last == "on 60100")
    }

    @Test func commandsAfterCloseThrow() throws {
        led.close()
        #expect(throws: DeviceError.self) { try led.blink() }
        #expect(throws: DeviceError.self) { try led.toggle() }
        #expect(throws: DeviceError.self) { try led.setBrightness(0.5) }
        #expect(!led.isBusy)
        #expect(!led.isLit)
    }
}
