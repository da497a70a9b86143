import Testing

@testable import DeviceLua

/// What a timer does with what its function returns or yields, and with calls from inside.
@Suite struct TimerTests {
    private func traces(_ script: String, after milliseconds: Int) async throws -> [String] {
        let rig = try ScriptRig(script)
        await rig.app.settle()
        await rig.advance(.milliseconds(1), steps: milliseconds)
        await rig.stop()
        return rig.traces
    }

    @Test(arguments: [
        ("return true", 3), ("return 1", 3), ("return false", 1), ("return nil", 1), ("", 1), ("error('x')", 1),
        ("coroutine.yield(true) trace('t') coroutine.yield(true) trace('t')", 3),
        ("coroutine.yield(false) trace('t')", 1),
        ("coroutine.yield() trace('t')", 1), ("while true do coroutine.yield(true) trace('t') end", 3),
        ("ba.sleep(2) return true", 3),
    ])
    func goesOnOrStops(_ body: String, _ calls: Int) async throws {
        let found = try await traces("ba.timer(function() trace('t') \(body) end):set(10, true)", after: 36)
        #expect(found == Array(repeating: "t", count: calls))
    }

    @Test func isSetAnewFromInside() async throws {
        let script = "t = ba.timer(function() trace('t') t:set(3) end) t:set(10)"
        #expect(try await traces(script, after: 17) == ["t", "t", "t"])
    }

    @Test func isCancelledFromInside() async throws {
        #expect(
            try await traces(
                "t = ba.timer(function() trace('t') trace(t:cancel()) return true end) t:set(5)", after: 20) == [
                    "t", "true",
                ])
        #expect(
            try await traces(
                "t = ba.timer(function() trace('t') t:cancel() coroutine.yield(true) trace('no') end) t:set(5)",
                after: 20) == ["t"])
    }

    @Test func resetTellsWhetherItRuns() async throws {
        let script = """
            t = ba.timer(function() trace('t') end)
            trace(t:reset(5)) t:set(5) trace(t:reset(10)) trace(t:cancel()) trace(t:cancel()) trace(t:reset(5)) t:set(7)
            """
        #expect(try await traces(script, after: 8) == ["false", "true", "true", "false", "false", "t"])
    }

    @Test func runsAtOnceWhenAsked() async throws {
        #expect(
            try await traces("ba.timer(function() trace('t') return true end):set(10, true, true)", after: 0) == ["t"])
        #expect(
            try await traces("ba.timer(function() trace('t') return true end):set(10, true, true)", after: 10) == [
                "t", "t",
            ])
    }

    @Test func endsWhenNobodyHoldsIt() async throws {
        let body = "(function() trace('t') return true end)"
        #expect(try await traces("ba.timer\(body):set(10) collectgarbage()", after: 30) == [])
        #expect(try await traces("ba.timer\(body):set(10, true) collectgarbage()", after: 30) == ["t", "t", "t"])
        #expect(try await traces("t = ba.timer\(body) t:set(10) collectgarbage()", after: 30) == ["t", "t", "t"])
    }

    @Test func aCoroutineIsCollectedWithItsTimer() async throws {
        let script = """
            ba.timer(function() trace('t') while true do coroutine.yield(true) trace('t') end end):set(10)
            ba.timer(function() collectgarbage() end):set(15, true)
            """
        #expect(try await traces(script, after: 40) == ["t"])
    }

    @Test func areLimited() async throws {
        let rig = try ScriptRig("t = {} for i = 1, 200 do t[i] = ba.timer(print) t[i]:set(1000) end") {
            $0.limits.timers = 10
        }
        await rig.app.settle()
        #expect(rig.errors.contains { $0.contains("too many timers run (at most 10)") })
        await rig.stop()
    }
}
