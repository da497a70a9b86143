import Testing

@testable import DeviceLua

/// The patterns of the shim against what the Lua manual says (6.4.1) and what lua5.4 answers.
@Suite struct PatternTests {
    @Test(arguments: [
        ("('hello world'):find('o w')", "5\t7"), ("('hello'):find('l+')", "3\t4"), ("('hello'):find('xyz')", "nil"),
        ("('hello'):find('')", "1\t0"), ("('hello'):find('', 10)", "nil"), ("('hello'):find('', 6)", "6\t5"),
        ("('a.b'):find('.', 1, true)", "2\t2"), ("('a+b'):find('+', 1, true)", "2\t2"),
        ("('hello'):find('l', -2)", "4\t4"), ("('key = value'):match('^(%w+)%s*=%s*(%w+)$')", "key\tvalue"),
        ("('2026-11-28'):match('(%d+)-(%d+)-(%d+)')", "2026\t11\t28"), ("('hello'):match('.-l')", "hel"),
        ("('hello'):match('()ll()')", "3\t5"), ("('  trim '):match('^%s*(.-)%s*$')", "trim"),
        ("('f(a(b)c)d'):match('%b()')", "(a(b)c)"), ("('x'):match('%b()')", "nil"),
        ("('THE (quick) fox'):find('%((%a+)%)')", "5\t11\tquick"),
        ("('THE (quick) fox'):gsub('%f[%a]%a+', string.lower)", "the (quick) fox\t3"),
        ("('hello world'):gsub('o', '0')", "hell0 w0rld\t2"), ("('hello'):gsub('', '-')", "-h-e-l-l-o-\t6"),
        ("('abc'):gsub('%w', '%0%0')", "aabbcc\t3"), ("('k=v'):gsub('(%w)=(%w)', '%2=%1')", "v=k\t1"),
        ("('$name is $age'):gsub('%$(%w+)', {name = 'Bob'})", "Bob is $age\t2"), ("('abc'):gsub('b', '%%')", "a%c\t1"),
        ("('aaa'):gsub('a', 'b', 2)", "bba\t2"), ("('abc'):gsub('^a', 'x')", "xbc\t1"),
        ("('aaa'):gsub('^a', 'x')", "xaa\t1"),
        ("('hello'):gsub('l', function(c) return nil end)", "hello\t2"), ("('abab'):match('(ab)%1')", "ab"),
        ("('[test]'):match('%[(.-)%]')", "test"), ("('a-b'):match('[a%-]+')", "a-"), ("('x]y'):match('[]]')", "]"),
        ("('x^y'):match('[x^]+')", "x^"), ("('abc'):match('[^a]+')", "bc"), ("('A1_'):match('[%u%d_]+')", "A1_"),
        ("('a\\0b'):find('%z')", "nil"), ("('a\\0b'):find('\\0')", "2\t2"), ("('äö'):len()", "4"),
        ("('abc'):match('a?b?c?d?')", "abc"), ("('aXb'):match('%l(%u)%l')", "X"), ("('f'):match('%x')", "f"),
        ("('a$b'):find('$b')", "2\t3"), ("('ab'):match('b$')", "b"), ("('a,b,,c'):gsub(',', ';')", "a;b;;c\t3"),
    ])
    func answersAsLua(_ expression: String, _ expected: String) async throws {
        let rig = try ScriptRig("")
        #expect(try await rig.app.evaluate(expression) == expected)
        await rig.stop()
    }

    @Test func iterates() async throws {
        let rig = try ScriptRig(
            "for k, v in ('a=1, b=2'):gmatch('(%w+)=(%w+)') do trace(k, v) end for w in ('one two'):gmatch('%a+') do trace(w) end for p in ('abc'):gmatch('()') do trace(p) end"
        )
        await rig.app.settle()
        #expect(rig.traces == ["a\t1", "b\t2", "one", "two", "1", "2", "3", "4"])
        await rig.stop()
    }

    @Test(arguments: [
        "('a'):find('[a')", "('a'):find('%')", "('a'):find('(a')", "('a'):find('.)')", "('a'):find('%b')",
        "('a'):gsub('a', '%2')", "('a'):find('%f')", "('a'):rep(40):match(('(a)'):rep(40))", "('a'):gsub('a', true)",
    ])
    func refusesMalformedPatterns(_ expression: String) async throws {
        let rig = try ScriptRig("")
        await #expect(throws: (any Error).self) { try await rig.app.evaluate(expression) }
        await rig.stop()
    }
}
