import DeviceCore
import DeviceLua
import DeviceScripts

/// What the command line says of scripts, checked.
struct AppOptions: Sendable {
    /// The scripts.
    var sources = ScriptSources()
    /// Whether lines of standard input are run in the first app.
    var hasPrompt = false
    /// Which line a script's pin means, where it is not the header's.
    var pins = ScriptPinMap()
    /// Hardware PWM outputs by line name.
    var pwmOutputs: [String: (chip: Int, channel: Int)] = [:]
    /// Whether apps can be changed from other machines.
    var isOnLAN = false

    /// What scripts of the demo can be permitted.
    static let permissionKinds = LuaPermissions.Kind.ofRuntime + [.hooks]

    /// Whether there is anything to run.
    var isUsed: Bool { sources.isUsed }

    /// Reads `GPIO18=0:0`: a line's name, and the chip and channel of `/sys/class/pwm` that is on it.
    static func pwmOutputs(_ texts: [String]) throws(DeviceError) -> [String: (chip: Int, channel: Int)] {
        var outputs: [String: (chip: Int, channel: Int)] = [:]
        for text in texts {
            let pair = text.split(separator: "=", maxSplits: 1).map(String.init)
            let numbers = pair.count == 2 ? pair[1].split(separator: ":").compactMap { Int($0) } : []
            guard numbers.count == 2, let chip = numbers.first, let channel = numbers.last, chip >= 0, channel >= 0,
                outputs.updateValue((chip, channel), forKey: pair[0]) == nil
            else {
                throw DeviceError(
                    .invalidArgument, "--pwm \"\(text.prefix(100))\" names no PWM output",
                    hint: "Example: --pwm GPIO18=0:0, the line, and chip and channel of /sys/class/pwm")
            }
        }
        return outputs
    }
}
