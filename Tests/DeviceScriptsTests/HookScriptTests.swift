import DeviceCore
import DeviceLua
import DeviceScripts
import DeviceSimulator
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(3))) struct HookScriptTests {
    private static let led: JSONValue = ["id": 1, "name": "Red", "on": true, "source": "page"]

    @Test(arguments: [
        ("", HookDecision.pass), ("return true", .pass), ("return nil", .pass),
        ("return false, 'too hot'", .refuse("too hot")), ("return false", .refuse("refused by a script")),
        ("led.on = false return led", .change(["id": 1, "name": "Red", "on": false, "source": "page"])),
        ("error'broken'", .pass), ("return 5", .pass), ("while true do end", .pass),
    ])
    func whatAFunctionReturnsDecides(_ body: String, _ expected: HookDecision) async throws {
        let rig = ScriptRig()
        try await rig.run("require'device'.on('led', function(led) \(body) end)")
        #expect(await rig.hooks.decide(.led, Self.led) == expected)
        #expect(rig.hooks.counters.asked == 1)
    }

    @Test func aFunctionThatIsClosedIsNotAsked() async throws {
        let rig = ScriptRig()
        let app = try await rig.run("hook = require'device'.on('led', function() return false end) hook:close()")
        #expect(await rig.hooks.decide(.led, Self.led) == .pass)
        _ = try await app.evaluate("require'device'.on('led', function() return false end)")
        #expect(await rig.hooks.decide(.led, Self.led) == .refuse("refused by a script"))
        await rig.host.remove(app)
        #expect(await rig.hooks.decide(.led, Self.led) == .pass, "the hooks of an app go with it")
    }

    /// Scripts seldom keep the object, and the collector must not end what they asked for.
    @Test func aFunctionIsAskedThoughNobodyKeepsItsObject() async throws {
        let rig = ScriptRig()
        let app = try await rig.run("require'device'.on('led', function() return false end)")
        _ = try await app.evaluate("collectgarbage() collectgarbage()")
        #expect(await rig.hooks.decide(.led, Self.led) == .refuse("refused by a script"))
        // One that was closed goes.
        _ = try await app.evaluate(
            "local t = setmetatable({}, {__mode = 'v'}) t[1] = require'device'.on('led', print) t[1]:close() "
                + "collectgarbage() collectgarbage() trace('left', t[1])")
        try await rig.writes("left\tnil")
    }

    @Test func movesAreSeen() async throws {
        let rig = ScriptRig()
        try await rig.run("require'device'.on('move', function(move) trace(move.from, move.to, move.gap) end)")
        rig.hooks.tell(.move, ["from": "a", "to": "b", "gap": 7])
        try await rig.writes("a\tb\t7")
    }

    @Test func aScriptSeesAndSwitchesLEDs() async throws {
        let rig = ScriptRig()
        try await rig.run(
            """
            local device = require"device"
            local led = device.leds()[1]
            trace("LED", led.id, led.name, led.on)
            trace("set", device.set(1, false))
            trace("none", device.set(9, false))
            trace("wrong", select(2, pcall(device.on, "sometimes", print)))
            """)
        for line in ["LED\t1\tRed\ttrue", "set\ttrue", "none\tnil\tthis device has no LED 9", "one of led, announce"] {
            try await rig.writes(line)
        }
    }
}
