/// What an app may touch, by kinds that the modules define. What is not granted is an error in the script.
public struct LuaPermissions: Sendable, Equatable {
    /// A kind of things.
    public struct Kind: Hashable, Sendable, ExpressibleByStringLiteral {
        /// Its name in settings and errors.
        public let name: String
        /// By its name.
        public init(stringLiteral name: String) { self.name = name }

        /// GPIO lines, by the script's number.
        public static let pins: Kind = "pins"
        /// I2C and serial ports: `i2c0`, `uart1`.
        public static let buses: Kind = "buses"
        /// Hosts that sockets connect to, by the name that the script gives.
        public static let hosts: Kind = "hosts"
        /// Addresses that sockets are bound to.
        public static let listen: Kind = "listen"
        /// Files: `read`, `write`.
        public static let files: Kind = "files"
        /// What changes the system: `restart`.
        public static let system: Kind = "system"
    }

    /// What is granted of one kind.
    public enum Grant: Sendable, Equatable {
        /// Everything.
        case all
        /// What is named. A name that begins with `*` grants what ends with the rest.
        case only(Set<String>)

        func allows(_ name: String) -> Bool {
            switch self {
            case .all: true
            case .only(let names):
                names.contains(name) || names.contains { $0.first == "*" && name.hasSuffix($0.dropFirst()) }
            }
        }
    }

    private var grants = Self.standard

    /// One for all apps.
    private static let standard: [Kind: Grant] = [
        .pins: .all, .buses: .all, .hosts: .all, .files: .all, .listen: .only(["127.0.0.1", "::1", "localhost"]),
    ]

    /// Pins, buses, hosts and the app's own files; listening on loopback only, and nothing that changes the system.
    public init() {}

    /// Nothing at all.
    public static var none: LuaPermissions {
        var permissions = LuaPermissions()
        permissions.grants = [:]
        return permissions
    }

    /// What is granted of a kind: nothing of one that was never set.
    public subscript(kind: Kind) -> Grant {
        get { grants[kind] ?? .only([]) }
        set { grants[kind] = newValue }
    }
}
