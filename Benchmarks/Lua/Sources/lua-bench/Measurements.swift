import CLuaPeer
import DeviceLua
import Glibc

/// Nanoseconds on the kernel's monotonic clock.
private func nanosecondsNow() -> Int64 { LuaAppConfiguration.monotonicNow().nanoseconds }

/// The measurements, each a line of a table.
struct Measurements {
    let rounds: Int
    private let plain = peer_new(0)
    private let hooked = peer_new(1)

    init(rounds: Int) { self.rounds = rounds }

    private static let library = LuaLibrary(
        "host",
        members: [
            "pushed": .function { call in
                call.push(try call.integer(0) + 1)
                return .pushed
            },
            "values": .function { call in .value(.integer(try call.integer(0) + 1)) },
            "now": .function { call in
                call.push(nanosecondsNow())
                return .pushed
            },
            "answer": .function { call in
                call.context.state { Answer() }.signal()
                return .pushed
            },
        ])

    /// What an event's callback answers by.
    private final class Answer {
        static let file = peer_eventfd()
        func signal() {
            var one: UInt64 = 1
            _ = write(Self.file, &one, 8)
        }
    }

    private func makeApp(_ host: LuaHost, _ name: String, _ script: String) throws -> LuaApp {
        var configuration = LuaAppConfiguration(name: name, source: .text(script, name: "\(name).xlua"))
        configuration.limits.instructions = 1 << 50
        configuration.limits.processorTime = .seconds(3600)
        configuration.libraries = [Self.library]
        return try host.add(configuration)
    }

    private func least(_ body: () async throws -> Int64) async rethrows -> Double {
        var least = Int64.max
        for _ in 0..<rounds { least = min(least, try await body()) }
        return Double(least)
    }

    /// Nanoseconds that a chunk takes in an app.
    private func time(_ app: LuaApp, _ script: String) async throws -> Int64 {
        Int64(
            try await app.evaluate("(function() local t0 = host.now() do \(script) end return host.now() - t0 end)()"))
            ?? -1
    }

    private func row(_ cells: String...) { print("| " + cells.joined(separator: " | ") + " |") }
    private func nanoseconds(_ value: Double) -> String {
        value >= 10_000 ? "\(Double(Int(value / 100)) / 10) us" : "\(Double(Int(value * 10)) / 10) ns"
    }
    private func ratio(_ ours: Double, _ theirs: Double) -> String { "\(Double(Int(ours / theirs * 100)) / 100)" }

    func run() async throws {
        let host = LuaHost(reloads: false)
        let app = try makeApp(host, "bench", "")
        print("least of \(rounds) rounds, by turns; \(sysconf(Int32(_SC_NPROCESSORS_ONLN))) processors\n")
        row("what", "plain C", "plain C with a count hook", "this host", "times plain C", "times hooked C")
        row("---", "---", "---", "---", "---", "---")

        let count = 500_000.0
        let empty = "local f = direct for i = 1, 500000 do end"
        func calls(_ name: String, _ theirs: String, _ ours: String) async throws {
            let c =
                await least { peer_run(plain, "local f = \(theirs) for i = 1, 500000 do f(i) end") }
                - (await least { peer_run(plain, empty) })
            let h =
                await least { peer_run(hooked, "local f = \(theirs) for i = 1, 500000 do f(i) end") }
                - (await least { peer_run(hooked, empty) })
            let o =
                try await least { try await time(app, "local f = \(ours) for i = 1, 500000 do f(i) end") }
                - (try await least { try await time(app, "for i = 1, 500000 do end") })
            row(name, nanoseconds(c / count), nanoseconds(h / count), nanoseconds(o / count), ratio(o, c), ratio(o, h))
        }
        try await calls("Lua to host, integer to integer (C: marshalled)", "marshalled", "host.pushed")
        try await calls("the same, answered as an array", "marshalled", "host.values")
        try await calls("the same (C: a function of Lua's own kind)", "direct", "host.pushed")

        // Host to Lua: a function that adds one.
        let source = "function f(x) return 1 end"
        _ = peer_run(plain, source)
        _ = peer_run(hooked, source)
        let callC = await least { peer_call(plain, 100_000) }
        let callH = await least { peer_call(hooked, 100_000) }
        let callO = try await least { try await startMany(app, 100_000) }
        row(
            "host to Lua (here: an activation with a coroutine and a budget)", nanoseconds(callC / 1e5),
            nanoseconds(callH / 1e5), nanoseconds(callO / 1e5), ratio(callO, callC), ratio(callO, callH))

        _ = peer_run(plain, "function f() answer() end")
        _ = peer_run(hooked, "function f() answer() end")
        let eventC = await least { peer_events(plain, 5000) }
        let eventH = await least { peer_events(hooked, 5000) }
        let eventO = try await least { try await events(app, 5000) }
        row(
            "event to callback and back, two threads", nanoseconds(eventC / 5e3), nanoseconds(eventH / 5e3),
            nanoseconds(eventO / 5e3), ratio(eventO, eventC), ratio(eventO, eventH))

        func loop(_ name: String, _ script: String, per count: Double) async throws {
            let c = await least { peer_run(plain, script) }
            let h = await least { peer_run(hooked, script) }
            let o = try await least { try await time(app, script) }
            row(name, nanoseconds(c / count), nanoseconds(h / count), nanoseconds(o / count), ratio(o, c), ratio(o, h))
        }
        try await loop(
            "tight loop, a turn: s = s + i % 7", "local s = 0 for i = 1, 2000000 do s = s + i % 7 end", per: 2e6)
        try await loop(
            "flooring: ('abc'):sub(1, 2)", "local s = 'abc' for i = 1, 200000 do local x = s:sub(1, 2) end", per: 2e5)
        try await loop(
            "flooring: string.format('%d', i)", "local f = string.format for i = 1, 200000 do f('%d', i) end", per: 2e5)
        try await loop("flooring: i | 1", "local s for i = 1, 2000000 do s = i | 1 end", per: 2e6)
        try await loop(
            "string.find with a pattern",
            "local s = 'key = value' for i = 1, 100000 do s:find('(%w+)%s*=%s*(%w+)') end", per: 1e5)
        try await loop(
            "table.sort of 100 numbers",
            "for j = 1, 500 do local t = {} for i = 1, 100 do t[i] = i * 7919 % 101 end table.sort(t) end", per: 500)

        try await blink(app)
        try await memory()
        try await reload()
        await host.stop()
    }

