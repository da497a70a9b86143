import ClusterClient
import DeviceCore
import DeviceLua
import DeviceScripts
import DeviceSDK
import DeviceSimulator
import Logging
import NIOCore

/// The scripts of the demo: the host that runs them, and what they reach.
final class DemoApps: Sendable {
    let host: LuaHost
    let board: ScriptBoard
    let hooks: ScriptHooks
    let trace = AppTrace()
    /// Tells that a script asked for a restart of the program.
    let restarts: BoundedStream<Void>
    private let configurations: [LuaAppConfiguration]
    private let report: @Sendable (DemoEvent) -> Void

    /// Finds the apps of the command line; nothing runs before ``start()``.
    ///
    /// - Parameters:
    ///   - board: where the scripts' pins are.
    ///   - device: the LEDs, for `LED` and `require"device"`.
    ///   - standard: how the device reaches its brokers.
    ///   - own: how this process reaches the broker that it carries.
    ///   - hub: that broker's hooks.
    init(
        _ options: AppOptions, board: DemoBoard, device: LEDDevice, hooks: ScriptHooks,
        standard: SMQClientConfiguration, own: SMQClientConfiguration?, hub: ScriptHub?, eventLoop: any EventLoop,
        logger: Logger,
        report: @escaping @Sendable (DemoEvent) -> Void
    ) throws(DeviceError) {
        var configurations: [LuaAppConfiguration] = []
        if let directory = options.directory { configurations += try LuaHost.configurations(in: directory) }
        for file in options.scripts { configurations.append(try Self.script(file)) }
        let trace = trace
        // The demo's own scripts see and change the device unless its settings say otherwise.
        for index in configurations.indices { configurations[index].permissions[.hooks] = .all }  // safe: own indices
        configurations = try options.settings.applied(to: configurations)
        for index in configurations.indices {
            configurations[index].output = { line in  // safe: own indices
                trace.add(app: line.app, text: line.text, isError: line.level == .error)
                for text in line.text.split(separator: "\n") {
                    report(.trace(app: line.app, text: String(text), isError: line.level == .error))
                }
            }
        }
        self.configurations = configurations
        self.report = report
        self.hooks = hooks
        let restarts = BoundedStream<Void>(limit: 1)
        self.restarts = restarts
        let buses: any BoardBuses =
            board.simulated != nil ? SimulatedBuses() : LinuxBuses(pwmOutputs: options.pwmOutputs)
        self.board = ScriptBoard(
            backend: board.backend, buses: buses, pins: options.pins,
            indicator: { on in try device.indicator(on) }, restart: { restarts.send(()) })
        let scriptDevice = ScriptDevice(
            hooks: hooks,
            leds: {
                device.leds.map { ScriptDevice.LED(id: $0.id, name: $0.specification.name, isOn: $0.led.isLit) }
            },
            set: { device.set($0, $1, source: "script") })
        let messaging = ScriptMessaging(standard: standard, hub: own, hooks: hub, eventLoop: eventLoop, logger: logger)
        host = LuaHost(libraries: self.board.libraries + messaging.libraries + [scriptDevice.library])
    }

    /// A file, as an app that is called like it.
    private static func script(_ path: String) throws(DeviceError) -> LuaAppConfiguration {
        // What cannot be read is a mistake on the command line, and no app that fails later.
        do throws(DeviceError) { _ = try SystemFile.read(path, limit: 1) } catch {
            throw DeviceError(.invalidArgument, "--script: \(error.message)", hint: "Give it a .xlua file")
        }
        let file = path.split(separator: "/").last.map(String.init) ?? path
        return LuaAppConfiguration(
            name: file.hasSuffix(".xlua") ? String(file.dropLast(5)) : file, source: .file(path))
    }

    /// Starts the apps, by their priority.
    func start() throws(DeviceError) {
        for configuration in configurations.sorted(by: { $0.startPriority < $1.startPriority }) {
            try host.add(configuration)
        }
        let names = host.apps.map(\.name).joined(separator: ", ")
        report(.note(names.isEmpty ? "No apps to run" : "Apps: \(names)"))
    }

    /// Tells the terminal what the scripts' pins do, until the task is cancelled.
    func followPins() async {
        var last: [ScriptBoard.UsedPin] = []
        while !Task.isCancelled {
            let pins = board.usedPins
            if pins != last {
                report(.pins(pins))
                last = pins
            }
            try? await Task.sleep(for: .milliseconds(50))
        }
    }

    /// Ends the apps, each after its `onunload`.
    func stop() async {
        await host.stop()
        restarts.finish()
    }
}
