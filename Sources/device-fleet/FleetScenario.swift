import DeviceCore

/// What the devices of a fleet do.
enum FleetScenario: String, CaseIterable, Sendable {
    /// Readings, LED commands and presses of a button.
    case mixed
    /// Readings only.
    case sensors
    /// LED commands and presses only.
    case leds
    /// Connections that are held, and nothing else.
    case idle

    /// Whether devices publish readings.
    var hasReadings: Bool { self == .mixed || self == .sensors }
    /// Whether devices have LEDs and a button in use.
    var hasLEDs: Bool { self == .mixed || self == .leds }

    /// The mean time between two commands to a device, and twice that between two presses of its button, for a mean
    /// time between two of its readings.
    func commandInterval(every: Duration) -> Duration { self == .leds ? every : every * 3 }
}

/// How devices publish their readings.
enum FleetDelivery: String, CaseIterable, Sendable {
    /// Sent now or refused at once.
    case live
    /// Kept in the device's outbox until the broker has it.
    case broker
    /// Kept in the device's outbox until a receiver has said that it has it.
    case endToEnd
}

/// What a device measures; each kind has a topic of its own.
enum ReadingKind: UInt8, CaseIterable, Sendable {
    case temperature = 1
    case humidity = 2
    case light = 3

    /// Where readings of this kind go.
    var topic: String {
        switch self {
        case .temperature: "fleet/temperature"
        case .humidity: "fleet/humidity"
        case .light: "fleet/light"
        }
    }
}
