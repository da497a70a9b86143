/// A long flag of a program, as far as the environment and the settings file have to know it.
public struct FlagDescription: Sendable, Hashable {
    /// How often the flag may be given, and with what.
    public enum Kind: Sendable, Hashable {
        /// No value: `--lan`; `true` or `false` elsewhere.
        case flag
        /// One value: `--listen 127.0.0.1:8080`.
        case option
        /// Any number of values, each with the flag before it. In an environment variable the separator stands
        /// between them.
        case list(separator: Character)
    }

    /// The name without dashes in front: `on-exit`.
    public var name: String
    /// How often it may be given, and with what.
    public var kind: Kind

    /// Makes a description.
    public init(name: String, kind: Kind) {
        self.name = name
        self.kind = kind
    }

    /// A flag without value.
    public static func flag(_ name: String) -> Self { Self(name: name, kind: .flag) }

    /// A flag with one value.
    public static func option(_ name: String) -> Self { Self(name: name, kind: .option) }

    /// A flag that may be given several times. Choose another separator than the comma where values hold commas,
    /// as `--led name=Red,line=GPIO17` does.
    public static func list(_ name: String, separator: Character = ",") -> Self {
        Self(name: name, kind: .list(separator: separator))
    }

    /// The name of its environment variable: `DEVICE_ON_EXIT`.
    public var variable: String {
        SettingsSources.prefix + String(name.uppercased().map { $0 == "-" ? "_" : $0 })
    }
}
