public import DeviceCore

/// What a program's settings say of its apps' limits and permissions: for all of them, and for some by name.
///
/// A rule is a text of the form that settings have on the command line, in the environment and in the settings file
/// (``SettingsSources``): `app=blink,memory=512KB,timers=4`, and for permissions `app=blink,pins=4+17,buses=none`.
/// Without `app` it is for every app. What an app's own rules say counts more, else what comes later.
///
/// ```swift
/// let settings = try LuaAppSettings(limits: ["memory=1MB"], permissions: ["app=blink,pins=4,hosts=none"])
/// for app in try settings.applied(to: LuaHost.configurations(in: "./apps")) { try host.add(app) }
/// ```
public struct LuaAppSettings: Sendable {
    private struct Rule: Sendable {
        /// Nil for every app.
        let app: String?
        let apply: @Sendable (inout LuaAppConfiguration) -> Void
    }

    private var rules: [Rule] = []

    /// No rules: every app has what the program gives it.
    public init() {}

    /// Reads rules. Throws `.invalidArgument` for one that cannot be understood: a permission that is spelled wrong must
    /// not be one that is granted.
    ///
    /// - Parameters:
    ///   - limits: `app=NAME,KEY=VALUE...`; see ``limitKeys``.
    ///   - permissions: `app=NAME,KIND=VALUE...`; `all`, `none`, or names with `+` between them.
    ///   - kinds: of permissions that the program's modules ask for.
    ///   - flags: how the two are called on the command line, for errors.
    public init(
        limits: [String], permissions: [String], kinds: [LuaPermissions.Kind] = LuaPermissions.Kind.ofRuntime,
        flags: (limit: String, permission: String) = ("--app-limit", "--app-permit")
    ) throws(DeviceError) {
        for text in limits {
            rules += try Self.rules(
                text, flags.limit, keys: Array(Self.limits.keys), example: { Self.limits[$0]?.example }
            ) { key, value in
                Self.limits[key]?.parse(value)
            }
        }
        for text in permissions {
            rules += try Self.rules(
                text, flags.permission, keys: kinds.map(\.name), example: { Self.permissionExamples[$0] }
            ) { key, value in
                guard let kind = kinds.first(where: { $0.name == key }), let grant = LuaPermissions.Grant(value) else {
                    return nil
                }
                // A line's name stands for no pin that a script could ask for.
                if kind == .pins, case .only(let pins) = grant, !pins.allSatisfy({ Int($0) != nil }) { return nil }
                return { $0.permissions[kind] = grant }
            }
        }
    }

    /// The apps with what their rules say. Throws `.invalidArgument` for a rule about an app that is not there: it would
    /// limit nothing.
    public func applied(to apps: [LuaAppConfiguration]) throws(DeviceError) -> [LuaAppConfiguration] {
        for rule in rules {
            guard let name = rule.app, !apps.contains(where: { $0.name == name }) else { continue }
            let names = apps.map(\.name)
            let nearest = EditDistance.closest(to: name, among: names, limit: 1).first
            throw DeviceError(
                .invalidArgument, "settings are for an app \"\(name.prefix(100))\", and there is none",
                hint: nearest.map { "Perhaps \"\($0)\" is meant" }
                    ?? (names.isEmpty ? nil : "Apps are: \(names.prefix(10).joined(separator: ", "))"))
        }
        return apps.map { app in
            var app = app
            for rule in rules where rule.app == nil { rule.apply(&app) }
            for rule in rules where rule.app == app.name { rule.apply(&app) }
            return app
        }
    }

    // MARK: Reading

    private static func rules(
        _ text: String, _ flag: String, keys: [String], example: (String) -> String?,
        _ parse: (String, String) -> (@Sendable (inout LuaAppConfiguration) -> Void)?
    ) throws(DeviceError) -> [Rule] {
        func wrong(_ what: String, _ hint: String) -> DeviceError {
            DeviceError(.invalidArgument, "\(flag) \"\(text.prefix(100))\" \(what)", hint: hint)
        }
        var app: String?
        var found: [@Sendable (inout LuaAppConfiguration) -> Void] = []
        for part in text.split(separator: ",") {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard let key = pair.first, let value = pair.last, pair.count == 2, !value.isEmpty else {
                throw wrong("has \"\(part)\", which is not KEY=VALUE", "Keys are app, \(list(keys))")
            }
            if key == "app" {
                guard app == nil else { throw wrong("names two apps", "Give \(flag) once for each") }
                app = value
                continue
            }
            guard keys.contains(key) else {
                let nearest = EditDistance.closest(to: key, among: keys, limit: 1).first
                throw wrong(
                    "has the unknown key \"\(key)\"",
                    nearest.map { "Perhaps \($0) is meant" } ?? "Keys are app, \(list(keys))")
            }
            guard let apply = parse(key, value) else {
                throw wrong(
                    "has no use for \(key)=\(value)",
                    "Write " + (example(key) ?? "\(key)=all, \(key)=none, or names with + between them"))
            }
            found.append(apply)
        }
        guard !found.isEmpty else { throw wrong("says nothing", "Keys are app, \(list(keys))") }
        return found.map { Rule(app: app, apply: $0) }
    }

