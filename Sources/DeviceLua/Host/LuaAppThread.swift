import CLuaShim
import DeviceCore
import Glibc

/// The thread that owns an app's Lua state: its loop, and the app's life. Used by that thread alone.
final class LuaAppThread {
    private struct Unit {
        let id: Int
        let path: String
        let environment: Int32
    }

    private let app: LuaApp
    private let libraries: [LuaLibrary]
    private var context: LuaContext?
    private var units: [Unit] = []
    private var environment: Int32 = 0
    private var lastUnit = 0
    private var state = LuaAppState.stopped
    private var faults: LuaFaultHistory
    private var reloads: UInt64 = 0
    private var isEnding = false
    private var isStarting = false
    /// An app that has had nothing to do for so long gives back what its thread's stack has grown to.
    private static let restsAfter: Int64 = 1_000_000_000
    private var isRested = false
    private var settling: [() -> Void] = []

    init(_ app: LuaApp, libraries: [LuaLibrary]) {
        self.app = app
        self.libraries = libraries
        faults = LuaFaultHistory(app.configuration.limits)
    }

    private var now: MonotonicTime { app.configuration.now() }

    func run() {
        start()
        // A script that waits for an event may make no turn for long.
        publish()
        while !isEnding { turn() }
        unloadAll()
        for command in app.mailbox.close() { command(self) }
        for settled in settling { settled() }
        publish()
    }

    // MARK: The loop

    private func turn() {
        let ready = wait()
        let (commands, messages) = app.mailbox.take()
        for command in commands where !isEnding { command(self) }
        if let context {
            for message in messages where self.context === context { message(context) }
            for file in ready where self.context === context { context.watches[file]?.action(context) }
            // What an action sets for now is for the next turn, so that nothing is kept waiting for ever.
            // Nor does what is due now keep the mailbox waiting.
            let start = now
            var left = 1000
            while left > 0, self.context === context, let action = context.deadlines.take(at: start) {
                left -= 1
                action(context)
            }
            if self.context === context { context.runFinalizers() }
        }
        checkFaults()
        publish()
        settle()
    }

    /// Waits until there is something to do; the files that are ready.
    private func wait() -> [Int32] {
        var polls = [pollfd(fd: app.mailbox.wakeFile, events: Int16(POLLIN), revents: 0)]
        if let context {
            for (file, watch) in context.watches {
                polls.append(
                    pollfd(
                        fd: file, events: Int16((watch.reads ? POLLIN : 0) | (watch.writes ? POLLOUT : 0)), revents: 0))
            }
        }
        var next = context?.deadlines.next ?? .distantFuture
        if case .backingOff(let until) = state { next = min(next, until) }
        if let context, clua_finalizers(context.host) > 0 || !settling.isEmpty { next = .zero }
        let left = (next - now).wholeNanoseconds
        let waitsForEver = next == .distantFuture || (app.configuration.hasManualClock && left > 0)
        let timeout = waitsForEver ? -1 : max(0, left)
        if !isRested, timeout < 0 || timeout > Self.restsAfter {
            if clua_poll(&polls, Int32(polls.count), Self.restsAfter) == 0 {
                clua_thread_rest()
                isRested = true
                return []
            }
        } else {
            isRested = false
            clua_poll(&polls, Int32(polls.count), timeout)
        }
        guard polls.contains(where: { $0.revents != 0 }) else { return [] }
        if polls[0].revents != 0 { clua_wake_clear(app.mailbox.wakeFile) }  // safe: made with one element
        return polls.dropFirst().filter { $0.revents != 0 }.map(\.fd)
    }

    private func publish() {
        var figures = context?.currentStatistics() ?? app.statistics
        figures.state = state
        figures.reloads = reloads
        app.publish(figures)
    }

    // MARK: Starting

