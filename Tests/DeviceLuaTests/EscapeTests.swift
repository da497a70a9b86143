import DeviceCore
import DeviceScripts
import DeviceSimulator
import TestSupport
import Testing

@testable import DeviceLua

/// What a script may try to hold the thread, each beside an app whose LED has to go on blinking.
@Suite(.serialized) struct EscapeTests {
    static let attacks: [(String, String)] = [
        ("loop", "while true do end"),
        ("pcall", "while true do pcall(function() while true do end end) end"),
        ("nested pcall", "local function f() pcall(f) while true do end end f()"),
        ("xpcall", "xpcall(function() while true do end end, function() while true do end end)"),
        ("xpcall of an error", "xpcall(function() error('a') end, function() while true do end end)"),
        ("coroutines", "while true do coroutine.wrap(function() for i = 1, 300 do end end)() end"),
        ("a coroutine's loop", "local c = coroutine.wrap(function() while true do end end) while true do pcall(c) end"),
        (
            "a killed coroutine's close",
            """
            local c = coroutine.create(function()
                local x <close> = setmetatable({}, {__close = function() while true do end end})
                while true do end
            end)
            coroutine.resume(c) coroutine.close(c)
            """
        ),
        ("close", "do local x <close> = setmetatable({}, {__close = function() while true do end end}) end"),
        (
            "close after a kill",
            "local x <close> = setmetatable({}, {__close = function() while true do end end}) while true do end"
        ),
        ("pattern", "('a'):rep(30):find(('a?'):rep(30) .. ('a'):rep(30))"),
        ("pattern of stars", "('a'):rep(1000000):find(('a*'):rep(20) .. 'b')"),
        ("gsub's callback", "('a'):rep(1000):gsub('a', function() while true do end end)"),
        ("plain find", "for i = 1, 1e9 do ('a'):rep(500000):find(('a'):rep(200000) .. 'b', 1, true) end"),
        ("concat of a proxy", "table.concat(setmetatable({}, {__index = table.concat}), '', 1, 1 << 53)"),
        ("move", "table.move({}, 1, 1 << 60, 2)"),
        ("insert", "table.insert(setmetatable({}, {__len = function() return 1 << 60 end}), 1, 2)"),
        ("sort by C", "table.sort(setmetatable({}, {__len = function() return 1 << 30 end}), rawequal)"),
        ("sort by a loop", "table.sort({3, 2, 1}, function() while true do end end)"),
        (
            "sort of long strings",
            """
            local s, t = ('a'):rep(300000), {}
            local a, b = s .. 'b', s .. 'c'
            for i = 1, 50000 do t[i] = i % 2 == 0 and a or b end
            table.sort(t)
            """
        ),
        ("load's reader", "load(collectgarbage)"),
        ("collector", "for _ in collectgarbage do end"),
        ("tail calls", "local function f() return f() end f()"),
        (
            "metamethods",
            "local t = setmetatable({}, {__index = function(t, k) return t[k + 1] end}) while true do pcall(function() return t[1] end) end"
        ),
        ("tostring", "tostring(setmetatable({}, {__tostring = function() while true do end end}))"),
        ("pairs", "for k in pairs(setmetatable({}, {__pairs = function() return function() return 1 end end})) do end"),
        ("string comparison", "local a, b = ('x'):rep(400000) .. 'a', ('x'):rep(400000) .. 'b' while a < b do end"),
        ("utf8", "local s = ('x'):rep(500000) while true do utf8.len(s) end"),
        ("quoting", "local s = ('\\0'):rep(100000) while true do pcall(string.format, '%q', s) end"),
        (
            "a table that was emptied",
            "local t = {} for i = 1, 60000 do t[i] = i end while true do t[next(t) or 1] = nil end"
        ),
        ("compiling", "local s = ('x = 1 '):rep(50000) while true do load(s) end"),
        ("gsub that calls itself", "local function f(s) return (s:gsub('.', f)) end while true do pcall(f, 'a') end"),
        ("coroutines in coroutines", "local function f() return coroutine.wrap(f)() end while true do pcall(f) end"),
        // What the host does is no instruction of Lua's.
        (
            "JSON that is decoded",
            "local s = '[' .. ('1,'):rep(20000) .. '1]' while true do pcall(ba.json.decode, s) end"
        ),
        (
            "JSON that is encoded",
            "local t = {} for i = 1, 5000 do t[i] = i end while true do pcall(ba.json.encode, t) end"
        ),
        ("hashes", "local s = ('x'):rep(200000) while true do ba.crypto.hash('sha256')(s)(true) end"),
        ("Base64", "local s = ('x'):rep(100000) while true do pcall(ba.b64encode, s) end"),
        ("traces", "local s = ('x'):rep(100000) while true do trace(s) end"),
        ("bytearrays", "while true do ba.bytearray.create(1000000) end"),
    ]

