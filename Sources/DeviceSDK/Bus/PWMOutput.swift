public import DeviceCore

/// A hardware PWM output of the kernel, `/sys/class/pwm/pwmchipN/pwmM`: exact, so also for servos.
///
/// Which pin it is on is set by the device tree (`dtoverlay=pwm-2chan` on a Raspberry Pi puts two on GPIO18 and 19).
public final class PWMOutput: PWMChannel {
    private struct State {
        var period: Int64 = 0
        var isClosed = false
    }

    /// The output's directory.
    public let name: String
    /// Always.
    public var isHardware: Bool { true }
    private let chip: String
    private let channel: Int
    private let state = Locked(State())

    /// The chips of this machine with the number of their outputs.
    public static func chips(directory: String = "/sys/class/pwm") -> [(chip: Int, channels: Int)] {
        BusFile.names(in: directory, prefixes: ["pwmchip"]).compactMap { name in
            guard let chip = Int(name.dropFirst(7)), let text = try? SystemFile.text("\(directory)/\(name)/npwm"),
                let channels = Int(text)
            else { return nil }
            return (chip, channels)
        }.sorted { $0.chip < $1.chip }
    }

    /// Takes an output; it stays low until it is set.
    ///
    /// - Throws: `.notFound` with the chips that exist, `.busy`, `.permission`, `.io`.
    public init(chip: Int, channel: Int, directory: String = "/sys/class/pwm") throws(DeviceError) {
        let chips = Self.chips(directory: directory)
        guard let found = chips.first(where: { $0.chip == chip }), (0..<found.channels).contains(channel) else {
            throw DeviceError(
                .notFound, "this machine has no PWM output \(chip):\(channel)",
                hint: chips.isEmpty
                    ? "Turn one on with an overlay, such as dtoverlay=pwm-2chan, or let software switch the line"
                    : "Outputs here: " + chips.map { "\($0.chip):0 to \($0.channels - 1)" }.joined(separator: ", "))
        }
        self.chip = "\(directory)/pwmchip\(chip)"
        self.channel = channel
        name = "\(self.chip)/pwm\(channel)"
        guard (try? SystemFile.text(name + "/period")) == nil else {
            throw DeviceError(
                .busy, "PWM output \(chip):\(channel) is in use by another program",
                hint: "Stop that program; what a killed one left is freed by "
                    + "`echo \(channel) | sudo tee \(self.chip)/unexport`")
        }
        do throws(DeviceError) {
            try SystemFile.write("\(channel)", to: self.chip + "/export")
        } catch {
            throw Self.explain(error, name)
        }
    }

    deinit { close() }

    /// Sets the period and the high part of it.
    public func set(period: Duration, high: Duration) throws(DeviceError) {
        try PWMRule.check(period: period, high: high, shortest: .nanoseconds(100))
        try state.withLock { (state: inout State) throws(DeviceError) in
            guard !state.isClosed else { throw DeviceError(.closed, "PWM output \(name) was closed") }
            let (whole, part) = (period.wholeNanoseconds, high.wholeNanoseconds)
            do throws(DeviceError) {
                if whole != state.period {
                    // The kernel refuses a period below the high part that is set at the time.
                    if state.period > 0 { try SystemFile.write("0", to: name + "/duty_cycle") }
                    try SystemFile.write("\(whole)", to: name + "/period")
                }
                try SystemFile.write("\(part)", to: name + "/duty_cycle")
                if state.period == 0 { try SystemFile.write("1", to: name + "/enable") }
                state.period = whole
            } catch {
                throw Self.explain(error, name)
            }
        }
    }

    /// Stops low and gives the output back.
    public func close() {
        state.withLock { state in
            guard !state.isClosed else { return }
            state.isClosed = true
            // Nobody is left to tell when this fails.
            if state.period > 0 {
                try? SystemFile.write("0", to: name + "/duty_cycle")
                try? SystemFile.write("0", to: name + "/enable")
            }
            try? SystemFile.write("\(channel)", to: chip + "/unexport")
        }
    }

    private static func explain(_ error: DeviceError, _ name: String) -> DeviceError {
        guard error.code == .permission else { return error }
        return DeviceError(
            .permission, "no permission to use \(name)",
            hint: "Install the udev rule of Hardware/README.md for the group gpio, or run as root", cause: error)
    }
}
