import DeviceCore

/// One of an ESP32's PWM timers: the frequency and resolution that its channels share.
struct PWMTimer: Hashable, Sendable {
    /// Timers and channels are numbered anew in each of the two.
    enum Group: String, CaseIterable, Sendable {
        case low = "LOW"
        case high = "HIGH"
    }

    /// Which one.
    struct Key: Hashable, Sendable {
        let group: Group
        let number: Int
    }

    let bits: Int
    let frequency: Double

    /// The largest duty plus one.
    var steps: Int { 1 << bits }
    var period: Duration { .nanoseconds(Int64((1e9 / frequency).rounded())) }

    /// The high part of the period for a duty.
    func high(_ duty: Double) -> Duration {
        let part = min(max(duty / Double(steps), 0), 1)
        return .nanoseconds(Int64((Double(period.wholeNanoseconds) * part).rounded()))
    }
}
