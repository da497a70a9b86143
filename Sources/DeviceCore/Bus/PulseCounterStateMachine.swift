/// How pulses are counted: an edge of one line counts up or down, and the level of another can turn that round or hold
/// it, as ESP32's PCNT unit does (ESP-IDF, Pulse Counter).
public struct PulseCounterSettings: Hashable, Sendable {
    /// What an edge does.
    public enum EdgeAction: String, Hashable, Sendable, CaseIterable {
        /// Nothing.
        case hold = "HOLD"
        /// Counts up.
        case increase = "INCREASE"
        /// Counts down.
        case decrease = "DECREASE"
    }

    /// What a level does to the edges.
    public enum LevelAction: String, Hashable, Sendable, CaseIterable {
        /// Nothing.
        case keep = "KEEP"
        /// Up becomes down, down becomes up.
        case inverse = "INVERSE"
        /// No edge counts.
        case hold = "HOLD"
    }

    /// One pair of lines; there are two for a quadrature encoder.
    public struct Channel: Hashable, Sendable {
        /// The line whose edges count, by its index among the counter's lines.
        public var edge: Int
        /// The line whose level decides, or nil for none.
        public var level: Int?
        /// What a rising edge does.
        public var rising = EdgeAction.increase
        /// What a falling edge does.
        public var falling = EdgeAction.hold
        /// What a high level does.
        public var high = LevelAction.keep
        /// What a low level does.
        public var low = LevelAction.keep

        /// Counts rising edges of a line.
        public init(edge: Int, level: Int? = nil) {
            self.edge = edge
            self.level = level
        }
    }

    /// The count at which it begins again at zero, above zero.
    public var highLimit: Int
    /// The count at which it begins again at zero, below zero.
    public var lowLimit: Int
    /// Whether what the limits cut off is added to the count.
    public var accumulates = false
    /// Counts that are reported.
    public var points: Set<Int> = []
    /// The pairs of lines.
    public var channels: [Channel]

    /// Makes settings; the limits are within 32767 as in the ESP32.
    public init(highLimit: Int = 32767, lowLimit: Int = -32768, channels: [Channel]) {
        self.highLimit = highLimit
        self.lowLimit = lowLimit
        self.channels = channels
    }

    /// Refuses limits that do not enclose zero, points outside them, and lines that there are not.
    public func check(lines: Int) throws(DeviceError) {
        guard highLimit > 0, lowLimit < 0, highLimit <= 32767, lowLimit >= -32768 else {
            throw DeviceError(
                .invalidArgument, "a pulse counter cannot count from \(lowLimit) to \(highLimit)",
                hint: "Use a high limit of 1 to 32767 and a low one of -32768 to -1")
        }
        if let point = points.first(where: { $0 > highLimit || $0 < lowLimit }) {
            throw DeviceError(
                .invalidArgument, "watch point \(point) is outside \(lowLimit) to \(highLimit)")
        }
        guard (1...8).contains(channels.count),
            channels.allSatisfy({ (0..<lines).contains($0.edge) && (0..<lines).contains($0.level ?? 0) })
        else { throw DeviceError(.invalidArgument, "a pulse counter has 1 to 8 channels, each on its lines") }
    }
}

/// A count that was reached.
public struct PulseCounterEvent: Hashable, Sendable {
    /// From where zero was reached or crossed.
    public enum Crossing: Int, Hashable, Sendable {
        /// From above to zero.
        case fromPositive = 0
        /// From below to zero.
        case fromNegative = 1
    }

    /// The count.
    public let count: Int
    /// For zero: from where.
    public let crossing: Crossing?

    /// Makes an event.
    public init(count: Int, crossing: Crossing? = nil) {
        self.count = count
        self.crossing = crossing
    }
}

/// The counting itself, without I/O.
package struct PulseCounterStateMachine {
    private let settings: PulseCounterSettings
    private var levels: [Bool]
    private var current = 0
    private var accumulated = 0
    /// Whether edges count.
    package var isRunning = false

    /// Begins at zero with the lines' levels.
    package init(_ settings: PulseCounterSettings, levels: [Bool]) {
        self.settings = settings
        self.levels = levels
    }

    /// The count, with what the limits cut off where that is kept.
    package var count: Int { settings.accumulates ? accumulated + current : current }

    /// Begins again at zero.
    package mutating func clear() {
        current = 0
        accumulated = 0
    }

    /// A line's level changed; gives the counts that were reached and are to be reported.
    package mutating func edge(_ line: Int, isHigh: Bool) -> [PulseCounterEvent] {
        guard levels.indices.contains(line) else { return [] }
        levels[line] = isHigh  // safe: checked above
        guard isRunning else { return [] }
        var events: [PulseCounterEvent] = []
        for channel in settings.channels where channel.edge == line {
            switch isHigh ? channel.rising : channel.falling {
            case .hold: continue
            case .increase: step(direction(channel), &events)
            case .decrease: step(-direction(channel), &events)
            }
        }
        return events
    }

    private func direction(_ channel: PulseCounterSettings.Channel) -> Int {
        guard let level = channel.level, levels.indices.contains(level) else { return 1 }
        switch levels[level] ? channel.high : channel.low {  // safe: checked above
        case .keep: return 1
        case .inverse: return -1
        case .hold: return 0
        }
    }

    private mutating func step(_ by: Int, _ events: inout [PulseCounterEvent]) {
        guard by != 0 else { return }
        current += by
        if settings.points.contains(current) {
            let crossing: PulseCounterEvent.Crossing? = current == 0 ? (by < 0 ? .fromPositive : .fromNegative) : nil
            events.append(PulseCounterEvent(count: current, crossing: crossing))
        }
        if current >= settings.highLimit || current <= settings.lowLimit {
            // Bounded by hand: a counter that runs for years must not trap.
            accumulated = min(max(accumulated + current, -(1 << 52)), 1 << 52)
            current = 0
        }
    }
}
