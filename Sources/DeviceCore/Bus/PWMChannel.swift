/// An output that switches with a period and a part of it high, made by hardware or by software.
public protocol PWMChannel: AnyObject, Sendable {
    /// What this output is, for a person.
    var name: String { get }
    /// Whether hardware switches: without jitter, as servos want it.
    var isHardware: Bool { get }
    /// Sets the period and the high part of it, 0 to the whole period, from the next period on.
    ///
    /// - Throws: `.invalidArgument`, `.closed`, `.io`.
    func set(period: Duration, high: Duration) throws(DeviceError)
    /// Stops low and gives the output back. Does nothing the second time.
    func close()
}

/// The limits of a PWM output's settings.
package enum PWMRule {
    /// Refuses periods and parts that make no sense on any output.
    package static func check(period: Duration, high: Duration, shortest: Duration) throws(DeviceError) {
        guard period >= shortest, period <= .seconds(10) else {
            throw DeviceError(
                .invalidArgument, "a PWM period of \(period)", hint: "Use \(shortest) to 10 seconds here")
        }
        guard high >= .zero, high <= period else {
            throw DeviceError(.invalidArgument, "a PWM output cannot be high for \(high) of \(period)")
        }
    }
}
