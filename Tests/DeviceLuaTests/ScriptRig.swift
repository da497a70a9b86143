import DeviceCore
import TestSupport

@testable import DeviceLua

/// A host with one app, whose lines and errors are collected, on a clock that the test moves.
final class ScriptRig: Sendable {
    let host: LuaHost
    let app: LuaApp
    private let store = Store()
    private let directory: TemporaryDirectory?

    private final class Store: Sendable {
        let time = Locked<MonotonicTime>(.zero)
        let lines = Locked<[LuaLine]>([])
    }

    /// - Parameters:
    ///   - manual: whether the clock stands until ``advance(_:)``.
    ///   - directory: where the app is, kept as long as this.
    init(
        _ source: LuaAppSource, manual: Bool = true, reloads: Bool = false, libraries: [LuaLibrary] = [],
        directory: TemporaryDirectory? = nil, configure: (inout LuaAppConfiguration) -> Void = { _ in }
    ) throws {
        self.directory = directory
        let store = store
        var configuration = LuaAppConfiguration(name: "test", source: source)
        configuration.output = { line in store.lines.withLock { $0.append(line) } }
        if manual {
            configuration.hasManualClock = true
            configuration.now = { store.time.withLock { $0 } }
        }
        configure(&configuration)
        host = LuaHost(libraries: libraries, reloads: reloads)
        app = try host.add(configuration)
    }

    convenience init(
        _ script: String, libraries: [LuaLibrary] = [], configure: (inout LuaAppConfiguration) -> Void = { _ in }
    )
        throws
    {
        try self.init(.text(script, name: "main.xlua"), libraries: libraries, configure: configure)
    }

    /// Every line so far.
    var lines: [String] { store.lines.withLock { $0.map(\.text) } }
    /// What `trace` wrote.
    var traces: [String] { store.lines.withLock { $0.filter { $0.level == .trace }.map(\.text) } }
    /// Errors.
    var errors: [String] { store.lines.withLock { $0.filter { $0.level == .error }.map(\.text) } }

    /// Moves the clock in steps, and lets everything happen that is due after each.
    func advance(_ duration: Duration, steps: Int = 1) async {
        for _ in 0..<steps {
            store.time.withLock { $0 = $0 + duration }
            app.wake()
            await app.settle()
        }
    }

    func stop() async { await host.stop() }
}