    /// An app whose LED changes every 5 ms.
    private struct Blinker {
        static let interval = Duration.milliseconds(5)
        let board = SimulatedBoard()
        let rig: ScriptRig

        init() async throws {
            rig = try ScriptRig(
                .text(
                    """
                    local led, on = esp32.gpio(4, "OUT"), false
                    blink = ba.timer(function() on = not on led:value(on) return true end)
                    blink:set(5)
                    """, name: "blink"), manual: false,
                libraries: ScriptBoard(backend: board, buses: SimulatedBuses()).libraries)
            try await eventually("the LED blinks") { [board] in board.changes.count > 2 }
        }

        /// The LED has to change meanwhile as often as it should; a tenth of that on a machine that is busy with other
        /// things. An attack that held its thread would leave it with none.
        func blinksOn(_ name: String, during attack: () async throws -> Void) async throws {
            let (before, start) = (board.changes.count, ContinuousClock.now)
            try await attack()
            let expected = (ContinuousClock.now - start) / Self.interval
            #expect(Double(board.changes.count - before) >= (expected / 10).rounded(.down), "\(name): \(expected)")
            let after = board.changes.count
            try await eventually("the LED blinks on") { [board] in board.changes.count > after }
            #expect(rig.app.statistics.errors == 0 && rig.app.statistics.kills == 0)
        }
    }

    @Test(arguments: attacks)
    func isEnded(_ name: String, _ script: String) async throws {
        let other = try await Blinker()
        let rig = try ScriptRig(.text("", name: "main.xlua"), manual: false)
        let limits = rig.app.configuration.limits
        try await other.blinksOn(name) {
            await #expect(throws: DeviceError.self) { try await rig.app.evaluate("(function() \(script) end)()") }
            await rig.app.settle()
        }
        let figures = rig.app.statistics
        #expect(figures.kills == 1, "\(name): \(rig.errors)")
        // The thread's own time, so that a busy machine decides nothing.
        #expect(figures.processorTime < limits.processorTime * 2, "\(name)")
        #expect(try await rig.app.evaluate("1 + 1") == "2")
        await rig.stop()
        await other.rig.stop()
    }

    /// Those that begin once the chunk has ended.
    static let laterAttacks: [(String, String)] = [
        ("timer", "t = ba.timer(function() while true do end end) t:set(1)"),
        ("thread", "ba.thread.run(function() while true do end end)"),
        ("event", "xedge.event('e', function() while true do end end)"),
        ("cosocket", "ba.socket.event(function() while true do end end)"),
        ("gc", "setmetatable({}, {__gc = function() while true do end end}) collectgarbage()"),
        (
            "coroutine in gc",
            "setmetatable({}, {__gc = function() coroutine.wrap(function() while true do end end)() end}) collectgarbage()"
        ),
        (
            "coroutine as gc",
            "setmetatable({}, {__gc = coroutine.wrap(function() while true do end end)}) collectgarbage()"
        ),
        ("after a wait", "ba.thread.run(function() ba.sleep(1) while true do end end)"),
    ]

    @Test(arguments: laterAttacks)
    func isEndedLater(_ name: String, _ script: String) async throws {
        let other = try await Blinker()
        let rig = try ScriptRig(.text(script, name: "main.xlua"), manual: false)
        try await other.blinksOn(name) {
            if name == "event" { rig.app.emit("e", []) }
            try await eventually("the end of \(name)") { rig.app.statistics.kills == 1 }
        }
        let figures = rig.app.statistics
        #expect(figures.processorTime < rig.app.configuration.limits.processorTime * 2, "\(name)")
        #expect(try await rig.app.evaluate("1 + 1") == "2")
        await rig.stop()
        await other.rig.stop()
    }

