import DeviceCore

/// What an LED does in the background.
enum LEDEffect: Sendable {
    case steady(Double)
    case blink(on: Duration, off: Duration, count: Int?)
    case pulse(fadeIn: Duration, fadeOut: Duration, count: Int?)

    /// The period of the software's pulse width modulation.
    static let period = Duration.milliseconds(10)

    /// The brightness that is reported from the start.
    var firstBrightness: Double {
        switch self {
        case .steady(let brightness): brightness
        case .blink: 1
        case .pulse: 0.01
        }
    }

    /// Runs from `start`, when the line was already switched on, until `step` says no or the task is cancelled.
    ///
    /// Every step has its own time, so that lateness does not add up; a process that was stopped for a while goes on
    /// from now instead of catching up.
    func run(
        from start: MonotonicTime, clock: DeviceClock, step: (_ lit: Bool, _ brightness: Double) -> Bool
    ) async {
        var pace = Pace(clock: clock, next: start)
        switch self {
        case .steady(let brightness):
            while await pace.cycle(brightness, of: Self.period, { step($0, brightness) }) {}
        case .blink(let on, let off, let count):
            var done = 0
            while await pace.sleep(on), step(false, 0) {
                done += 1
                if done == count { return }
                guard await pace.sleep(off), step(true, 1) else { return }
            }
        case .pulse(let fadeIn, let fadeOut, let count):
            let up = Self.cycles(fadeIn)
            let down = Self.cycles(fadeOut)
            var done = 0
            while done != count {
                for number in 1...(up + down) {
                    let level =
                        number <= up ? Double(number) / Double(up) : Double(up + down - number) / Double(down)
                    guard await pace.cycle(level, of: Self.period, { step($0, level) }) else { return }
                }
                done += 1
            }
            _ = step(false, 0)
        }
    }

    private static func cycles(_ duration: Duration) -> Int { max(1, Int(min(duration / period, 1e6))) }
}
