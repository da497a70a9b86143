/// `require"device"`: what scripts see and change of the device itself.
public struct ScriptDevice: Sendable {
    /// An LED of the device, for scripts.
    public struct LED: Hashable, Sendable {
        /// Its number, from 1.
        public var id: Int
        /// What people call it.
        public var name: String
        /// Whether it is lit.
        public var isOn: Bool

        /// Describes an LED.
        public init(id: Int, name: String, isOn: Bool) {
            self.id = id
            self.name = name
            self.isOn = isOn
        }
    }

    private let hooks: ScriptHooks
    private let leds: @Sendable () -> [LED]
    private let set: @Sendable (Int, Bool) -> Bool

    /// - Parameters:
    ///   - hooks: where functions are added.
    ///   - leds: the device's LEDs as they are.
    ///   - set: switches one; false where there is no such LED.
    public init(
        hooks: ScriptHooks, leds: @escaping @Sendable () -> [LED] = { [] },
        set: @escaping @Sendable (Int, Bool) -> Bool = { _, _ in false }
    ) {
        self.hooks = hooks
        self.leds = leds
        self.set = set
    }

    /// The module, for a host of scripts.
    public var library: LuaLibrary {
        LuaLibrary(
            "device", isGlobal: false,
            members: [
                "on": .function { try HookResource.open($0, hooks) },
                "leds": .function { _ in
                    .value(
                        .table(
                            LuaTable(
                                list: leds().map { led in
                                    .table(
                                        LuaTable(named: [
                                            ("id", .integer(led.id)), ("name", .string(led.name)),
                                            ("on", .boolean(led.isOn)),
                                        ]))
                                })))
                },
                "set": .function { call in
                    let id = Int(clamping: try call.integer(0))
                    return set(id, try call.boolean(1)) ? .success : .failure("this device has no LED \(id)")
                },
            ])
    }
}
