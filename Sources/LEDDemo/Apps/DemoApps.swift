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
        configurations = try options.sources.configurations { [trace] app, text, isError in
            trace.add(app: app, text: text, isError: isError)
            for line in text.split(separator: "\n") { report(.trace(app: app, text: String(line), isError: isError)) }
        }
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

    /// Starts the apps, by their priority.
    func start() throws(DeviceError) {
        try host.add(contentsOf: configurations)
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
