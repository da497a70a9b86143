import DeviceCore
import DeviceLua
import TestSupport

@testable import LoRaGateway

/// Scripts for a gateway of a test, until they are stopped.
final class GatewayScriptRig: Sendable {
    let hooks: ScriptHooks
    private let isPatient: Bool
    let host: LuaHost
    private let written = Locked<[String]>([])

    init(isPatient: Bool) {
        self.isPatient = isPatient
        hooks = isPatient ? ScriptHooks(patience: .seconds(30)) : ScriptHooks()
        host = LuaHost(libraries: [ScriptDevice(hooks: hooks).library], reloads: false)
    }

    /// What all apps have written.
    var lines: [String] { written.withLock { $0 } }

    /// Runs a text, or an example, as an app.
    func run(_ text: String? = nil, example: String? = nil) async throws {
        let source: LuaAppSource
        if let example {
            let root = "\(#filePath)".split(separator: "/").dropLast(4).joined(separator: "/")
            source = .file("/\(root)/Examples/lua/\(example)")
        } else {
            source = .text(text ?? "", name: "test.xlua")
        }
        var app = LuaAppConfiguration(name: example ?? "test", source: source)
        app.permissions[.hooks] = .all
        app.output = { [weak self] line in self?.written.withLock { $0.append(line.text) } }
        await (try host.add(app)).settle()
    }

    /// Has a gateway ask them.
    func join(_ rig: GatewayRig) async throws {
        try await rig.get { [hooks, isPatient] core in
            core.ask(
                hooks, patience: isPatient ? FrameGates.Patience(uplink: .seconds(30), downlink: .seconds(30)) : .init()
            )
        }
    }
}
