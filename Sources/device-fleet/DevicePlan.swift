import DeviceCore
import DeviceProtocols
import Glibc

/// Something that a device does, or that is done to it.
enum FleetAction: Hashable, Sendable {
    /// The device is switched on.
    case arrive
    /// It publishes a reading.
    case read(ReadingKind, value: Int16)
    /// A controller switches one of its LEDs; 1 to ``DevicePlan/ledCount``.
    case command(led: UInt8, isOn: Bool)
    /// Somebody presses its button.
    case press
}

/// When a device does what, from a seed: the same seed gives the same plan, whatever the number of devices.
///
/// Times between two actions of a kind are exponentially distributed, as those of independent causes are. Only one
/// action ahead is kept, so a plan costs a device a few words however long the run is.
struct DevicePlan: Sendable {
    /// What all plans of a fleet have in common.
    struct Settings: Hashable, Sendable {
        var seed: UInt64 = 7
        var scenario = FleetScenario.mixed
        /// Devices arrive evenly spread at random over this time.
        var ramp = Duration.seconds(10)
        /// Mean time between two readings of a device.
        var every = Duration.seconds(10)
    }

    /// LEDs of a device.
    static let ledCount: UInt8 = 4

    private var random: SplitMix64
    private let settings: Settings
    private var arrival: Duration?
    private var nextReading: Duration?
    private var nextCommand: Duration?
    private var nextPress: Duration?
    private var reading: Int16 = 200

    init(_ settings: Settings, device: Int) {
        self.settings = settings
        // The stream of a device begins at a number drawn from seed and device, so that neighbours do not overlap.
        var start = SplitMix64(seed: settings.seed)
        let salt = start.next()
        var own = SplitMix64(seed: salt ^ (UInt64(truncatingIfNeeded: device) &* 0xD6E8_FEB8_6659_FD93))
        random = SplitMix64(seed: own.next())
        let arrival = settings.ramp * random.unit()
        self.arrival = arrival
        if settings.scenario.hasReadings { nextReading = arrival + pause(settings.every) }
        if settings.scenario.hasLEDs {
            let interval = settings.scenario.commandInterval(every: settings.every)
            nextCommand = arrival + pause(interval)
            nextPress = arrival + pause(interval * 2)
        }
    }

    /// The next action and its time from the beginning of the run, or nil when there is none.
    mutating func next() -> (time: Duration, action: FleetAction)? {
        if let arrival {
            self.arrival = nil
            return (arrival, .arrive)
        }
        let interval = settings.scenario.commandInterval(every: settings.every)
        let times = [nextReading, nextCommand, nextPress].compactMap(\.self)
        guard let time = times.min() else { return nil }
        if time == nextReading {
            nextReading = time + pause(settings.every)
            let kind = ReadingKind.allCases.randomElement(using: &random) ?? .temperature
            // A walk, as a room's temperature goes.
            reading = min(400, max(-100, reading + Int16.random(in: -3...3, using: &random)))
            return (time, .read(kind, value: reading))
        }
        if time == nextCommand {
            nextCommand = time + pause(interval)
            let led = UInt8.random(in: 1...Self.ledCount, using: &random)
            return (time, .command(led: led, isOn: Bool.random(using: &random)))
        }
        nextPress = time + pause(interval * 2)
        return (time, .press)
    }

    /// An exponentially distributed time, at least a millisecond and at most twenty times the mean.
    private mutating func pause(_ mean: Duration) -> Duration {
        let factor = min(20, -log(1 - random.unit()))
        return max(.milliseconds(1), mean * factor)
    }
}

extension SplitMix64 {
    /// A number from 0 up to, and without, 1.
    fileprivate mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }
}