    private func start() {
        guard context == nil, !isEnding else { return }
        do {
            let preload = try app.files.preload()
            let scripts = try app.files.scripts()
            let context = try LuaContext(app)
            self.context = context
            context.onFault = { [weak self] in self?.noteFault() }
            app.setRunning(context.host)
            for library in libraries { try context.install(library) }
            environment = clua_environment(context.host, 0)
            guard environment >= 0 else { throw DeviceError(.limitExceeded, "no memory for an environment") }
            try files(of: context)
            state = .running
            isStarting = true
            units = []
            if let preload {
                run(preload, unit: 0, in: environment) { [weak self] isGood in
                    if isGood { self?.start(scripts[...]) } else { self?.startFailed() }
                }
            } else {
                start(scripts[...])
            }
        } catch {
            fail("start", error as? DeviceError ?? DeviceError(.io, "\(error)"))
            startFailed()
        }
    }

    /// What an app's environment has of its own: `app` and `io`.
    private func files(of context: LuaContext) throws(DeviceError) {
        var program = LuaProgram(context.output)
        program.put(CLUA_REFERENCE, integer: Int64(environment))
        _ = clua_set(context.host, environment, "app")
        guard app.files.root != nil else { return }
        do {
            program = LuaProgram(context.output)
            context.put(.object(try context.add(LuaDirectory(app.files, ""))), into: &program)
            _ = clua_set(context.host, environment, "io")
        } catch {
            throw DeviceError(.limitExceeded, "no memory for the app's io: \(error)")
        }
    }

    /// Each once the one before has ended or waits.
    private func start(_ scripts: ArraySlice<LuaAppFiles.Script>) {
        var rest = scripts
        while let script = rest.popFirst(), context != nil {
            var hasFailed = false
            load(script) { if !$0 { hasFailed = true } }
            if hasFailed { return startFailed() }
        }
        isStarting = false
    }

    private func startFailed() {
        guard context != nil || isStarting || state == .stopped else { return }
        isStarting = false
        unloadAll()
        state = faults.startFailed(at: now)
        if state == .safeMode {
            note(
                "app \(app.name) failed to start \(app.configuration.limits.failedStarts) times in a row: it waits until a file of it changes"
            )
        }
    }

    private func load(_ script: LuaAppFiles.Script, _ done: @escaping (Bool) -> Void) {
        guard let context else { return done(false) }
        let own = clua_environment(context.host, environment)
        guard own >= 0 else {
            context.report("load \(script.path)", "not enough memory", "", isKill: false)
            return done(false)
        }
        lastUnit += 1
        let unit = Unit(id: lastUnit, path: script.path, environment: own)
        units.append(unit)
        run(script, unit: unit.id, in: own, done)
    }

    private func compile(_ script: LuaAppFiles.Script, in environment: Int32) -> Int32? {
        guard let context else { return nil }
        let function = script.text.withUnsafeBytes { bytes in
            clua_compile(
                context.host, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count,
                "@\(app.name)/\(script.path)", environment)
        }
        if function >= 0 { return function }
        context.report("compile \(script.path)", String(cString: clua_error_text(context.host)), "", isKill: false)
        return nil
    }

    private func run(
        _ script: LuaAppFiles.Script, unit: Int, in environment: Int32, _ done: @escaping (Bool) -> Void
    ) {
        guard let context, let function = compile(script, in: environment) else { return done(false) }
        context.start(
            .compiled(function), [],
            LuaActivation(thread: 0, owner: unit, activity: "run \(script.path)", yielded: nil) { _, end in
                if case .returned = end { done(true) } else { done(false) }
            })
        // A script that still runs is kept by its coroutine.
        clua_unreference(context.host, function)
    }

    // MARK: Ending

    /// Runs `onunload` of a file, takes back what it has, and empties its environment.
    private func unload(_ unit: Unit) {
        guard let context else { return }
        unload(unit.id, unit.environment, unit.path, context)
        clua_unreference(context.host, unit.environment)
        units.removeAll { $0.id == unit.id }
    }

    private func unload(_ id: Int, _ environment: Int32, _ path: String, _ context: LuaContext) {
        if clua_has_function(context.host, environment, "onunload") != 0 {
            context.start(
                .rawMember(environment, "onunload"), [],
                LuaActivation(thread: 0, owner: id, activity: "onunload \(path)", yielded: nil, finish: nil))
        }
        context.start(
            .sweep(environment), [],
            LuaActivation(thread: 0, owner: id, activity: "unload \(path)", yielded: nil, finish: nil))
        context.revoke(owner: id)
    }

