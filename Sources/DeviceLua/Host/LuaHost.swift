public import DeviceCore
import Glibc

/// Runs apps: Lua scripts in the style of Xedge32, each app in a state and a thread of its own.
///
/// ```swift
/// let host = LuaHost()
/// let app = try host.add(LuaAppConfiguration(name: "blink", source: .file("blink.xlua")))
/// ...
/// await host.stop()
/// ```
public final class LuaHost: Sendable {
    private struct State {
        var apps: [LuaApp] = []
        var isStopped = false
    }

    private let state = Locked(State())
    private let workers = LuaWorkers()
    private let watcher: LuaWatcher?
    private let libraries: [LuaLibrary]

    /// Makes a host without apps.
    ///
    /// - Parameters:
    ///   - libraries: what every app can require, besides the runtime's own.
    ///   - reloads: whether files that are saved are loaded again.
    public init(libraries: [LuaLibrary] = [], reloads: Bool = true) {
        self.libraries = LuaRuntime.libraries + libraries
        watcher = reloads ? LuaWatcher() : nil
    }

    /// Every app, in the order in which they were added.
    public var apps: [LuaApp] { state.withLock { $0.apps } }

    /// The app of that name.
    public func app(named name: String) -> LuaApp? { apps.first { $0.name == name } }

    /// Adds an app and starts it. Its scripts' own errors are reported, not thrown.
    ///
    /// Throws `.invalidArgument` for a name that is taken, `.limitExceeded` without a thread for it.
    @discardableResult
    public func add(_ configuration: LuaAppConfiguration) throws(DeviceError) -> LuaApp {
        let app = try LuaApp(configuration, workers: workers)
        let isNew = state.withLock { state in
            guard !state.isStopped, !state.apps.contains(where: { $0.name == app.name }) else { return false }
            state.apps.append(app)
            return true
        }
        guard isNew else { throw DeviceError(.invalidArgument, "there is an app \(app.name) already") }
        let libraries = self.libraries + configuration.libraries
        try app.begin { LuaAppThread($0, libraries: libraries) }
        if let root = app.files.root { watcher?.watch(root, for: app) }
        return app
    }

    /// The apps in a directory: every directory in it, and every `.xlua` file, is one.
    public static func configurations(in directory: String) throws(DeviceError) -> [LuaAppConfiguration] {
        guard access(directory, R_OK | X_OK) == 0 else {
            throw DeviceError(
                .notFound, "cannot read the apps' directory \(directory): \(SystemError.text(errno))")
        }
        return SystemFile.names(in: directory).compactMap { name in
            guard !name.hasPrefix(".") else { return nil }
            let path = directory + "/" + name
            if name.hasSuffix(".xlua") {
                return LuaAppConfiguration(name: String(name.dropLast(5)), source: .file(path))
            }
            var status = stat()
            guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else { return nil }
            return LuaAppConfiguration(name: name, source: .directory(path))
        }
    }

    /// Ends an app for good, `onunload` first.
    public func remove(_ app: LuaApp) async {
        state.withLock { $0.apps.removeAll { $0 === app } }
        watcher?.forget(app)
        await app.end()
    }

    /// Ends every app.
    public func stop() async {
        let apps = state.withLock { state in
            state.isStopped = true
            defer { state.apps = [] }
            return state.apps
        }
        watcher?.stop()
        for app in apps { await app.end() }
    }
}