    /// Starts an activation so many times from the app's own thread.
    private func startMany(_ app: LuaApp, _ count: Int) async throws -> Int64 {
        _ = try await app.evaluate("(function() xedge.event('bench', function(x) return 1 end) end)()")
        return await withCheckedContinuation { continuation in
            app.post { context in
                let start = nanosecondsNow()
                for index in 0..<count { context.emit("bench", [.integer(index)], isRetained: false) }
                let taken = nanosecondsNow() - start
                context.forgetListeners("bench")
                continuation.resume(returning: taken)
            }
        }
    }

    private func events(_ app: LuaApp, _ count: Int) async throws -> Int64 {
        _ = try await app.evaluate("(function() xedge.event('ping', function() host.answer() end) end)()")
        let start = nanosecondsNow()
        for _ in 0..<count {
            app.post { $0.emit("ping", [], isRetained: false) }
            var value: UInt64 = 0
            _ = read(Answer.file, &value, 8)
        }
        let taken = nanosecondsNow() - start
        await withCheckedContinuation { continuation in
            app.post {
                $0.forgetListeners("ping")
                continuation.resume()
            }
        }
        return taken
    }

    /// One tick of a blinking coroutine: a host call and a yield.
    private func blink(_ app: LuaApp) async throws {
        let source =
            "function f() local on = false while true do on = not on marshalled(on and 1 or 0) coroutine.yield(true) end end"
        _ = peer_run(plain, source)
        _ = peer_run(hooked, source)
        let c = await least { peer_resume(plain, 100_000) }
        let h = await least { peer_resume(hooked, 100_000) }
        let before = app.statistics
        _ = try await app.evaluate(
            "(function() t = ba.timer(function() local on = false while true do on = not on host.pushed(on and 1 or 0) coroutine.yield(true) end end) t:set(0) end)()"
        )
        try await Task.sleep(for: .seconds(1))
        _ = try await app.evaluate("t:cancel()")
        await app.settle()
        let after = app.statistics
        let ticks = Double(after.activations - before.activations)
        let time = after.processorTime - before.processorTime
        let o = Double(time.components.attoseconds) / 1e9 + Double(time.components.seconds) * 1e9
        row(
            "blink, a tick (here: as the app's statistics say)", nanoseconds(c / 1e5), nanoseconds(h / 1e5),
            nanoseconds(o / ticks), ratio(o / ticks, c / 1e5), ratio(o / ticks, h / 1e5))
    }

    private func resident() -> Double {
        var line = [CChar](repeating: 0, count: 200)
        guard let file = fopen("/proc/self/statm", "r") else { return 0 }
        defer { fclose(file) }
        guard fgets(&line, 200, file) != nil else { return 0 }
        let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return (text.split(separator: " ").dropFirst().first.flatMap { Double($0) } ?? 0)
            * Double(sysconf(Int32(_SC_PAGESIZE)))
    }

    private func memory() async throws {
        let host = LuaHost(reloads: false)
        for index in 0..<20 { await (try makeApp(host, "warm\(index)", "")).settle() }
        let count = 200
        let (resident, allocated, stacks) = (resident(), peer_allocated(), peer_stacks(4 << 20))
        var heap = 0
        for index in 0..<count {
            let app = try makeApp(
                host, "idle\(index)", "local t = ba.timer(function() return true end) t:set(3600000, true)")
            await app.settle()
            heap += app.statistics.memory
        }
        // Idle means that nothing happens for more than a second: then an app gives back what it does not need.
        try await Task.sleep(for: .seconds(2))
        func each(_ bytes: Double) -> String { "\(Int(bytes / Double(count))) bytes" }
        row(
            "memory of an idle app with a timer, resident", "\(peer_memory(plain)) bytes of heap", "",
            each(self.resident() - resident), "", "")
        row("of that, the stack of its thread", "", "", each(Double(peer_stacks(4 << 20) - stacks)), "", "")
        row("of that, allocated", "", "", each(Double(peer_allocated() - allocated)), "", "")
        row("of the latter, by Lua", "", "", each(Double(heap)), "", "")
        await host.stop()
    }

    private func reload() async throws {
        let script = "local on = false function tick() on = not on return true end"
        let c = await least { peer_reload(script + " direct(1)", 500) }
        let host = LuaHost(reloads: false)
        let app = try makeApp(host, "reload", script + " t = ba.timer(tick) t:set(1000)")
        await app.settle()
        let o = await least {
            let start = nanosecondsNow()
            for _ in 0..<500 { app.restart() }
            await app.settle()
            return nanosecondsNow() - start
        }
        row(
            "whole app anew (C: a state, all libraries, a chunk)", nanoseconds(c / 500), "", nanoseconds(o / 500),
            ratio(o, c), "")
        await host.stop()
    }
}
