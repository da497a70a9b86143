import Testing

@testable import DeviceLua

/// Where Xedge32's Lua floors a float and stock Lua refuses it.
@Suite struct NumberRuleTests {
    @Test(arguments: [
        ("string.format('%d', 511.83)", "511"), ("string.format('%d %s', -1.5, 1.5)", "-2 1.5"),
        ("string.format('%x %X %o %i %u', 255.9, 255.9, 8.5, 3.9, 3.9)", "ff FF 10 3 3"),
        ("string.format('%c%c', 65.9, 66)", "AB"), ("string.format('%5.2f|%g', 2.5, 0.1)", " 2.50|0.1"),
        ("string.format('%%%d', 1.9)", "%1"),
        ("math.tointeger(234.7)", "234"), ("math.tointeger('8')", "8"), ("math.tointeger({})", "nil"),
        ("3.7 | 0", "3"), ("5.5 & 3", "1"), ("6.9 ~ 3", "5"), ("1 << 2.9", "4"), ("16.5 >> 2", "4"), ("~1.2", "-2"),
        ("'3.7' | 0", "3"), ("-3.2 | 0", "-4"),
        ("string.rep('x', 2.5)", "xx"), ("('abc'):sub(1.9, 2.9)", "ab"), ("('abc'):byte(2.5)", "98"),
        ("string.char(65.5, 66.1)", "AB"), ("select(2.5, 1, 2, 3)", "2\t3"),
        ("table.concat({1, 2, 3}, ',', 1.5, 2.9)", "1,2"), ("table.unpack({1, 2, 3}, 2.2, 3.7)", "2\t3"),
        ("(function() local t = {1, 3} table.insert(t, 2.5, 2) return table.concat(t) end)()", "123"),
        ("(function() local t = {1, 2, 3} return table.remove(t, 1.9) end)()", "1"),
        ("utf8.char(228.4)", "ä"), ("math.random(1.9, 1.2)", "1"), ("math.type(3.0 | 0)", "integer"),
        ("os.date('!%Y', 86400.7)", "1970"),
        (
            "os.time({year = 2026.0, month = 1, day = 2.5, hour = 0}) == os.time({year = 2026, month = 1, day = 2, hour = 0})",
            "true"
        ),
        ("('abcabc'):find('b', 3.7)", "5\t5"), ("7 // 2.0", "3.0"), ("2^53 | 0", "9007199254740992"),
    ])
    func floors(_ expression: String, _ expected: String) async throws {
        let rig = try ScriptRig("")
        #expect(try await rig.app.evaluate(expression) == expected)
        await rig.stop()
    }

    @Test(arguments: ["(0/0) | 0", "1e300 | 0", "{} | 1", "string.rep('x', 1e300)", "string.format('%d', 'x')"])
    func refusesWhatHasNoInteger(_ expression: String) async throws {
        let rig = try ScriptRig("")
        await #expect(throws: (any Error).self) { try await rig.app.evaluate(expression) }
        await rig.stop()
    }

    @Test func hostFunctionsFloorToo() async throws {
        let library = LuaLibrary("t", members: ["whole": .function { .value(.integer(try $0.integer(0))) }])
        let rig = try ScriptRig("", libraries: [library])
        #expect(try await rig.app.evaluate("t.whole(3.9), t.whole(-0.5), t.whole('7.5')") == "3\t-1\t7")
        await rig.stop()
    }
}
