import DeviceCore
import DeviceLua

/// The scripts of a gateway: the host that runs them, and the hooks at which they are asked.
final class GatewayScripts: Sendable {
    let host: LuaHost
    let hooks = ScriptHooks()
    private let configurations: [LuaAppConfiguration]

    /// Finds the apps; nothing runs before ``start()``.
    ///
    /// - Parameter report: gets each line that a script writes, on the script's thread.
    init(_ sources: ScriptSources, report: @escaping @Sendable (ServiceEvent) -> Void) throws(DeviceError) {
        configurations = try sources.configurations { app, text, isError in
            for line in text.split(separator: "\n") {
                report(.script(app: app, text: String(line), isError: isError))
            }
        }
        host = LuaHost(libraries: [ScriptDevice(hooks: hooks).library])
    }

    /// Starts the apps, and gives them a second to say what they want to be asked of: so the first frame is not missed.
    func start() async throws(DeviceError) {
        try host.add(contentsOf: configurations)
        let ready = OneShot<Void>()
        let apps = host.apps
        Task {
            for app in apps { await app.settle() }
            ready.decide(())
        }
        let alarm = Task {
            try? await Task.sleep(for: .seconds(1))
            ready.decide(())
        }
        await ready.value()
        alarm.cancel()
    }

    func stop() async { await host.stop() }
}
