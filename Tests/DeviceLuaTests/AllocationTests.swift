import DeviceCore
import Testing

@testable import DeviceLua

/// Lets every allocation of every call fail, one after the other: the script gets an error, and nothing is lost.
@Suite struct AllocationTests {
    static let calls = [
        "return {1, 2, a = {b = 'c'}}", "return ('x'):rep(100) .. 'y'", "trace('a', 1, {}, nil)",
        "local t = ba.timer(function() return true end) t:set(10, true) t:reset(5) t:cancel() t:close()",
        "ba.timer(function() coroutine.yield(true) end):set(0, true, true)",
        "ba.thread.run(function() ba.sleep(1) end)",
        "local t = ba.thread.create() t:run(function() end) t:run(function() end)", "ba.sleep(0)",
        "return ba.json.encode({a = {1, 2, 'x'}}), ba.json.decode('{\"a\":[1,null,{\"b\":2}]}')", "return ba.json.null",
        "local b = ba.bytearray.create(100) b[1] = 'abc' return tostring(b), ba.bytearray.copy(b, 1, 'x')",
        "return ba.b64encode('hello'), ba.b64decode('aGVsbG8='), ba.b64urlencode('x'), ba.urlencode('a b')",
        "return ba.rnd(1, 2), ba.rnds(8), ba.rndbs(8), ba.clock(), ba.version()",
        "return ba.crypto.hash('sha256')('abc')(true, 'hex')",
        "return ba.crypto.hash('hmac', 'sha1', 'k')('abc')(true)",
        "local c = ba.crypto.symmetric('GCM', ('k'):rep(16), ('i'):rep(12)) return c:encrypt('abc', 'PKCS7')",
        "local k = ba.aeskey() return ba.aesdecode(k, ba.aesencode(k, 'abc')), ba.crypto.PBKDF2('sha1', 'p', 's', 1, 20)",
        "return ba.crypto.sign(('h'):rep(32), 'x'), ba.crypto.verify('s', ('h'):rep(32), {x = 'x', y = 'y'})",
        "local p = ba.json.parser() p:parse('[1, {') return p:parse('}]', true)",
        "local s = ba.create.certstore() s:addcert('x') return ba.create.sharkssl(s), ba.sharkclient()",
        "ba.seterrh(function() end) ba.seterrh() return ba.openio('home'), ba.mkio(), require('serpent').block({1, a = {}})",
        "return tostring(ba.datetime('NOW') + {mins = 1}), ba.datetime('MIN') < ba.datetime('MAX'), ba.datetime(1):ticks()",
        "local s <close> = ba.socket.udpcon(0) return s:sockname()",
        "local l = ba.socket.bind(0) l:event(function(l) l:accept() end, 'r')",
        "ba.socket.event(function(s, a) s:disable() end, 1):enable()", "return ba.socket.connect('127.0.0.1', 1)",
        "xedge.event('e', function(a) end) xedge.event('e', print)", "xedge.log('%d %s', 1.5, 'x') xedge.elog({}, 'x')",
        "xedge.sendErr('x')", "return pcall(error, {code = 1})", "error('x')", "error({})",
        "return xpcall(function() error('x') end, debug.traceback)", "return pcall(require, 'nothing')",
        "return load('return 1 + 1')()", "return load(function() return nil end)", "return load('return return')",
        "local c = coroutine.wrap(function(a) local b = coroutine.yield(a) return b end) return c(1), c(2)",
        "local c = coroutine.create(function() error('x') end) return coroutine.resume(c), coroutine.close(c)",
        "coroutine.wrap(function() ba.sleep(0) end)()",
        "setmetatable({}, {__gc = function() end}) collectgarbage() collectgarbage()",
        "do local x <close> = setmetatable({}, {__close = function() end}) end",
        "return ('a=1, b=2'):gsub('(%w)=(%w)', '%2=%1'), ('abc'):find('b'), ('abc'):match('(.)(.)')",
        "for k in ('a b c'):gmatch('%a') do end return ('abc'):gsub('.', {a = 1}), ('abc'):gsub('.', function() end)",
        "return string.format('%d %s %q', 1.5, {}, 'x'), table.concat({1, 2, 3}, ','), table.unpack({1, 2, 3})",
        "local t = {3, 1, 2} table.sort(t) table.insert(t, 1, 0) table.move(t, 1, 2, 3)",
        "return 3.7 | 0, os.date(), os.time()",
        "return math.random(10), utf8.char(228, 8364), select('#', 1, 2)",
        "local t = {} for i = 1, 50 do t[i] = {i} end",
        "return ba.sharkclient(), xedge.eflush(), xedge.sendmail({})",
        "local s <close> = ba.socket.udpcon(0) s:setoption('nodelay', true) s:peername() s:state() s:trusted() s:upgrade()",
        "local s <close> = ba.socket.udpcon(0) s:sendto('x', '127.0.0.1', 9) s:write('x') s:read(0) s:close()",
        "return ba.socket.toip('127.0.0.1')", "return ba.socket.getsock(), ba.socket.req2sock(), ba.socket.http2sock()",
        "local l <close> = ba.socket.bind(0) return l:accept()", "ba.socket.udpcon(0):close()",
        "return tostring(ba.json.null)",
        "return ba.datetime(1):tostring(), ba.datetime(1) - ba.datetime(0), ba.datetime(1) <= ba.datetime(1), ba.datetime(1) == ba.datetime(2)",
        "local t = ba.thread.create() t:close()",
        """
        local c, f = ba.create, pcall
        f(c.authenticator) f(c.authuser) f(c.csr) f(c.dav) f(c.dir) f(c.domain) f(c.jsonuser) f(c.luaio) f(c.resrdr)
        f(c.servercon) f(c.tracelogger) f(c.upload) f(c.wfs) f(ba.exec) f(ba.forkpty) f(ba.parsecert) f(ba.parselsp)
        f(ba.serverport) f(ba.tpm) f(ba.io, 'home') f(ba.mac) f(require'serpent'.line, {1}) f(xedge.createloader, ba.openio'home')
        """,
        "local p = ba.json.parser() p:parse('[1') p:close()",
        "local s = ba.create.certstore() s:close()",
        "pcall(ba.crypto.keyparams, 'x') pcall(ba.crypto.sigparams, 'x') return ba.create.key{key = 'ecc'}",
        "pcall(ba.create.sharkcert, 'a', 'b') local s = ba.create.sharkssl() pcall(s.addcert, s, 'x') s:close()",
        """
        local c = ba.crypto.symmetric('GCM', ('k'):rep(16), ('i'):rep(12)) c:setauth('a')
        local data, tag = c:encrypt('abc', 'PKCS7') c:close()
        local d = ba.crypto.symmetric('GCM', ('k'):rep(16), ('i'):rep(12)) d:setauth('a') pcall(d.decrypt, d, data, tag)
        """,
        """
        local io = ba.openio('home') io:mkdir('d') local f = io:open('d/f', 'w') f:write('return 1') f:flush() f:close()
        f = io:open('d/f') f:seek('set', 1) f:read('a') f:close()
        local again = io:loadfile('d/f') local list = {} for name in io:files('d') do list[#list + 1] = name end
        return io:stat('d/f'), io:realpath('d'), io:resourcetype(), io:dofile('d/f'), io:remove('d/f'), io:rmdir('d')
        """,
    ]

    @Test(arguments: calls)
    func everyFailureIsAnError(_ script: String) throws {
        try AllocationSweep(LuaRuntime.libraries).run(script)
    }

    @Test func everyFunctionIsAmongThem() throws {
        let missing = try AllocationSweep(LuaRuntime.libraries).missing(from: Self.calls)
        #expect(missing.isEmpty, "\(missing)")
    }

    @Test func aStateThatCannotBeginIsAnError() throws {
        for memory in stride(from: 1000, to: 20_000, by: 500) {
            var configuration = LuaAppConfiguration(name: "test", source: .text("", name: "x"))
            configuration.limits.memory = memory
            let app = try LuaApp(configuration, workers: LuaWorkers())
            if memory < 12_000 { #expect(throws: DeviceError.self) { _ = try LuaContext(app) } }
        }
    }
}
