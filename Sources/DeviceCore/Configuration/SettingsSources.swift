/// Brings settings from the environment and a settings file in front of the command line, so that a program parses
/// and checks one list of arguments, wherever a setting came from.
///
/// A setting is taken from the command line, else from the environment, else from the file:
///
/// ```
/// LEDDemo --listen 127.0.0.1:9000
/// DEVICE_LISTEN=127.0.0.1:9000 DEVICE_BROKER=smq://a,smq://b DEVICE_LAN=true LEDDemo
/// LEDDemo --config settings.json      (or DEVICE_CONFIG=settings.json)
/// ```
/// ```
/// {
///     // Keys are the long flags.
///     "listen": "127.0.0.1:9000",
///     "broker": ["smq://a", "smq://b"],
///     "lan": true,
///     "led": [{"name": "Red", "color": "red", "line": "GPIO17", "active-low": true}]
/// }
/// ```
///
/// - A repeatable flag is taken from one source as a whole; the sources are not mixed.
/// - An object stands for `name=Red,color=red,line=GPIO17,active-low`; in it `true` leaves the name alone, `false` and
///   `null` leave nothing, and an array stands for its elements with `+` between them. As a value of its own, `null` is
///   as if the key were not there.
/// - An empty environment variable is as if it were not set (service files and containers set such ones).
/// - A `DEVICE_` variable or a key that is no flag is an error that names the nearest flag.
public enum SettingsSources {
    /// What the environment variables begin with.
    public static let prefix = "DEVICE_"

    /// The arguments for the parser: those from the file and the environment first, then `commandLine` as it is.
    ///
    /// With `--help`, `-h` or `--version` on the command line nothing else is read, so that help is to be had
    /// whatever is wrong elsewhere. Made for commands without subcommands.
    ///
    /// - Parameters:
    ///   - commandLine: The user's arguments without the program's name.
    ///   - environment: The process's environment.
    ///   - flags: Every long flag of the program. The file is read if `config` is among them.
    ///   - ignoring: `DEVICE_` variables that belong to something else, e.g. to another program of this package.
    ///   - readFile: Reads a file's bytes.
    /// - Returns: Arguments of the form `--name` or `--name=value`, then the command line.
    /// - Throws: `.configuration` for an unknown name or a value of the wrong kind; what `readFile` throws, if the
    ///   file is not there as `.configuration`.
    public static func arguments(
        commandLine: [String], environment: [String: String], flags: [FlagDescription], ignoring: Set<String> = [],
        readFile: (String) throws(DeviceError) -> [UInt8]
    ) throws(DeviceError) -> [String] {
        let own = commandLine.prefix { $0 != "--" }
        if own.contains(where: { ["--help", "-h", "--version"].contains($0) }) { return commandLine }
        let given = Set(own.filter { $0.hasPrefix("--") }.map { String($0.dropFirst(2).prefix { $0 != "=" }) })

        let variables = try Self.variables(in: environment, flags: flags, ignoring: ignoring)
        let path = configPath(own, variables, flags) ?? ""
        let file = path.isEmpty ? [:] : try Self.file(path, flags: flags, readFile: readFile)
        var arguments: [String] = []
        for flag in flags where !given.contains(flag.name) && flag.name != "config" {
            // The file is checked even where a variable hides it: a mistake shows when it is made.
            let fromFile = try file[flag.name].map { value throws(DeviceError) in
                try FileSetting(path: path, flag: flag).arguments(value)
            }
            let fromVariable = try variables[flag.variable].map { text throws(DeviceError) in
                try Self.arguments(flag, variable: text)
            }
            arguments += fromVariable ?? fromFile ?? []
        }
        return arguments + commandLine
    }

    /// The `DEVICE_` variables that are set to something.
    private static func variables(
        in environment: [String: String], flags: [FlagDescription], ignoring: Set<String>
    ) throws(DeviceError) -> [String: String] {
        let known = flags.map(\.variable)
        let variables = environment.filter {
            $0.key.hasPrefix(prefix) && !$0.value.isEmpty && (known.contains($0.key) || !ignoring.contains($0.key))
        }
        for name in variables.keys.sorted() where !known.contains(name) {
            // Compared without the prefix, which would make everything look alike.
            let nearest = EditDistance.closest(
                to: String(name.dropFirst(prefix.count)), among: known.map { String($0.dropFirst(prefix.count)) },
                limit: 1
            ).first
            throw DeviceError(
                .configuration, "environment variable \(name) is no setting of this program",
                hint: nearest.map { "Perhaps \(prefix)\($0) is meant" } ?? "Unset it; --help lists the settings")
        }
        return variables
    }

    /// The settings file's path: from the command line, where the last one counts, else from the environment.
    private static func configPath(
        _ commandLine: ArraySlice<String>, _ variables: [String: String], _ flags: [FlagDescription]
    ) -> String? {
        guard let config = flags.first(where: { $0.name == "config" }) else { return nil }
        var path: String?
        var isNext = false
        for argument in commandLine {
            if isNext, !argument.hasPrefix("--") {
                path = argument
            } else if argument.hasPrefix("--config=") {
                path = String(argument.dropFirst("--config=".count))
            }
            isNext = argument == "--config"
        }
        return path ?? variables[config.variable]
    }

    /// The settings file's members; every one is a flag.
    private static func file(
        _ path: String, flags: [FlagDescription], readFile: (String) throws(DeviceError) -> [UInt8]
    ) throws(DeviceError) -> JSONObject {
        let bytes: [UInt8]
        do throws(DeviceError) {
            bytes = try readFile(path)
        } catch {
            guard error.code == .notFound else { throw error }
            throw DeviceError(.configuration, error.message, hint: error.hint ?? "Check --config or DEVICE_CONFIG")
        }
        let value = try JSONValue(parsing: bytes, named: path, options: .settingsFile)
        guard let members = value.objectValue else {
            throw DeviceError(
                .configuration, "\(path) holds \(value.kind)",
                hint: "Write an object whose keys are the long flags: {\"listen\": \"127.0.0.1:8080\"}")
        }
        let names = flags.map(\.name).filter { $0 != "config" }
        for key in members.keys where !names.contains(key) {
            let nearest = EditDistance.closest(to: key, among: names, limit: 1).first
            throw DeviceError(
                .configuration, "\(path): \(JSONWriter.quoted(key)) is no setting of this program",
                hint: nearest.map { "Perhaps \(JSONWriter.quoted($0)) is meant" }
                    ?? "Keys are the long flags without the dashes; --help lists them")
        }
        var checked: JSONObject = [:]
        for (key, value) in members where !value.isNull { checked[key] = value }
        return checked
    }

    /// The arguments that an environment variable stands for.
    private static func arguments(_ flag: FlagDescription, variable text: String) throws(DeviceError) -> [String] {
        switch flag.kind {
        case .flag:
            switch text {
            case "true": return ["--\(flag.name)"]
            case "false": return []
            default:
                throw DeviceError(
                    .configuration, "environment variable \(flag.variable) is \(JSONWriter.quoted(text))",
                    hint: "Set it to true or false")
            }
        case .option: return ["--\(flag.name)=\(text)"]
        case .list(let separator):
            return text.split(separator: separator).map { "--\(flag.name)=\($0.trimmingSpaces)" }
        }
    }
}

extension Substring {
    /// Without spaces at both ends.
    fileprivate var trimmingSpaces: Substring {
        var text = self.drop { $0 == " " }
        while text.last == " " { text.removeLast() }
        return text
    }
}