    static let refusals: [(String, String)] = [
        ("memory by doubling", "local s = 'x' while true do s = s .. s end"),
        ("memory by tables", "local t = {} while true do t[#t + 1] = {} end"),
        ("memory by coroutines", "local t = {} while true do t[#t + 1] = coroutine.create(function() end) end"),
        ("rep", "string.rep('x', 1 << 40)"),
        ("rep with a separator", "string.rep('', 1 << 40, 'x')"),
        ("recursion", "local function f() f() f() end f()"),
        ("bytecode", "assert(load('\\27Lua'))"),
        ("bytecode in binary mode", "assert(load('\\27Lua', 'x', 'b'))"),
        ("dump", "string.dump(print)"),
        ("the string metatable", "getmetatable('').__index = nil"),
        ("a number's metatable", "getmetatable(1).__bor = nil"),
        ("debug", "debug.sethook()"),
        ("os.execute", "os.execute('true')"),
        ("os.exit", "os.exit()"),
        ("io.popen", "io.popen('true')"),
        ("loadlib", "package.loadlib('x', 'y')"),
        ("dofile", "dofile('/etc/passwd')"),
        ("require of a path", "require '../../etc/passwd'"),
        ("an index loop", "local a = {} a.__index = a setmetatable(a, a) return a.x"),
        ("a wait in a comparison", "table.sort({3, 2, 1}, function(a, b) ba.sleep(1) return a < b end)"),
        ("an object's metatable", "getmetatable(ba.timer(print)).__gc = nil"),
        ("recursion in C", "local function f(s) return (s:gsub('.', f)) end f('a')"),
        ("recursion of coroutines", "local function f() return coroutine.wrap(f)() end f()"),
        ("nested source", "assert(load('return ' .. ('('):rep(100000)))"),
        ("too many values", "table.unpack({}, 1, 1e7)"),
        ("wide formats", "string.format('%99999999d', 1)"),
        ("a pattern of parentheses", "('a'):find(('('):rep(100000))"),
        ("memory by bytearrays", "local t = {} while true do t[#t + 1] = ba.bytearray.create(100000) end"),
        ("memory by concat", "local t = {} for i = 1, 100 do t[i] = ('x'):rep(100000) end"),
    ]

    @Test(arguments: refusals)
    func isRefused(_ name: String, _ script: String) async throws {
        let other = try await Blinker()
        let rig = try ScriptRig("")
        try await other.blinksOn(name) {
            await #expect(throws: DeviceError.self, "\(name)") {
                try await rig.app.evaluate("(function() \(script) end)()")
            }
            await rig.app.settle()
        }
        await other.rig.stop()
        let peak = rig.app.statistics.peakMemory
        #expect(peak <= rig.app.configuration.limits.memory)
        #expect(try await rig.app.evaluate("1 + 1") == "2")
        await rig.stop()
    }

    @Test func emptyStringsRepeatForNothing() async throws {
        let rig = try ScriptRig("")
        #expect(try await rig.app.evaluate("#string.rep('', 1 << 60)") == "0")
        await rig.stop()
    }

    @Test func finalizersHaveABudgetOfTheirOwn() async throws {
        let rig = try ScriptRig(
            """
            setmetatable({}, {__gc = function() while true do end end})
            setmetatable({name = 'b'}, {__gc = function(o) trace('gc ' .. o.name) end})
            collectgarbage()
            """)
        try await eventually("both finalizers") { rig.app.statistics.kills == 1 && rig.traces == ["gc b"] }
        await rig.stop()
    }

    @Test func repeatedFaultsStopTheAppForAWhile() async throws {
        let rig = try ScriptRig(
            "starts = 0 ba.timer(function() ba.timer(function() error('x') end):set(1, true) return true end):set(1, true)"
        ) {
            $0.limits.faults = 3
        }
        await rig.advance(.milliseconds(1), steps: 20)
        guard case .backingOff = rig.app.statistics.state else {
            Issue.record("\(rig.app.statistics.state)")
            return
        }
        await #expect(throws: DeviceError.self) { try await rig.app.evaluate("1") }
        await rig.advance(.seconds(6))
        #expect(rig.app.statistics.state == .running)
        await rig.stop()
    }

    @Test func failedStartsEndInSafeMode() async throws {
        let rig = try ScriptRig("error('no')")
        for _ in 0..<4 { await rig.advance(.seconds(400)) }
        #expect(rig.app.statistics.state == .safeMode)
        #expect(rig.errors.contains { $0.contains("main.xlua:1: no") })
        rig.app.restart()
        await rig.app.settle()
        #expect(rig.app.statistics.state != .safeMode)
        await rig.stop()
    }
}
