import DeviceCore
import DeviceSDK
import DeviceSimulator
import Testing

/// What a button does, on a clock that the test moves.
@Suite(.timeLimit(.minutes(5))) struct ButtonTimingTests {
    let clock = ManualClock()
    let board: SimulatedBoard

    init() throws { board = SimulatedBoard(try Board.named("rpi4"), clock: clock) }

    private func button(
        debounce: Duration = .zero, holdTime: Duration = .seconds(2), bufferSize: Int = 16
    ) throws -> Button {
        try Button(
            "GPIO22", on: board, debounce: debounce, holdTime: holdTime, bufferSize: bufferSize, clock: clock)
    }

    @Test func isHeldExactlyAfterItsTime() async throws {
        let button = try button()
        var events = button.events().makeAsyncIterator()
        try board.press("GPIO22")
        #expect(await events.next()?.kind == .pressed)
        await clock.waitForSleepers()
        clock.advance(by: .milliseconds(1999))
        #expect(!button.isHeld)
        await clock.waitForSleepers()
        clock.advance(by: .milliseconds(1))
        let held = await events.next()
        #expect(held?.kind == .held)
        #expect(held.map { $0.time - .zero } == .seconds(2))
        #expect(button.isHeld)
    }

    @Test func aReleaseEndsTheHoldTimer() async throws {
        let button = try button()
        var events = button.events().makeAsyncIterator()
        try board.press("GPIO22")
        #expect(await events.next()?.kind == .pressed)
        await clock.waitForSleepers()
        try board.release("GPIO22")
        #expect(await events.next()?.kind == .released)
        #expect(try await eventually { clock.sleeperCount == 0 })
        clock.advance(by: .seconds(10))
        #expect(!button.isHeld)
        button.close()
        #expect(await events.next() == nil)
    }

    @Test func debounceDelaysAPressByTheQuietPeriod() async throws {
        let button = try button(debounce: .milliseconds(10))
        var events = button.events().makeAsyncIterator()
        try board.press("GPIO22")
        clock.advance(by: .milliseconds(4))
        try board.release("GPIO22")
        clock.advance(by: .milliseconds(4))
        try board.press("GPIO22")
        clock.advance(by: .milliseconds(10))
        let pressed = await events.next()
        #expect(pressed?.kind == .pressed)
        #expect(pressed.map { $0.time - .zero } == .milliseconds(18))
        button.close()
    }

    @Test func everyStreamGetsItsOwnEvents() async throws {
        let button = try button()
        var all = button.events().makeAsyncIterator()
        var releases = button.releases().makeAsyncIterator()
        var presses = button.presses().makeAsyncIterator()
        try board.press("GPIO22")
        try board.release("GPIO22")
        #expect(await all.next()?.kind == .pressed)
        #expect(await all.next()?.kind == .released)
        #expect(await releases.next()?.kind == .released)
        #expect(await presses.next()?.kind == .pressed)
        button.close()
        #expect(await presses.next() == nil)
        #expect(await button.waitForPress() == false)
        var late = button.events().makeAsyncIterator()
        #expect(await late.next() == nil)
    }

    @Test func aSlowReaderLosesTheOldestAndTheyAreCounted() async throws {
        let button = try button(bufferSize: 2)
        let slow = button.events()
        var quick = button.releases().makeAsyncIterator()
        for _ in 0..<5 {
            try board.press("GPIO22")
            try board.release("GPIO22")
            #expect(await quick.next()?.kind == .released)
        }
        #expect(button.lostEvents == 8)
        button.close()
        var kinds: [ButtonEvent.Kind] = []
        for await event in slow { kinds.append(event.kind) }
        #expect(kinds == [.pressed, .released])
    }

    @Test func aButtonThatIsDownAtTheStartIsPressed() async throws {
        try board.drive("GPIO22", high: false)
        let button = try button()
        #expect(button.isPressed)
        #expect(await button.waitForPress())
        var events = button.events().makeAsyncIterator()
        try board.release("GPIO22")
        #expect(await events.next()?.kind == .released)
        #expect(await button.waitForRelease())
        button.close()
    }

    @Test func aForgottenButtonEndsItsStreamsAndTimers() async throws {
        var events: AsyncStream<ButtonEvent>.AsyncIterator
        do {
            let button = try button()
            events = button.events().makeAsyncIterator()
            try board.press("GPIO22")
            #expect(await events.next()?.kind == .pressed)
            await clock.waitForSleepers()
        }
        #expect(await events.next() == nil)
        #expect(try await eventually { clock.sleeperCount == 0 })
        #expect(try !board.info(at: "GPIO22").isUsed)
    }

    @Test func settingsThatMakeNoSenseAreRefused() {
        #expect(throws: DeviceError.self) { try button(debounce: .seconds(-1)) }
        #expect(throws: DeviceError.self) { try button(debounce: .seconds(11)) }
        #expect(throws: DeviceError.self) { try button(holdTime: .zero) }
        #expect(throws: DeviceError.self) { try button(bufferSize: 0) }
    }
}
