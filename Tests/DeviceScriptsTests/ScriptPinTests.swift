import DeviceCore
import DeviceSDK
import DeviceSimulator
import Testing

@testable import DeviceScripts

@Suite struct ScriptPinMapTests {
    @Test(arguments: [("rpi4", "GPIO17"), ("rpi5", "GPIO17"), ("rockpi4b", "GPIO4_C2")])
    func numbersMeanThePinsOfTheHeader(_ board: String, _ signal: String) throws {
        let board = SimulatedBoard(try Board.named(board))
        let address = try #require(ScriptPinMap().line(of: 17))
        let line = try board.find(address)
        #expect(line.pin == 11)
        #expect(board.board.pin(11)?.signal == signal)
    }

    /// Each number of a Pi has its own name on the line.
    @Test func allNumbersOfAPiAreItsLines() throws {
        let board = SimulatedBoard(try Board.named("rpi4"))
        for pin in 2...27 { #expect(try board.find(try #require(ScriptPinMap().line(of: pin))).name == "GPIO\(pin)") }
        #expect(ScriptPinMap().line(of: 28) == nil && ScriptPinMap().line(of: -1) == nil)
    }

    @Test func settingsSayOtherwise() throws {
        let map = try ScriptPinMap(parsing: ["4=GPIO23", "40=gpio4:18"])
        #expect(map.line(of: 4) == .name("GPIO23"))
        #expect(map.line(of: 40) == .offset(chip: "gpio4", offset: 18))
        #expect(map.line(of: 5) == .pin(29))
    }

    @Test(arguments: [["4"], ["x=GPIO4"], ["4="], ["4=GPIO1", "4=GPIO2"], ["-1=GPIO4"], ["256=GPIO4"]])
    func wrongSettingsAreRefused(_ texts: [String]) {
        #expect(throws: DeviceError.self) { try ScriptPinMap(parsing: texts) }
    }

    @Test func aPinHasOneOwner() throws {
        let owners = ScriptPinOwners()
        let claim = try owners.claim([4, 5], by: "blink")
        #expect(owners.owner(of: 5) == "blink")
        let error = #expect(throws: DeviceError.self) { _ = try owners.claim([6, 5], by: "fade") }
        #expect(error?.message == "Pin 5 in use" && error?.hint == "blink has it")
        #expect(owners.owner(of: 6) == nil, "all or none")
        #expect(throws: DeviceError.self) { _ = try owners.claim([7, 7], by: "fade") }
        claim.release()
        let next = try owners.claim([5], by: "fade")
        claim.release()
        #expect(owners.owner(of: 5) == "fade", "a second release gives nothing away")
        next.release()
    }
}

@Suite struct LevelRepeaterTests {
    @Test func edgesCallOnceAndLevelsAgain() {
        let start = MonotonicTime.zero
        var edge = LevelRepeater(.falling, level: true, at: start)
        #expect(!edge.isRepeating && edge.tick(at: start) == nil)
        #expect(edge.edge(to: false, at: start) == false)
        #expect(edge.edge(to: true, at: start) == nil)
        #expect(edge.tick(at: .distantFuture) == nil)

        var level = LevelRepeater(.low, level: false, at: start)
        #expect(level.tick(at: start) == false, "the level that is there calls at once")
        #expect(level.tick(at: start + .milliseconds(9)) == nil)
        #expect(level.tick(at: start + .milliseconds(10)) == false)
        #expect(level.edge(to: true, at: start + .milliseconds(11)) == nil)
        #expect(level.tick(at: start + .seconds(9)) == nil)
        #expect(level.edge(to: false, at: start + .seconds(10)) == false)
    }

    @Test(arguments: [
        (GPIOTrigger.rising, true, false), (.falling, false, true), (.both, true, true), (.low, false, true),
        (.high, true, false),
    ])
    func triggersFire(_ trigger: GPIOTrigger, _ high: Bool, _ low: Bool) {
        #expect(trigger.fires(at: true) == high && trigger.fires(at: false) == low)
    }
}

@Suite struct PWMTimerTests {
    @Test func dutiesBecomeTimes() {
        let servo = PWMTimer(bits: 13, frequency: 50)
        #expect(servo.period == .milliseconds(20))
        #expect(servo.high(8192.0 / 20) == .milliseconds(1))
        #expect(servo.high(-5) == .zero && servo.high(1e9) == .milliseconds(20))
    }

    @Test func aFadeEndsAndTells() async throws {
        let clock = ManualClock()
        let board = SimulatedBoard(clock: clock)
        let owners = ScriptPinOwners()
        let output = try SoftwarePWM("GPIO18", on: board, clock: clock)
        let channel = try ScriptPWMChannel(
            PWMTimer(bits: 10, frequency: 100), duty: 0, output: output, claim: owners.claim([18], by: "fade"),
            clock: DeviceClock(clock))
        let ended = BoundedStream<Void>(limit: 1)
        channel.fade(to: 1024, in: .milliseconds(60)) { ended.send(()) }
        for _ in 0..<3 {
            await clock.waitForSleepers()
            clock.advance(by: .milliseconds(20))
        }
        var ends = ended.makeAsyncIterator()
        #expect(await ends.next() != nil)
        #expect(try board.isHigh("GPIO18"), "all of the period is high")
        channel.close()
        #expect(try !board.isHigh("GPIO18"))
        #expect(owners.owner(of: 18) == nil)
    }
}
