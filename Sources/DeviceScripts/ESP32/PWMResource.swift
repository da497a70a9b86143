import DeviceCore
import DeviceLua
import DeviceSDK

/// The PWM timers that an app has set, and the channels that are taken.
private final class PWMUnit {
    var timers: [PWMTimer.Key: PWMTimer] = [:]
    var channels: Set<PWMTimer.Key> = []
}

/// The object of `esp32.pwmchannel{...}`.
final class PWMResource: LuaResource {
    static let luaClass = LuaClass(
        "pwmchannel",
        methods: [
            "duty": { try duty($0) },
            "fade": { try fade($0) },
            "close": { call in
                try call.close()
                return .success
            },
        ])

    /// Faster than this software does not switch.
    private static let softwareLimit = 1000.0

    private let timer: PWMTimer
    private let number: PWMTimer.Key
    private let channel: ScriptPWMChannel
    private let target: ScriptTarget?

    private init(_ timer: PWMTimer, _ number: PWMTimer.Key, _ channel: ScriptPWMChannel, _ target: ScriptTarget?) {
        self.timer = timer
        self.number = number
        self.channel = channel
        self.target = target
    }

    func close(in context: LuaContext) {
        channel.close()
        context.state { PWMUnit() }.channels.remove(number)
    }

    /// `esp32.pwmtimer{mode=, bits=, timer=, freq=}`
    static func setTimer(_ call: LuaCall) throws -> LuaOutcome {
        let config = try ConfigTable(call, 0, isOptional: false)
        let key = PWMTimer.Key(group: try group(config), number: try config.integer("timer", in: 0...3))
        let bits = try config.integer("bits", in: 1...20)
        guard let frequency = config.value("freq").double, frequency > 0 else {
            throw ConfigTable.wrong("freq", "a number above 0 is expected")
        }
        guard (0.1...40e6).contains(frequency) else {
            return .failure("a PWM timer cannot do \(frequency) Hz; 0.1 Hz to 40 MHz work")
        }
        call.context.state { PWMUnit() }.timers[key] = PWMTimer(bits: bits, frequency: frequency)
        return .success
    }

    private static func group(_ config: ConfigTable) throws -> PWMTimer.Group {
        guard let group = try config.word("mode", PWMTimer.Group.self) else {
            throw ConfigTable.wrong("mode", "LOW or HIGH is expected")
        }
        return group
    }

    /// `esp32.pwmchannel{mode=, timer=, channel=, gpio= [, duty=] [, hpoint=] [, callback=]}`
    static func open(_ call: LuaCall, _ board: ScriptBoard) throws -> LuaOutcome {
        let config = try ConfigTable(call, 0, isOptional: false)
        let context = call.context
        let unit = context.state { PWMUnit() }
        let group = try group(config)
        let key = PWMTimer.Key(group: group, number: try config.integer("channel", in: 0...7))
        let clock = PWMTimer.Key(group: group, number: try config.integer("timer", in: 0...3))
        let pin = try config.integer("gpio", in: 0...255)
        let line = try board.line(of: pin)
        guard var timer = unit.timers[clock] else {
            return .failure("PWM timer \(clock.number) of mode \(group.rawValue) is not set: call esp32.pwmtimer first")
        }
        guard !unit.channels.contains(key) else { return .failure("PWM channel \(key.number) is in use") }
        let duty = try config.has("duty") ? duty(config.value("duty"), timer) : 0
        let callback = try config.function("callback")
        let claim = try board.claim([pin], context)
        let channel: ScriptPWMChannel
        do throws(DeviceError) {
            let found = try board.backend.find(line)
            let output: any PWMChannel
            if let hardware = try board.buses.pwm(on: found) {
                output = hardware
            } else {
                output = try SoftwarePWM(
                    line, on: board.backend, consumer: "\(context.app.name) pwm", clock: board.time)
                // Most scripts dim an LED with kilohertz, which looks the same.
                if timer.frequency > softwareLimit {
                    context.write(
                        .info,
                        "pin \(pin) is switched by software, with \(Int(softwareLimit)) Hz in place of \(Int(timer.frequency)) Hz"
                    )
                    timer = PWMTimer(bits: timer.bits, frequency: softwareLimit)
                }
            }
            channel = try ScriptPWMChannel(timer, duty: duty, output: output, claim: claim, clock: board.clock)
        } catch {
            return .failure(error.description)
        }
        let target = callback.map { _ in ScriptTarget(context, activity: "pwm \(pin)") }
        do {
            let object = try context.add(
                PWMResource(timer, key, channel, target), keeping: callback.map { [("callback", .function($0))] } ?? [])
            target?.name(object)
            unit.channels.insert(key)
            return .value(.object(object))
        } catch {
            channel.close()
            throw error
        }
    }

    /// Floored, as scripts expect, and within what the timer can do.
    private static func duty(_ value: LuaValue, _ timer: PWMTimer) throws -> Double {
        guard let whole = value.wholeNumber, whole >= 0, whole <= timer.steps else {
            throw ConfigTable.wrong("duty", "0 to \(timer.steps - 1) is expected")
        }
        return Double(whole)
    }

    /// `channel:duty(d [, hpoint])`
    private static func duty(_ call: LuaCall) throws -> LuaOutcome {
        let resource = try call.resource(0, as: PWMResource.self)
        let duty = try duty(.number(try call.number(1)), resource.timer)
        do throws(DeviceError) { try resource.channel.set(duty) } catch { return .failure(error.description) }
        return .success
    }

    /// `channel:fade(d, ms)`
    private static func fade(_ call: LuaCall) throws -> LuaOutcome {
        let resource = try call.resource(0, as: PWMResource.self)
        let duty = try duty(.number(try call.number(1)), resource.timer)
        let time = try call.integer(2, in: 0...3_600_000, "the time in milliseconds")
        guard let target = resource.target else { throw LuaError("No callback") }
        resource.channel.fade(to: duty, in: .milliseconds(time)) {
            target.call("callback", [], closesOnError: true)
        }
        return .success
    }
}