    private func unloadAll() {
        guard let context else { return }
        clua_interrupt(context.host, 0)
        context.isEnding = true
        for unit in units.reversed() { unload(unit) }
        unload(0, environment, ".preload", context)
        for handle in context.objects.keys { context.close(LuaObject(handle: handle)) }
        publish()
        app.setRunning(nil)
        self.context = nil
        units = []
        state = .stopped
    }

    // MARK: Faults

    private func noteFault() { faults.note(at: now) }

    private func checkFaults() {
        if context != nil, !isStarting, faults.isTooMany(at: now) {
            unloadAll()
            state = faults.backOff(at: now)
            note("app \(app.name) had too many errors: it is stopped for a while")
        }
        if case .backingOff(let until) = state, until <= now {
            state = .stopped
            start()
        }
        if context != nil { faults.ranWell(at: now) }
    }

    private func note(_ text: String) {
        app.configuration.output(LuaLine(app: app.name, level: .error, text: text))
    }
    private func fail(_ activity: String, _ error: DeviceError) { note("\(activity): \(error)") }

    // MARK: Commands

    func stop() {
        unloadAll()
        state = .stopped
    }

    func restart() {
        unloadAll()
        faults.forget()
        start()
    }

    func end() { isEnding = true }

    func filesChanged(_ paths: [String]) {
        guard context != nil else {
            if state == .stopped, faults.isEmpty { return }  // stopped by hand
            faults.forget()
            state = .stopped
            return start()
        }
        reloads += 1
        if paths.contains(where: { $0 == ".preload" || $0.hasPrefix(".lua/") }) { return reloadAll() }
        for path in paths where app.files.isScript(path) { reload(path) }
    }

    private func reloadAll() {
        // What cannot be compiled does not replace what runs.
        if let preload = try? app.files.preload(), let context {
            guard let function = compile(preload, in: environment) else { return }
            clua_unreference(context.host, function)
        }
        unloadAll()
        start()
    }

    private func reload(_ path: String) {
        let old = units.first { $0.path == path }
        do {
            let script = LuaAppFiles.Script(path: path, text: try app.files.read(path))
            guard let context, let function = compile(script, in: environment) else { return }
            clua_unreference(context.host, function)
            guard old != nil || units.count < LuaAppFiles.maximumScripts else {
                return note("reload \(path): more than \(LuaAppFiles.maximumScripts) scripts")
            }
            if let old { unload(old) }
            load(script) { _ in }
        } catch {
            guard error.code == .notFound else { return fail("reload \(path)", error) }
            if let old { unload(old) }
        }
    }

    func evaluate(_ line: String, _ answer: @escaping (Result<String, DeviceError>) -> Void) {
        guard let context else {
            return answer(.failure(DeviceError(.unavailable, "app \(app.name) does not run", hint: "Restart it")))
        }
        let target = units.first?.environment ?? environment
        var function: Int32 = -1
        for text in ["return " + line, line] where function < 0 {
            var text = text
            function = text.withUTF8 { utf8 in
                utf8.withMemoryRebound(to: CChar.self) {
                    clua_compile(context.host, $0.baseAddress, $0.count, "=prompt", target)
                }
            }
        }
        guard function >= 0 else {
            let message = String(cString: clua_error_text(context.host))
            return answer(.failure(DeviceError(.invalidArgument, message)))
        }
        context.start(
            .evaluate(function), [],
            LuaActivation(thread: 0, owner: units.first?.id ?? 0, activity: "prompt", yielded: nil) { _, end in
                switch end {
                case .returned(let values): answer(.success(values.first?.text ?? ""))
                case .failed(let message), .killed(let message):
                    answer(.failure(DeviceError(.invalidArgument, message)))
                }
            })
        clua_unreference(context.host, function)
    }

    func settle(_ done: @escaping () -> Void) { settling.append(done) }

    /// Answers those who wait for quiet, once nothing is due.
    private func settle() {
        guard !settling.isEmpty else { return }
        let isQuiet = context.map { context in
            var deadlines = context.deadlines
            return deadlines.next > now && clua_finalizers(context.host) == 0
        }
        guard isQuiet ?? true else { return }
        let done = settling
        settling = []
        for settled in done { settled() }
    }
}
