import DeviceCore
import DeviceLua
import Glibc

/// Runs mutated scripts in a host, for so long or so many, and ends with 0 unless the host does something wrong: crashes,
/// hangs, or lets one app disturb another. The same seed gives the same scripts.
///
///     swift run -c release LuaMutator [--seconds 60] [--scripts N] [--seed 1] [--corpus DIRECTORY]...
@main
enum LuaMutator {
    static func main() async {
        do {
            let options = try Options(Array(CommandLine.arguments.dropFirst()))
            let summary = try await Run(options).run()
            print(summary)
        } catch {
            print("LuaMutator: \(error)")
            exit(1)
        }
    }
}

/// What the command line says.
struct Options {
    var seconds = 60
    var scripts = Int.max
    var seed: UInt64 = 1
    var corpus: [String] = []

    init(_ arguments: [String]) throws(DeviceError) {
        var rest = arguments[...]
        while let name = rest.popFirst() {
            guard let value = rest.popFirst() else { throw DeviceError(.invalidArgument, "\(name) needs a value") }
            switch name {
            case "--seconds": seconds = try Self.number(value)
            case "--scripts": scripts = try Self.number(value)
            case "--seed": seed = UInt64(try Self.number(value))
            case "--corpus": corpus.append(value)
            default: throw DeviceError(.invalidArgument, "\(name) is no option of LuaMutator")
            }
        }
    }

    private static func number(_ text: String) throws(DeviceError) -> Int {
        guard let number = Int(text), number >= 0 else { throw DeviceError(.invalidArgument, "\(text) is no number") }
        return number
    }
}

/// One run.
struct Run {
    private let options: Options
    private let corpus: [[UInt8]]

    init(_ options: Options) throws {
        self.options = options
        var corpus = Seeds.scripts.map { Array($0.utf8) }
        for directory in options.corpus { Self.collect(directory, into: &corpus) }
        self.corpus = corpus
    }

    private static func collect(_ path: String, into corpus: inout [[UInt8]]) {
        for name in SystemFile.names(in: path) where name != ".git" {
            let child = path + "/" + name
            if [".lua", ".xlua", ".preload"].contains(where: name.hasSuffix), let text = try? SystemFile.read(child) {
                if !text.isEmpty { corpus.append(text) }
            } else {
                collect(child, into: &corpus)
            }
        }
    }

    func run() async throws -> String {
        var mutator = ScriptMutator(corpus: corpus, seed: options.seed)
        let host = LuaHost(libraries: [Seeds.board], reloads: false)
        let canary = try host.add(
            LuaAppConfiguration(
                name: "canary",
                source: .text("n = 0 ba.timer(function() n = n + 1 return true end):set(5, true)", name: "canary")))
        let start = ContinuousClock.now
        let end = start + .seconds(options.seconds)
        let journal = Locked("")
        // A hang is a finding: what ran is told.
        let progress = Locked(0)
        let watchdog = Task {
            var last = -1
            while !Task.isCancelled {
                try await Task.sleep(for: .seconds(60))
                let now = progress.withLock { $0 }
                if now == last {
                    print("LuaMutator: seed \(options.seed), script \(now) hangs:\n\(journal.withLock { $0 })")
                    exit(1)
                }
                last = now
            }
        }
        defer { watchdog.cancel() }
        var count = 0
        var errors: UInt64 = 0
        var kills: UInt64 = 0
        var peak = 0
        while count < options.scripts, ContinuousClock.now < end {
            count += 1
            let text = mutator.next()
            journal.withLock { $0 = text }
            progress.withLock { $0 = count }
            let clock = SharedTime()
            var configuration = LuaAppConfiguration(name: "mutant\(count)", source: .text(text, name: "mutant.xlua"))
            configuration.limits.memory = 1 << 20
            configuration.limits.instructions = 300_000
            configuration.limits.processorTime = .milliseconds(200)
            configuration.permissions[.hosts] = .only(["127.0.0.1", "localhost"])
            configuration.hasManualClock = true
            configuration.now = { clock.now }
            let app = try host.add(configuration)
            await app.settle()
            for _ in 0..<4 {
                clock.advance(by: .milliseconds(1 + Int64(mutator.random(1500))))
                app.emit("wip", [.string("10.0.0.1")])
                app.wake()
                await app.settle()
            }
            if mutator.random(4) == 0 {
                app.restart()
                await app.settle()
            }
            await host.remove(app)
            let figures = app.statistics
            errors += figures.errors
            kills += figures.kills
            peak = max(peak, figures.peakMemory)
            guard figures.peakMemory <= 1 << 20 else {
                throw DeviceError(.limitExceeded, "script \(count) used too much:\n\(text)")
            }
            if count % 200 == 0 {
                guard try await canary.evaluate("1 + 1") == "2", canary.statistics.errors == 0 else {
                    throw DeviceError(.io, "another app was disturbed by script \(count)")
                }
            }
        }
        let ticks = try await canary.evaluate("n")
        await host.stop()
        let resident = (try? SystemFile.text("/proc/self/statm"))?.split(separator: " ").dropFirst().first ?? "?"
        return """
            \(count) scripts from seed \(options.seed) in \((ContinuousClock.now - start).components.seconds) s: \
            \(errors) errors, \(kills) ended for their budget, at most \(peak / 1024) KiB; the other app ticked \(ticks) \
            times; \(resident) pages resident
            """
    }
}

/// A clock that is moved by hand.
final class SharedTime: Sendable {
    private let time = Locked(MonotonicTime.zero)
    var now: MonotonicTime { time.withLock { $0 } }
    func advance(by duration: Duration) { time.withLock { $0 = $0 + duration } }
}
