public import DeviceCore

/// Which scripts a program runs, as its command line and its settings say it: `--apps DIR` and `--script FILE`, and within
/// which limits.
public struct ScriptSources: Sendable {
    /// A directory with apps: each folder with `.xlua` files, and each `.xlua` file.
    public var directory: String?
    /// Single files, each an app that is called like it.
    public var scripts: [String]
    /// What apps may use and touch: `--app-limit` and `--app-permit`.
    public var settings: LuaAppSettings

    /// Scripts of a directory, single ones, or none.
    public init(
        directory: String? = nil, scripts: [String] = [], settings: LuaAppSettings = LuaAppSettings()
    ) {
        self.directory = directory
        self.scripts = scripts
        self.settings = settings
    }

    /// Whether there is anything to run.
    public var isUsed: Bool { directory != nil || !scripts.isEmpty }

    /// The apps, which may be asked at every place of the program's ``ScriptHooks`` unless the settings say otherwise.
    ///
    /// - Parameter write: gets each line that an app writes, on the app's thread: its name, the text, whether it is an
    ///   error. Must not block.
    /// - Throws: `.notFound` for a directory and `.invalidArgument` for a file that cannot be read or a rule about no
    ///   app: that is a mistake of who named them, and no app that fails later.
    public func configurations(
        write: @escaping @Sendable (_ app: String, _ text: String, _ isError: Bool) -> Void
    ) throws(DeviceError) -> [LuaAppConfiguration] {
        var apps: [LuaAppConfiguration] = []
        if let directory { apps += try LuaHost.configurations(in: directory) }
        for file in scripts { apps.append(try Self.script(file)) }
        for index in apps.indices {
            apps[index].permissions[.hooks] = .all  // safe: own indices
            apps[index].output = { line in write(line.app, line.text, line.level == .error) }  // safe: own indices
        }
        return try settings.applied(to: apps)
    }

    private static func script(_ path: String) throws(DeviceError) -> LuaAppConfiguration {
        do throws(DeviceError) { _ = try SystemFile.read(path, limit: 1) } catch {
            throw DeviceError(.invalidArgument, "--script: \(error.message)", hint: "Give it a .xlua file")
        }
        let file = path.split(separator: "/").last.map(String.init) ?? path
        return LuaAppConfiguration(
            name: file.hasSuffix(".xlua") ? String(file.dropLast(5)) : file, source: .file(path))
    }
}

extension LuaHost {
    /// Adds apps and starts them, by their priority. Throws as ``add(_:)`` does.
    public func add(contentsOf configurations: [LuaAppConfiguration]) throws(DeviceError) {
        for configuration in configurations.sorted(by: { $0.startPriority < $1.startPriority }) {
            try add(configuration)
        }
    }
}