    private static let permissionExamples = ["pins": "pins=all, pins=none, or pins=4+17: the numbers that scripts use"]

    private static func list(_ keys: [String]) -> String { keys.sorted().joined(separator: ", ") }

    /// The keys of limits, for help texts.
    public static let limitKeys: [String] = limits.keys.sorted()

    private struct Limit: Sendable {
        let example: String
        let parse: @Sendable (String) -> (@Sendable (inout LuaAppConfiguration) -> Void)?
    }

    private static let limits: [String: Limit] = [
        "memory": Limit(example: "memory=512KB or memory=4MB, 64KB to 1GB") { text in
            guard let bytes = bytes(text), (64 << 10...1 << 30).contains(bytes) else { return nil }
            return { $0.limits.memory = bytes }
        },
        "disk": Limit(example: "disk=512KB or disk=1GB, up to 1024GB") { text in
            guard let bytes = bytes(text), (0...1 << 40).contains(bytes) else { return nil }
            return { $0.limits.disk = bytes }
        },
        "instructions": Limit(example: "instructions=1000000, 1000 to 1000000000000") { text in
            guard let count = Int64(text), (1000...1_000_000_000_000).contains(count) else { return nil }
            return { $0.limits.instructions = count }
        },
        "time": Limit(example: "time=500ms or time=2s, 1ms to 10m") { text in
            guard let time = try? DurationText.parse(text),
                (Duration.milliseconds(1)...Duration.seconds(600)).contains(time)
            else {
                return nil
            }
            return { $0.limits.processorTime = time }
        },
        "wall": Limit(example: "wall=5s, 10ms to 1h") { text in
            guard let time = try? DurationText.parse(text),
                (Duration.milliseconds(10)...Duration.seconds(3600)).contains(time)
            else {
                return nil
            }
            return { $0.limits.wallTime = time }
        },
        "timers": count("timers", 0...10_000) { $0.timers = $1 },
        "pins": count("pins", 0...10_000) { $0.pins = $1 },
        "sockets": count("sockets", 0...10_000) { $0.sockets = $1 },
        "files": count("files", 0...10_000) { $0.files = $1 },
        "objects": count("objects", 8...100_000) { $0.objects = $1 },
        "threads": count("threads", 1...10_000) { $0.activations = $1 },
        "events": count("events", 1...1_000_000) { $0.queuedEvents = $1 },
        "lines": count("lines", 1...100_000) { $0.linesPerSecond = $1 },
        "faults": count("faults", 1...100_000) { $0.faults = $1 },
    ]

    private static func count(
        _ name: String, _ range: ClosedRange<Int>, _ set: @escaping @Sendable (inout LuaLimits, Int) -> Void
    ) -> Limit {
        Limit(example: "\(name)=N, \(range.lowerBound) to \(range.upperBound)") { text in
            guard let number = Int(text), range.contains(number) else { return nil }
            return { set(&$0.limits, number) }
        }
    }

    /// `65536`, `512KB`, `4MB`: binary thousands, as memory is sold.
    private static func bytes(_ text: String) -> Int? {
        for (unit, factor) in [("KB", 1 << 10), ("MB", 1 << 20), ("GB", 1 << 30)] where text.hasSuffix(unit) {
            guard let number = Int(text.dropLast(2)), (0...1 << 20).contains(number) else { return nil }
            return number * factor
        }
        return Int(text)
    }
}

extension LuaPermissions.Kind {
    /// What the runtime's own modules and those of a board ask for.
    public static let ofRuntime: [Self] = [.pins, .buses, .hosts, .listen, .files, .system]
}

extension LuaPermissions.Grant {
    /// Reads `all`, `none`, or names with `+` between them; nil for an empty name.
    public init?(_ text: String) {
        switch text {
        case "all": self = .all
        case "none": self = .only([])
        default:
            let names = text.split(separator: "+", omittingEmptySubsequences: false).map(String.init)
            guard !names.contains("") else { return nil }
            self = .only(Set(names))
        }
    }
}

extension LuaPermissions.Grant: CustomStringConvertible {
    /// `all`, `none`, or the names, for a page.
    public var description: String {
        switch self {
        case .all: "all"
        case .only(let names): names.isEmpty ? "none" : names.sorted().joined(separator: ", ")
        }
    }
}
