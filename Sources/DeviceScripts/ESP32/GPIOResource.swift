import DeviceCore
import DeviceLua

/// The object of `esp32.gpio(pin, mode [, cfg])`.
final class GPIOResource: LuaResource {
    static let luaClass = LuaClass(
        "gpio",
        methods: [
            "value": { try value($0) },
            "close": { call in
                try call.close()
                return .success
            },
        ])

    private let pin: ScriptPin

    private init(_ pin: ScriptPin) { self.pin = pin }

    func close(in context: LuaContext) { pin.close() }

    /// `esp32.gpio(pin, mode [, {pullup, pulldown, callback, type}])`
    static func open(_ call: LuaCall, _ board: ScriptBoard) throws -> LuaOutcome {
        let number = Int(clamping: try call.integer(0))
        let line = try board.line(of: number)
        guard let mode = GPIOMode(rawValue: try call.string(1)) else {
            let modes = GPIOMode.allCases.map(\.rawValue).joined(separator: ", ")
            throw LuaError(argument: 1, "the mode must be one of \(modes)")
        }
        if !call.isNil(2), !call.isTable(2) { throw LuaError("Invalidarg config: a table is expected") }
        let config = try ConfigTable(call, 2)
        let callback = try config.function("callback")
        let trigger = try config.word("type", GPIOTrigger.self) ?? .rising
        if callback != nil, !mode.isInput {
            throw LuaError(
                "Invalidarg config: only a pin of mode IN can call back; the kernel reports no edges of outputs")
        }
        let (up, down) = (config.isTrue("pullup"), config.isTrue("pulldown"))
        if up, down { throw LuaError("Invalidarg config: pullup and pulldown contradict each other") }
        let bias: Bias = up ? .pullUp : down ? .pullDown : .disabled

        let context = call.context
        let claim = try board.claim([number], context)
        let target = ScriptTarget(context, activity: "gpio \(number)")
        let deliver: @Sendable (Bool, @escaping @Sendable () -> Void) -> Void = { level, done in
            target.call("callback", [.boolean(level)], closesOnError: true) { _ in done() }
        }
        let pin = try ScriptPin(
            line, mode: mode, bias: bias, trigger: callback == nil ? nil : trigger, claim: claim, on: board.backend,
            consumer: "\(context.app.name) gpio", clock: board.clock,
            call: callback == nil ? nil : deliver)
        do {
            let object = try context.add(
                GPIOResource(pin), keeping: callback.map { [("callback", .function($0))] } ?? [])
            target.name(object)
            return .value(.object(object))
        } catch {
            pin.close()
            throw error
        }
    }

    /// `gpio:value()` and `gpio:value(level)`
    private static func value(_ call: LuaCall) throws -> LuaOutcome {
        let pin = try call.resource(0, as: GPIOResource.self).pin
        do throws(DeviceError) {
            guard call.count > 1 else {
                call.push(try pin.value())
                return .pushed
            }
        } catch { return .failure(error.description) }
        let level = try call.boolean(1)
        do throws(DeviceError) { try pin.set(level) } catch { return .failure(error.description) }
        call.push(true)
        return .pushed
    }
}
