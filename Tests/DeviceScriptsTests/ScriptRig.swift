import DeviceCore
import DeviceLua
import DeviceScripts
import DeviceSimulator
import TestSupport
import Testing

/// Scripts on a simulated board: what they trace, and what becomes of the pins.
final class ScriptRig: Sendable {
    let board: SimulatedBoard
    let buses = SimulatedBuses()
    let hooks = ScriptHooks(patience: .seconds(30))
    let scripts: ScriptBoard
    let host: LuaHost
    private let written = Locked<[LuaLine]>([])

    /// - Parameter clock: of the board and of PWM; timers of scripts have the real one.
    init(messaging: ScriptMessaging? = nil, clock: any Clock<Duration> = ContinuousClock()) {
        board = SimulatedBoard(clock: clock)
        let indicator = Locked(false)
        let restarts = Locked(0)
        scripts = ScriptBoard(
            backend: board, buses: buses, clock: clock,
            indicator: { on in
                indicator.withLock { lit in
                    if let on { lit = on }
                    return lit
                }
            }, restart: { restarts.withLock { $0 += 1 } })
        let device = ScriptDevice(
            hooks: hooks, leds: { [ScriptDevice.LED(id: 1, name: "Red", isOn: true)] }, set: { id, _ in id == 1 })
        host = LuaHost(
            libraries: scripts.libraries + (messaging?.libraries ?? []) + [device.library], reloads: false)
    }

    /// What all apps have written.
    var lines: [String] { written.withLock { $0.map(\.text) } }

    /// Runs a text as an app.
    @discardableResult
    func run(
        _ text: String, name: String = "test", _ change: (inout LuaAppConfiguration) -> Void = { _ in }
    ) async throws -> LuaApp {
        try await add(LuaAppConfiguration(name: name, source: .text(text, name: "\(name).xlua")), change)
    }

    /// Runs an example.
    @discardableResult
    func example(_ path: String, _ change: (inout LuaAppConfiguration) -> Void = { _ in }) async throws -> LuaApp {
        let full = Examples.folder + path
        let source: LuaAppSource = path.hasSuffix(".xlua") ? .file(full) : .directory(full)
        let name = path.split(separator: "/").last.map { $0.split(separator: ".").first.map(String.init) ?? "" } ?? ""
        return try await add(LuaAppConfiguration(name: name, source: source), change)
    }

    private func add(
        _ configuration: LuaAppConfiguration, _ change: (inout LuaAppConfiguration) -> Void
    ) async throws -> LuaApp {
        var configuration = configuration
        configuration.permissions[.hooks] = .all
        configuration.output = { [weak self] line in self?.written.withLock { $0.append(line) } }
        change(&configuration)
        let app = try host.add(configuration)
        await app.settle()
        return app
    }

    /// Waits until a line was written that contains a text.
    func writes(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        do {
            try await TestSupport.eventually("\"\(text)\"") { [self] in lines.contains { $0.contains(text) } }
        } catch {
            Issue.record("\(error); the scripts wrote \(lines)", sourceLocation: sourceLocation)
        }
    }

    /// Waits for a level.
    func level(_ line: LineAddress, is high: Bool) async throws {
        try await TestSupport.eventually("\(line) \(high)") { [self] in try board.isHigh(line) == high }
    }
}

/// Where the examples are: beside this file's package.
enum Examples {
    static let folder: String = {
        let here = "\(#filePath)"
        let root = here.split(separator: "/").dropLast(3).joined(separator: "/")
        return "/\(root)/Examples/lua/"
    }()
}
