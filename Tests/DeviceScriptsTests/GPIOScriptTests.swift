import DeviceCore
import DeviceLua
import DeviceScripts
import DeviceSimulator
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(3))) struct GPIOScriptTests {
    @Test func outputsAreSetAndRead() async throws {
        let rig = ScriptRig()
        try await rig.run(
            """
            pin = esp32.gpio(17, "OUT")
            trace(pin:value(true), pin:value())
            pin:value(false)
            trace(pin:value())
            """)
        try await rig.writes("true\ttrue")
        try await rig.writes("false")
        #expect(try !rig.board.isHigh("GPIO17"))
        #expect(rig.scripts.usedPins.map(\.line) == ["GPIO17"])
    }

    @Test(arguments: ["OUT", "OUTOD", "INOUT", "INOUTOD"])
    func everyDrivingModeDrives(_ mode: String) async throws {
        let rig = ScriptRig()
        try rig.board.pull("GPIO17", .pullUp)
        try await rig.run(
            """
            pin = esp32.gpio(17, "\(mode)", {pullup=true})
            pin:value(false) low = pin:value()
            pin:value(true) trace("done", low, pin:value())
            """)
        try await rig.writes("done\tfalse\ttrue")
        #expect(try rig.board.isHigh("GPIO17"))
    }

    @Test func anOpenDrainPinReadsWhatOthersMakeOfTheLine() async throws {
        let rig = ScriptRig()
        let app = try await rig.run(
            #"pin = esp32.gpio(17, "INOUTOD", {pullup=true}) pin:value(true) trace("free", pin:value())"#)
        try await rig.writes("free\ttrue")
        try rig.board.drive("GPIO17", high: false)
        // A prompt's line sees the app's globals, not those of its files.
        app.post { context in context.write(.info, "pulled \(rig.scripts.usedPins.map(\.isHigh))") }
        try await rig.writes("pulled [Optional(false)]")
    }

    @Test func inputsReadAndTheirPullsHold() async throws {
        let rig = ScriptRig()
        try await rig.run(
            """
            up, down = esp32.gpio(22, "IN", {pullup=true}), esp32.gpio(23, "IN", {pulldown=true})
            trace("levels", up:value(), down:value())
            trace("set", up:value(true))
            """)
        try await rig.writes("levels\ttrue\tfalse")
        try await rig.writes("set\tnil\tthe pin is an input")
    }

    @Test(arguments: [
        ("POSEDGE", ["true", "true"]), ("NEGEDGE", ["false", "false"]),
        ("ANYEDGE", ["false", "true", "false", "true"]),
    ])
    func edgesCallBack(_ type: String, _ expected: [String]) async throws {
        let rig = ScriptRig()
        try await rig.run(
            """
            pin = esp32.gpio(22, "IN", {pullup=true, type="\(type)", callback=function(level) trace("edge", level) end})
            trace"ready"
            """)
        for _ in 0..<2 {
            try rig.board.press("GPIO22")
            try rig.board.release("GPIO22")
        }
        try await eventually("the condition") { rig.lines.filter { $0.hasPrefix("edge") }.count == expected.count }
        #expect(rig.lines.filter { $0.hasPrefix("edge") } == expected.map { "edge\t\($0)" })
    }

    @Test func withoutATypeACallbackIsForRisingEdges() async throws {
        let rig = ScriptRig()
        try await rig.run(
            #"pin = esp32.gpio(23, "IN", {pulldown=true, callback=function(level) trace("edge", level) end})"#)
        try rig.board.drive("GPIO23", high: true)
        try rig.board.drive("GPIO23", high: false)
        try await rig.writes("edge\ttrue")
        #expect(!rig.lines.contains("edge\tfalse"))
    }

    @Test func levelTriggersRepeatWhileTheLevelHolds() async throws {
        let rig = ScriptRig()
        try await rig.run(
            """
            count = 0
            pin = esp32.gpio(22, "IN", {pullup=true, type="LOW", callback=function(level)
               count = count + 1
               if count == 3 then trace("three calls", level) end
            end})
            """)
        #expect(rig.lines.isEmpty)
        try rig.board.press("GPIO22")
        try await rig.writes("three calls\tfalse")
    }

    @Test(arguments: [
        ("esp32.gpio(99, 'OUT')", "Invalid pin 99"), ("esp32.gpio(-1, 'OUT')", "Invalid pin -1"),
        ("esp32.gpio(17)", "string expected"), ("esp32.gpio(17, 'out')", "the mode must be one of IN, OUT"),
        ("esp32.gpio(17, 'OUT', 5)", "Invalidarg config"),
        ("esp32.gpio(17, 'IN', {pullup=true, pulldown=true})", "Invalidarg config"),
        ("esp32.gpio(17, 'IN', {type='SOMETIMES', callback=print})", "Invalidarg type"),
        ("esp32.gpio(17, 'IN', {callback=5})", "Invalidarg callback"),
        ("esp32.gpio(17, 'OUT', {callback=print})", "only a pin of mode IN"),
        ("esp32.gpio(17, 'OUT') esp32.gpio(17, 'IN')", "Pin 17 in use"),
        ("esp32.gpio(17, 'OUT'):value(1)", "boolean expected"),
        ("local p = esp32.gpio(17, 'OUT') p:close() p:close() p:value(true)", "CLOSED"),
    ])
    func mistakesRaise(_ text: String, _ message: String) async throws {
        let rig = ScriptRig()
        try await rig.run("trace(select(2, pcall(function() \(text) end)))")
        try await rig.writes(message)
    }

    @Test func aBusyLineNamesItsOwner() async throws {
        let rig = ScriptRig()
        try rig.board.setBusy("GPIO17", consumer: "spi0 CS1")
        try await rig.run(#"trace(select(2, pcall(esp32.gpio, 17, "OUT")))"#)
        try await rig.writes("spi0 CS1")
        #expect(rig.scripts.usedPins.isEmpty, "what failed holds no pin")
    }

    @Test func anErrorInACallbackClosesThePin() async throws {
        let rig = ScriptRig()
        try await rig.run(
            #"pin = esp32.gpio(22, "IN", {pullup=true, type="NEGEDGE", callback=function() error"broken" end})"#)
        try rig.board.press("GPIO22")
        try await rig.writes("broken")
        try await eventually("the condition") { rig.scripts.usedPins.isEmpty }
        #expect(try !rig.board.info(at: "GPIO22").isUsed)
    }

    @Test func closeScopeAndTheCollectorFreePins() async throws {
        let rig = ScriptRig()
        try await rig.run(
            """
            do local scoped <close> = esp32.gpio(17, "OUT") end
            esp32.gpio(27, "OUT")
            collectgarbage()
            esp32.gpio(17, "OUT"):close()
            trace"done"
            """)
        try await rig.writes("done")
        try await eventually("the condition") { rig.scripts.usedPins.isEmpty }
        #expect(try !rig.board.info(at: "GPIO27").isUsed)
    }

    @Test func theEndOfAnAppFreesItsPins() async throws {
        let rig = ScriptRig()
        let app = try await rig.run(#"pin = esp32.gpio(17, "OUT") pin:value(true)"#)
        #expect(try rig.board.isHigh("GPIO17"))
        await rig.host.remove(app)
        #expect(rig.scripts.usedPins.isEmpty)
        #expect(try !rig.board.info(at: "GPIO17").isUsed)
    }

    @Test func onePinHasOneApp() async throws {
        let rig = ScriptRig()
        try await rig.run(#"pin = esp32.gpio(17, "OUT")"#, name: "first")
        try await rig.run(#"trace(select(2, pcall(esp32.gpio, 17, "OUT")))"#, name: "second")
        try await rig.writes("Pin 17 in use")
        #expect(rig.scripts.usedPins.map(\.app) == ["first"])
    }

    @Test func aPinThatIsNotPermittedIsRefused() async throws {
        let rig = ScriptRig()
        try await rig.run(#"pin = esp32.gpio(27, "OUT") trace(select(2, pcall(esp32.gpio, 17, "OUT")))"#) {
            $0.permissions[.pins] = .only(["27"])
        }
        try await rig.writes("app test has no permission for pins: 17")
        #expect(rig.scripts.usedPins.map(\.pin) == [27])
    }

    @Test func pinsAreBounded() async throws {
        let rig = ScriptRig()
        try await rig.run(#"a, b = esp32.gpio(17, "OUT"), esp32.gpio(27, "OUT") c = esp32.gpio(22, "OUT")"#) {
            $0.limits.pins = 2
        }
        try await rig.writes("too many pins (at most 2)")
    }
}
