import DeviceCore

/// The modes of `esp32.gpio`.
enum GPIOMode: String, CaseIterable {
    case input = "IN"
    case output = "OUT"
    case openDrain = "OUTOD"
    case inputOutput = "INOUT"
    case inputOpenDrain = "INOUTOD"

    var isInput: Bool { self == .input }
    /// Drives only low.
    var drive: Drive { self == .openDrain || self == .inputOpenDrain ? .openDrain : .pushPull }
}

/// What calls a script's function, `cfg.type`.
enum GPIOTrigger: String, CaseIterable {
    case rising = "POSEDGE"
    case falling = "NEGEDGE"
    case both = "ANYEDGE"
    /// As long as the level is low. The kernel has edges only, so this is an edge that repeats.
    case low = "LOW"
    case high = "HIGH"

    /// Whether an edge to a level calls.
    func fires(at level: Bool) -> Bool {
        switch self {
        case .rising, .high: level
        case .falling, .low: !level
        case .both: true
        }
    }

    /// Whether it calls again while the level stays.
    var repeats: Bool { self == .low || self == .high }
}
