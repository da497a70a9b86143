import DeviceCore
import TestSupport
import Testing

@testable import DeviceLua

/// `ba` and `xedge` as the public examples use them.
@Suite struct RuntimeTests {
    private func evaluate(_ expression: String, _ script: String = "") async throws -> String {
        let rig = try ScriptRig(script)
        defer { Task { await rig.stop() } }
        return try await rig.app.evaluate(expression)
    }

    @Test(arguments: [
        ("ba.json.encode({a = 1})", "{\"a\":1}"), ("ba.json.encode({1, 2, {x = true}})", "[1,2,{\"x\":true}]"),
        ("ba.json.encode('a\"b')", "\"a\\\"b\""), ("ba.json.encode(nil)", "null"),
        ("ba.json.decode('{\"a\":[1,2.5,null]}').a[2]", "2.5"), ("ba.json.decode('[null]')[1] == ba.json.null", "true"),
        ("ba.json.decode('{') == nil", "true"), ("type(select(2, ba.json.decode('{')))", "string"),
        ("ba.json.encode(ba.json.decode('[null,{}]'))", "[null,{}]"),
        ("ba.json.encode({b = 1, a = 2})", "{\"a\":2,\"b\":1}"),
        ("ba.json.encode(1, 'x')", "1\t\"x\""), ("(pcall(ba.json.encode, 0/0))", "false"),
        ("(pcall(ba.json.encode, print))", "false"), ("#ba.mac() == 6 or not ba.mac()", "true"),
        ("tostring(ba.json.null)", "null"),
        ("ba.b64encode('hello?>')", "aGVsbG8/Pg=="), ("ba.b64urlencode('hello?>')", "aGVsbG8_Pg"),
        ("ba.b64decode('aGVsbG8_Pg')", "hello?>"), ("ba.b64decode('a')", "nil\tinvalid base64"),
        ("ba.urlencode('a b/ä')", "a%20b%2F%C3%A4"), ("#ba.rnds(12), #ba.rndbs(16)", "12\t16"),
        ("(function() local r = ba.rnd(5, 7) return r >= 5 and r <= 7 end)()", "true"),
        (
            "ba.crypto.hash('sha256')('abc')(true, 'hex')",
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        ),
        ("ba.crypto.hash('sha1')('a')('bc')(true, 'hex')", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ("#ba.crypto.hash('md5')('x')(true)", "16"),
        (
            "ba.crypto.hash('hmac', 'sha256', 'key')('The quick brown fox jumps over the lazy dog')(true, 'hex')",
            "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"
        ),
        (
            "ba.datetime('2026-11-28T10:00:00Z') < ba.datetime('NOW'), ba.datetime('MIN') < ba.datetime('MAX')",
            "true\ttrue"
        ),
        ("tostring(ba.datetime('2026-11-28T10:00:00Z') + {mins = 10})", "2026-11-28T10:10:00.000000Z"),
        ("ba.datetime('2026-11-28T10:00:10Z') - ba.datetime('2026-11-28T10:00:00Z')", "10.0"),
        ("(ba.datetime(86400):ticks())", "86400"), ("ba.datetime('x')", "nil\tinvalid date: x"),
        ("ba.socket.n2h(2, ba.socket.h2n(2, 4660)), #ba.socket.h2n(4, 1)", "4660\t4"),
        ("ba.socket.n2h(2, 'xx\\1\\2', 3)", "258"),
        ("require'serpent'.line({1, 'a\"', b = true, ['c d'] = {}})", "{1, \"a\\\"\", [\"c d\"] = {}, b = true}"),
        ("require'serpent'.block({x = {2}})", "{\n  x = {\n    2\n  }\n}"),
        ("ba.version() > 5000", "true"), ("ba.nothing", "nil"), ("type(ba.timer)", "function"),
        ("require 'ba' == ba", "true"), ("package.loaded.ba == ba", "true"),
        ("collectgarbage('count') > 0, collectgarbage()", "true\t0"),
    ])
    func answers(_ expression: String, _ expected: String) async throws {
        #expect(try await evaluate(expression) == expected)
    }

    @Test func aParserTakesPieces() async throws {
        let rig = try ScriptRig(
            """
            p = ba.json.parser()
            trace(p:parse('{"a":[1,"}'))
            trace(select(2, p:parse('\\\\\\\\",2]')) == nil)
            local ok, value = p:parse('} {"b"')
            trace(ok, value.a[2], #value.a)
            ok, value = p:parse(':null}[1][2]')
            trace(ok, value.b == ba.json.null)
            ok, value = p:parse('[3]', true)
            trace(ok, #value, value[1][1], value[3][1])
            trace(p:parse(' 7'))
            trace(p:parse('[}'))
            trace(select(2, p:parse('[4]'))[1])
            for i = 1, 16 do big = p:parse('[' .. (' '):rep(65536)) end trace(big)
            """)
        await rig.app.settle()
        #expect(rig.errors == [])
        #expect(rig.traces.prefix(5) == ["true", "true", "true\t}\\\t3", "true\ttrue", "true\t3\t1\t3"])
        #expect(rig.traces.dropFirst(5).prefix(2).allSatisfy { $0.hasPrefix("nil\t") })
        #expect(rig.traces.suffix(2) == ["4", "nil"])
        await rig.stop()
    }

    /// What a text becomes is built outside of the script's heap, so what could not be in it is not built.
    @Test(arguments: [
        ("('[1' .. (',1'):rep(200000) .. ']')", "not enough memory"),
        ("('[' .. ('[],'):rep(40000) .. '[]]')", "not enough memory"),
        ("('[' .. ('{},'):rep(20000) .. '{}]')", "20001"), ("('[1' .. (',1'):rep(20000) .. ']')", "20001"),
        // Within a text these are no values.
        (#"('["' .. (',[{'):rep(30000) .. '\\"' .. (',[{'):rep(30000) .. '"]')"#, "1"),
    ])
    func whatIsTooMuchForAnAppsMemoryIsNotDecoded(_ text: String, _ expected: String) async throws {
        for reading in ["ba.json.decode(text)", "select(2, ba.json.parser():parse(text))"] {
            let rig = try ScriptRig(
                "local text = \(text) local ok, v = pcall(function() return \(reading) end) trace(ok and #v or v)")
            await rig.app.settle()
            #expect(
                rig.traces.count == 1 && rig.traces.allSatisfy { $0.contains(expected) }, "\(reading): \(rig.traces)")
            await rig.stop()
        }
    }

    @Test func manyValuesAtOnceAreHeldToTheSame() async throws {
        let rig = try ScriptRig(
            """
            local function read(count) return ba.json.parser():parse(('[1]'):rep(count), true) end
            trace(#select(2, read(10000)))
            trace(pcall(read, 50000))
            """)
        await rig.app.settle()
        #expect(rig.traces.first == "10000" && rig.traces.last?.hasSuffix("not enough memory") == true, "\(rig.traces)")
        await rig.stop()
    }

    @Test func theTextsOfAllParsersHaveALimit() async throws {
        let rig = try ScriptRig(
            """
            local parsers, text = {}, '[' .. (' '):rep(65535)
            local function fill()
               for i = 1, 100 do
                  parsers[i] = ba.json.parser()
                  for _ = 1, 8 do
                     local ok, why = pcall(parsers[i].parse, parsers[i], text)
                     text = (' '):rep(65536)
                     if not ok then return i, why end
                  end
                  text = '[' .. (' '):rep(65535)
               end
            end
            local count, why = fill()
            trace(count, why)
            for i = 1, count do parsers[i]:close() end
            text = '[' .. (' '):rep(65535)
            trace(fill() == count)
            """)
        await rig.app.settle()
        #expect(rig.errors == [])
        #expect(rig.traces.first?.hasPrefix("5\t") == true && rig.traces.first?.hasSuffix("not enough memory") == true)
        #expect(rig.traces.last == "true", "what is closed gives its room back: \(rig.traces)")
        await rig.stop()
    }

    @Test func everyWayToTheLogIsThere() async throws {
        let rig = try ScriptRig(
            "trace('a', 1, nil, {} ~= nil) tracep(false, 5, 'b', 2) print('c', true) xedge.log('%s', 'd') xedge.elog({ts=true, subject='s'}, '%d', 5) xedge.eflush{} xedge.sendErr('e')"
        )
        await rig.app.settle()
        #expect(rig.lines == ["a\t1\tnil\ttrue", "b\t2", "c\ttrue", "d", "5", "e"])
        #expect(rig.errors == ["5", "e"])
        await rig.stop()
    }

    @Test func errorsHaveAHandler() async throws {
        let rig = try ScriptRig(
            """
            ba.seterrh(function(text) trace("handled", text:match("^[^\\n]*")) error("again") end)
            ba.timer(function() error("boom") end):set(1, true)
            """)
        await rig.app.settle()
        await rig.advance(.milliseconds(1), steps: 5)
        #expect(rig.traces == ["handled\ttimer: test/main.xlua:2: boom"], "once, and not for its own")
        _ = try await rig.app.evaluate("ba.seterrh(nil)")
        _ = try? await rig.app.evaluate("error('unheard')")
        await rig.app.settle()
        #expect(rig.traces.count == 1)
        await rig.stop()
    }

    @Test(arguments: [
        "ba.exec('ls')", "ba.parselsp('')", "ba.create.dir('x')", "ba.create.authenticator()", "ba.create.luaio({})",
        "xedge.sendmail{}", "ba.socket.req2sock()", "ba.socket.http2sock()",
    ])
    func stubsAnswerASentence(_ expression: String) async throws {
        let answer = try await evaluate(expression)
        #expect(answer.hasPrefix("nil\t") && answer.count > 20, "\(answer)")
    }

    @Test(arguments: [
        ("ba.bytearray.size(ba.bytearray.create(4))", "4"), ("#ba.bytearray.create('abc')", "3"),
        ("ba.bytearray.create('abc')[2]", "98"), ("ba.bytearray.create('abc')[4]", "nil"),
        (
            "(function() local b = ba.bytearray.create(4) b[1] = 300 b[2] = 'xy' return b[1], ba.bytearray.tostring(b, 2, 3) end)()",
            "44\txy"
        ),
        (
            "(function() local b = ba.bytearray.create(4) ba.bytearray.h2n(b, 2, 2, 0x1234) return b[2], b[3], ba.bytearray.n2h(b, 2, 2) end)()",
            "18\t52\t4660"
        ),
        (
            "(function() local b = ba.bytearray.create('hello') ba.bytearray.setsize(b, 2, 4) return tostring(b), #b, b[1] end)()",
            "ell\t3\t101"
        ),
        (
            "(function() local b = ba.bytearray.create(4) return ba.bytearray.copy(b, 2, 'abcdef', 2, 6), b[2] end)()",
            "3\t98"
        ),
        ("(pcall(function() ba.bytearray.create(2)[3] = 1 end))", "false"),
        ("(pcall(ba.bytearray.create, 1 << 40))", "false"),
        ("(pcall(ba.bytearray.h2n, ba.bytearray.create(2), 2, 4, 1))", "false"),
    ])
    func arraysOfBytes(_ expression: String, _ expected: String) async throws {
        #expect(try await evaluate(expression) == expected)
    }

    /// What an object keeps may be nothing: that is no fault of the script's.
    @Test func aCallbackThatIsNotThereIsNotCalled() async throws {
        let rig = try ScriptRig("t = ba.timer(print)")
        let results: Int? = await withCheckedContinuation { continuation in
            rig.app.post { context in
                guard let handle = context.objects.keys.first else { return continuation.resume(returning: nil) }
                context.start(.member(LuaObject(handle: handle), "missing"), [.boolean(true)], activity: "test") {
                    if case .returned(let values) = $1 {
                        continuation.resume(returning: values.count)
                    } else {
                        continuation.resume(returning: nil)
                    }
                }
            }
        }
        #expect(results == 0)
        #expect(rig.app.statistics.errors == 0 && rig.errors.isEmpty)
        await rig.stop()
    }

    @Test func sleepsWithoutHoldingOthers() async throws {
        let rig = try ScriptRig(
            """
            ba.thread.run(function() for i = 1, 2 do ba.sleep(10) trace('a' .. i) end end)
            ba.thread.run(function() ba.sleep(5) trace('b') end)
            coroutine.wrap(function() ba.sleep(15) trace('in a coroutine of its own') end)()
            trace('end')
            """)
        await rig.app.settle()
        await rig.advance(.milliseconds(5), steps: 5)
        #expect(rig.traces == ["b", "a1", "in a coroutine of its own", "end", "a2"])
        await rig.stop()
    }

    @Test func aThreadOfItsOwnRunsInOrder() async throws {
        let rig = try ScriptRig(
            "t = ba.thread.create() t:run(function() ba.sleep(10) trace('first') end) t:run(function() trace('second') end)"
        )
        await rig.app.settle()
        await rig.advance(.milliseconds(10))
        #expect(rig.traces == ["first", "second"])
        await rig.stop()
    }

    @Test func eventsAreKeptForThoseWhoComeLate() async throws {
        let rig = try ScriptRig(
            "xedge.event('wip', function(ip) trace('early', ip) end) later = function() xedge.event('wip', function(ip) trace('late', ip) end) end"
        )
        await rig.app.settle()
        rig.app.emit("wip", [.string("10.0.0.1")])
        await rig.app.settle()
        _ = try await rig.app.evaluate("later()")
        await rig.app.settle()
        #expect(rig.traces == ["early\t10.0.0.1", "late\t10.0.0.1"])
        await rig.stop()
    }

    @Test func anEventIsUnsubscribed() async throws {
        let rig = try ScriptRig("f = function() trace('x') end xedge.event('e', f) trace(xedge.event('e', f, true))")
        await rig.app.settle()
        rig.app.emit("e", [])
        await rig.app.settle()
        #expect(rig.traces == ["true"])
        await rig.stop()
    }

    @Test func errorsAreToldOnceWithFileAndLine() async throws {
        let rig = try ScriptRig(
            "xedge.event('error', function(text) trace('heard', text) end)\nba.timer(function() error('boom') end):set(1, true)\nba.timer(function()\n ba.timer(function() error('boom') end):set(1, true) return true end):set(5, true)"
        ) { $0.limits.faults = 1000 }
        await rig.app.settle()
        await rig.advance(.milliseconds(1), steps: 60)
        let records = rig.app.statistics.recentErrors
        #expect(records.count == 2)
        #expect(records.contains { $0.message == "test/main.xlua:4: boom" && $0.count > 5 && $0.activity == "timer" })
        #expect(records.allSatisfy { $0.traceback.contains("stack traceback") })
        #expect(rig.traces.contains { $0.hasPrefix("heard\ttimer: test/main.xlua:2: boom") })
        #expect(rig.errors.filter { $0 == "timer: test/main.xlua:4: boom" }.count == 1)
        await rig.stop()
    }

    @Test func logsAreLimited() async throws {
        let rig = try ScriptRig("for i = 1, 1000 do trace(i) end xedge.log('%d %s', 3.7, 'x')") {
            $0.limits.linesPerSecond = 10
        }
        await rig.app.settle()
        #expect(rig.traces.count == 10)
        await rig.advance(.seconds(2))
        _ = try await rig.app.evaluate("xedge.log('%d of %s', 3.7, 'x')")
        #expect(rig.lines.contains("991 lines were left out"))
        #expect(rig.lines.contains("3 of x"))
        await rig.app.settle()
        #expect(rig.app.statistics.droppedLines == 991)
        await rig.stop()
    }

    @Test func socketsLookAsIfTheyBlocked() async throws {
        let rig = try ScriptRig(
            .text(
                """
                local listener = assert(ba.socket.bind(0))
                local _, port = listener:sockname()
                listener:event(function(l)
                    while true do
                        local s = l:accept()
                        s:event(function(s)
                            while true do
                                local data, err = s:read()
                                if not data then trace('server: ' .. err) return end
                                s:write('<' .. data .. '>')
                            end
                        end, "s")
                    end
                end, "r")
                ba.thread.run(function()
                    local s = assert(ba.socket.connect('127.0.0.1', port))
                    s:write('hello')
                    trace(s:read(30000))
                    trace(s:read(1))
                    s:close()
                    trace(pcall(s.read, s))
                end)
                """, name: "main.xlua"), manual: false)
        try await eventually("the echo") { rig.traces.count == 4 }
        #expect(rig.traces.prefix(2) == ["<hello>", "nil\ttimeout"])
        #expect(rig.traces.contains("server: sysshutdown"))
        #expect(rig.traces.contains { $0.hasSuffix("CLOSED") })
        await rig.stop()
    }

    /// As public servers do it: nobody but the host holds the listener.
    @Test func aCosocketLivesWithoutBeingHeld() async throws {
        let rig = try ScriptRig(
            .text(
                """
                do
                    local listener = assert(ba.socket.bind(0))
                    port = select(2, listener:sockname())
                    listener:event(function(l) while true do l:accept():write("hello") end end, "r")
                end
                collectgarbage()
                ba.thread.run(function()
                    ba.sleep(1) collectgarbage()
                    trace(ba.socket.connect("127.0.0.1", port):read(60000))
                end)
                """, name: "main.xlua"), manual: false)
        try await eventually("the greeting") { !rig.traces.isEmpty || !rig.errors.isEmpty }
        #expect(rig.traces == ["hello"])
        #expect(rig.errors == [])
        await rig.stop()
    }

    @Test func cosocketsGetTablesThemselves() async throws {
        let rig = try ScriptRig(
            "t = {} ba.socket.event(function(sock, t, b) t.seen = true b[1] = 7 end, t, ba.bytearray.create(1)) ba.sleep(1) trace(t.seen)"
        )
        await rig.app.settle()
        await rig.advance(.milliseconds(1))
        #expect(rig.traces == ["true"])
        await rig.stop()
    }

    @Test func datagramsHaveSenders() async throws {
        let rig = try ScriptRig(
            .text(
                """
                local a, b = ba.socket.udpcon(0), ba.socket.udpcon(0)
                local _, port = a:sockname()
                ba.thread.run(function() local d, ip, p = a:read(30000) trace(d, ip) a:sendto('back', ip, p) end)
                ba.thread.run(function() b:sendto('there', '127.0.0.1', port) trace((b:read(30000))) end)
                """, name: "main.xlua"), manual: false)
        try await eventually("both") { rig.traces.count == 2 }
        #expect(rig.traces.sorted() == ["back", "there\t127.0.0.1"])
        await rig.stop()
    }

    @Test func aCosocketIsAQueuesConsumer() async throws {
        let rig = try ScriptRig(
            """
            queue = {}
            c = ba.socket.event(function(sock, name)
                while true do
                    while #queue > 0 do trace(name, table.remove(queue, 1)) end
                    sock:disable()
                end
            end, 'sends')
            """)
        await rig.app.settle()
        for _ in 0..<2 {
            _ = try await rig.app.evaluate("(function() queue[#queue + 1] = 'x' c:enable() end)()")
            await rig.app.settle()
        }
        #expect(rig.traces == ["sends\tx", "sends\tx"])
        await rig.stop()
    }

    @Test(arguments: [
        ("ba.socket.connect('example.org', 80)", "hosts: example.org"),
        ("ba.socket.udpcon('example.org', 80)", "hosts: example.org"),
        ("ba.socket.toip('example.org')", "hosts: example.org"),
        ("ba.socket.bind(0, {intf = '0.0.0.0'})", "listen: 0.0.0.0"),
    ])
    func permissionsAreAsked(_ expression: String, _ what: String) async throws {
        let rig = try ScriptRig("") { $0.permissions = .none }
        let error = await #expect(throws: DeviceError.self) { try await rig.app.evaluate(expression) }
        #expect(error?.message.contains("app test has no permission for \(what)") == true)
        await rig.stop()
    }

    @Test func socketsAreLimited() async throws {
        let rig = try ScriptRig("s = {} for i = 1, 10 do s[i] = ba.socket.udpcon(0) end") { $0.limits.sockets = 3 }
        await rig.app.settle()
        #expect(rig.errors.contains { $0.contains("too many sockets (at most 3)") })
        await rig.stop()
    }

    @Test func anObjectClosedByScopeIsGone() async throws {
        let rig = try ScriptRig("do local s <close> = ba.socket.udpcon(0) end n = 0")
        await rig.app.settle()
        #expect(rig.app.statistics.objects == 0)
        await rig.stop()
    }
}
