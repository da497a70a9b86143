import DeviceCore
/// The object of `require"device".on(name, function)`.
final class HookResource: LuaResource {
    static let luaClass = LuaClass(
        "hook",
        methods: [
            "close": { call in
                try call.close()
                return .success
            }
        ])

    private let hooks: ScriptHooks
    private var id: UInt64?

    private init(_ hooks: ScriptHooks) { self.hooks = hooks }

    func close(in context: LuaContext) {
        if let id { hooks.remove(id) }
        id = nil
    }

    /// `device.on(name, function)`: asked until it is closed, or its file is unloaded.
    static func open(_ call: LuaCall, _ hooks: ScriptHooks) throws -> LuaOutcome {
        guard let name = ScriptHooks.Name(rawValue: try call.string(0)) else {
            let names = ScriptHooks.Name.allCases.map(\.rawValue).joined(separator: ", ")
            throw LuaError(argument: 0, "one of \(names) is expected")
        }
        let function = try call.function(1)
        try call.context.require(.hooks, name.rawValue)
        let resource = HookResource(hooks)
        let object = try call.context.add(resource, keeping: [("function", .function(function))])
        let target = ScriptTarget(call.context, activity: "hook \(name.rawValue)")
        target.name(object)
        do throws(DeviceError) {
            resource.id = try hooks.add(name) { value, answer in
                target.call("function", [LuaValue(value)]) { answer(decision($0)) }
            }
        } catch {
            call.context.close(object)
            throw LuaError(error.description)
        }
        // Whoever adds a function wants it asked, whether or not it keeps the object.
        try call.context.anchor(object, true)
        return .value(.object(object))
    }

    /// What a function's results mean: nothing or true passes, false refuses with a reason, a table changes.
    static func decision(_ end: LuaEnd?) -> ScriptHooks.Answer {
        guard case .returned(let values)? = end else { return .failed }
        switch values.first ?? .nil {
        case .boolean(false):
            return .decision(.refuse(values.dropFirst().first?.text ?? "refused by a script"))
        case .table:
            guard let value = values.first, let changed = try? JSONValue(value) else { return .failed }
            return .decision(.change(changed))
        case .nil, .boolean: return .decision(.pass)
        default: return .failed
        }
    }
}

extension LuaPermissions.Kind {
    /// The places where a script may be asked, by their names: `led`, `uplink`. Not granted unless a program does.
    public static let hooks: Self = "hooks"
}
