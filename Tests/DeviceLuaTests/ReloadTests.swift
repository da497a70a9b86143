import DeviceCore
import Glibc
import TestSupport
import Testing

@testable import DeviceLua

/// Apps of files: how they start, are loaded again, and end.
@Suite struct ReloadTests {
    private let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
        mkdir(directory(".lua"), 0o700)
        mkdir(directory("sub"), 0o700)
    }

    private func write(_ text: String, _ name: String) throws {
        try TemporaryDirectory.write(Array(text.utf8), to: directory(name))
    }

    @Test func environmentsAreNested() async throws {
        try write("shared = 'from preload' trace('preload', app == _ENV, io ~= nil)", ".preload")
        try write("mine = 1 trace('a', shared, mine, app.shared)", "a.xlua")
        try write("trace('b', shared, mine) app.other = 2", "sub/b.xlua")
        try write("trace('c', other)", "sub/c.xlua")
        try write("trace('not run')", "d.lua")
        let rig = try ScriptRig(.directory(directory.path))
        await rig.app.settle()
        #expect(
            rig.traces == [
                "preload\ttrue\ttrue", "a\tfrom preload\t1\tfrom preload", "b\tfrom preload\tnil", "c\t2",
            ])
        await rig.stop()
    }

    @Test func requiresItsOwnModules() async throws {
        mkdir(directory(".lua/deep"), 0o700)
        try write("local M = {name = ...} trace('loaded') return M", ".lua/one.lua")
        try write("return {deep = require('one').name}", ".lua/deep/two.lua")
        try write(
            "trace(require('one').name, require('one') == require('one'), require('deep.two').deep) trace(pcall(require, 'three'))",
            "a.xlua")
        let rig = try ScriptRig(.directory(directory.path))
        await rig.app.settle()
        #expect(rig.traces.prefix(2) == ["loaded", "one\ttrue\tone"])
        #expect(rig.traces.last?.contains("module 'three' not found") == true)
        await rig.stop()
    }

    @Test func filesStayBelowTheApp() async throws {
        symlink("/etc/passwd", directory("link"))
        try write(
            """
            local f = io:open('data.txt', 'w') f:write('one\\n', 'two') f:close()
            local f = io:open('data.txt') trace(f:read('l'), f:read(2), f:read('a'), f:read('a')) f:close()
            trace(io:stat('data.txt').size, io:stat('nothing'))
            for name, isdir in io:files('/') do if name == 'sub' or name == 'data.txt' then trace(name, isdir) end end
            trace(io:mkdir('new'), io:stat('new').isdir, io:rmdir('new'), io:remove('data.txt'))
            trace(io:open('../x', 'w') == nil, io:open('link') == nil, io:open('sub/../../x') == nil, io:open('/etc/passwd') == nil)
            trace(io:dofile('lib.lua'), io:dofile('lib.lua', {x = 2}))
            trace(io:loadfile('bad.lua'))
            """, "a.xlua")
        try write("return x", "lib.lua")
        try write("return return", "bad.lua")
        let rig = try ScriptRig(.directory(directory.path)) { _ in }
        await rig.app.settle()
        #expect(
            rig.traces.prefix(7) == [
                "one\ttw\to\tnil", "7\tnil\tnotfound", "data.txt\tfalse", "sub\ttrue", "true\ttrue\ttrue\ttrue",
                "true\ttrue\ttrue\ttrue", "nil\t2",
            ], "\(rig.errors)")
        #expect(rig.traces.last?.hasPrefix("nil\ttest/bad.lua:1:") == true)
        await rig.stop()
    }

    @Test func aSavedFileIsLoadedAgain() async throws {
        try write(
            "t = ba.timer(function() trace('old') return true end) t:set(10) function onunload() trace('unloaded') end",
            "a.xlua")
        try write("trace('b') s = ba.socket.udpcon(0)", "b.xlua")
        let rig = try ScriptRig(.directory(directory.path))
        await rig.app.settle()
        await rig.advance(.milliseconds(10))
        try write("trace('new')", "a.xlua")
        rig.app.filesChanged(["a.xlua"])
        await rig.advance(.milliseconds(10), steps: 2)
        #expect(rig.traces == ["b", "old", "unloaded", "new"])
        #expect(rig.app.statistics.timers == 0)
        #expect(rig.app.statistics.objects == 2, "the socket of b and the app's io")
        await rig.stop()
    }

    @Test func whatCannotBeCompiledReplacesNothing() async throws {
        try write("trace('runs') ba.timer(function() trace('tick') return true end):set(10, true)", "a.xlua")
        let rig = try ScriptRig(.directory(directory.path))
        await rig.app.settle()
        try write("trace('broken'", "a.xlua")
        rig.app.filesChanged(["a.xlua"])
        await rig.advance(.milliseconds(10))
        #expect(rig.traces == ["runs", "tick"])
        #expect(rig.errors.contains { $0.contains("test/a.xlua:1: ')' expected") })
        await rig.stop()
    }

    @Test func localsAndWaitsGoToo() async throws {
        try write(
            """
            local t = ba.timer(function() trace('tick') return true end) t:set(10, true)
            xedge.event('e', function() trace('event') end)
            ba.thread.run(function() local x <close> = setmetatable({}, {__close = function() trace('closed') end}) ba.sleep(50) trace('late') end)
            """, "a.xlua")
        let rig = try ScriptRig(.directory(directory.path))
        await rig.app.settle()
        try write("", "a.xlua")
        rig.app.filesChanged(["a.xlua"])
        rig.app.emit("e", [])
        await rig.advance(.milliseconds(10), steps: 10)
        #expect(rig.traces == ["closed"])
        await rig.stop()
    }

    @Test func preloadRestartsTheApp() async throws {
        try write("x = 1", ".preload")
        try write("trace(x)", "a.xlua")
        let rig = try ScriptRig(.directory(directory.path))
        await rig.app.settle()
        try write("x = 2", ".preload")
        rig.app.filesChanged([".preload"])
        await rig.app.settle()
        try write("x = ", ".preload")
        rig.app.filesChanged([".preload"])
        await rig.app.settle()
        #expect(rig.traces == ["1", "2"])
        #expect(rig.app.statistics.state == .running)
        await rig.stop()
    }

    @Test func closesWhatHasAClose() async throws {
        try write(
            "thing = {close = function() trace('table closed') end, inner = {s = ba.socket.udpcon(0)}} local loop = {} loop.loop = loop x = loop",
            "a.xlua")
        let rig = try ScriptRig(.directory(directory.path))
        await rig.app.settle()
        await rig.stop()
        #expect(rig.traces == ["table closed"])
    }

    @Test func anUnloadThatLoopsIsEnded() async throws {
        try write("function onunload() while true do end end s = ba.socket.udpcon(0)", "a.xlua")
        let rig = try ScriptRig(.directory(directory.path))
        await rig.app.settle()
        try write("trace('new')", "a.xlua")
        rig.app.filesChanged(["a.xlua"])
        await rig.app.settle()
        #expect(rig.traces == ["new"])
        await rig.stop()
    }

    @Test func savingIsNoticed() async throws {
        try write("trace('one')", "a.xlua")
        let rig = try ScriptRig(.directory(directory.path), manual: false, reloads: true)
        try await eventually("the first") { rig.traces == ["one"] }
        try write("trace('two')", "a.xlua")
        try await eventually("the second") { rig.traces == ["one", "two"] }
        try write("trace('three')", "sub/new.xlua")
        try await eventually("a new file") { rig.traces == ["one", "two", "three"] }
        // As editors do.
        try write("trace('four')", "sub/.new.tmp")
        rename(directory("sub/.new.tmp"), directory("sub/new.xlua"))
        try await eventually("a renamed file") { rig.traces.last == "four" }
        await rig.stop()
    }

    @Test func oneFileIsAnApp() async throws {
        try write("trace('alone', io:stat('other.xlua') ~= nil)", "one.xlua")
        try write("trace('no')", "other.xlua")
        let rig = try ScriptRig(.file(directory("one.xlua")))
        await rig.app.settle()
        #expect(rig.traces == ["alone\ttrue"])
        await rig.stop()
    }

    @Test func safeModeEndsWithAChange() async throws {
        try write("error('no')", "a.xlua")
        let rig = try ScriptRig(.directory(directory.path))
        for _ in 0..<3 { await rig.advance(.seconds(400)) }
        #expect(rig.app.statistics.state == .safeMode)
        try write("trace('mended')", "a.xlua")
        rig.app.filesChanged(["a.xlua"])
        await rig.app.settle()
        #expect(rig.app.statistics.state == .running)
        #expect(rig.traces == ["mended"])
        await rig.stop()
    }

    /// Reloads of a blinking script: neither memory nor objects grow.
    @Test func tenThousandReloadsLeaveNothing() async throws {
        try write(
            """
            local state = false
            local socket = ba.socket.udpcon(0)
            t = ba.timer(function() state = not state return true end)
            t:set(1000)
            xedge.event('wip', function() end)
            """, "a.xlua")
        let rig = try ScriptRig(.directory(directory.path))
        await rig.app.settle()
        func reload(_ count: Int) async {
            for _ in 0..<count { rig.app.filesChanged(["a.xlua"]) }
            await rig.app.settle()
            _ = try? await rig.app.evaluate("collectgarbage()")
            await rig.app.settle()
        }
        await reload(500)
        let before = (rig.app.statistics, residentKilobytes(), openFiles())
        await reload(10_000)
        let after = (rig.app.statistics, residentKilobytes(), openFiles())
        #expect(after.0.reloads >= 10_500)
        #expect(after.0.memory <= before.0.memory + 2048)
        #expect(after.0.objects == before.0.objects)
        #expect(after.0.timers == 1)
        // Other tests of this process have files and memory of their own.
        #expect(after.2 < before.2 + 500)
        // AddressSanitizer keeps what was freed.
        // 10 KB that each reload left would be 100 MB.
        if getenv("ASAN_OPTIONS") == nil { #expect(after.1 < before.1 + 80_000) }
        #expect(rig.errors == [])
        await rig.stop()
    }

    private func residentKilobytes() -> Int {
        let text = (try? SystemFile.text("/proc/self/statm")) ?? ""
        return (text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0)
            * Int(sysconf(Int32(_SC_PAGESIZE))) / 1024
    }
    private func openFiles() -> Int { TemporaryDirectory.names("/proc/self/fd").count }
}
