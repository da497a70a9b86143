/// Time on air by band within any hour (ETSI EN 300 220-1 V3.1.1, section 5.4: an observation period of one hour).
///
/// The hour slides. It is kept in minutes, so memory does not grow; a minute counts as long as any of it lies within
/// the hour, so a little less than the law's share is used, never more. Frames that are planned count from the time
/// they are accepted.
public struct DutyCycle: Sendable {
    /// Minutes that are kept: an hour, as far as a frame can be planned ahead, and the rest up to a power of two.
    private static let slots = 128
    private static let minute: UInt64 = 60_000_000
    private static let hour: UInt64 = 3_600_000_000

    private struct Slot {
        var minute: UInt64 = 0
        var airtime: UInt64 = 0
    }

    private let bands: [RegionBand]
    private var used: [[Slot]]

    /// Nothing sent yet in a region's bands.
    public init(_ region: Region?) {
        bands = region?.bands ?? []
        used = bands.map { $0.dutyCycle == nil ? [] : [Slot](repeating: Slot(), count: Self.slots) }
    }

    /// What may be sent in an hour in a band, in microseconds; nil without limit.
    public func budget(band: Int) -> UInt64? {
        guard bands.indices.contains(band), let share = bands[band].dutyCycle else { return nil }
        return Self.hour / 1000 * UInt64(share)
    }

    /// What was sent and is planned in a band from an hour before that time on, in microseconds.
    public func used(band: Int, at time: UInt64) -> UInt64 {
        guard used.indices.contains(band) else { return 0 }
        let first = (time > Self.hour ? time - Self.hour : 0) / Self.minute
        return used[band].reduce(0) { $1.minute >= first ? $0 + $1.airtime : $0 }
    }

    /// Whether a frame with that start fits.
    ///
    /// All that is sent from an hour before its start on counts, also what is planned after it: so no hour that the
    /// frame has a part in is over its budget, in whatever order frames are planned.
    public func allows(_ airtime: UInt64, band: Int, at start: UInt64) -> Bool {
        guard let budget = budget(band: band) else { return true }
        return airtime <= budget && used(band: band, at: start) <= budget - airtime
    }

    /// Counts a frame; its minute is that of its end.
    public mutating func add(_ airtime: UInt64, band: Int, at start: UInt64) {
        add(airtime, band: band, inMinute: start.addingClamped(airtime) / Self.minute)
    }

    /// What was sent in a minute of a band, apart from any clock: for who keeps it beyond the program's end.
    public struct Record: Hashable, Sendable {
        /// The band's lowest frequency.
        public var lowest: RadioFrequency
        /// The first frequency above it.
        public var end: RadioFrequency
        /// How long ago the minute was; below 0 for what is planned.
        public var minutesAgo: Int64
        /// Microseconds on the air.
        public var airtime: UInt64

        /// Makes a record; ``DutyCycle/restore(_:at:)`` checks it.
        public init(lowest: RadioFrequency, end: RadioFrequency, minutesAgo: Int64, airtime: UInt64) {
            self.lowest = lowest
            self.end = end
            self.minutesAgo = minutesAgo
            self.airtime = airtime
        }
    }

    /// What was sent in the hour before that time, and what is planned after it.
    public func records(at time: UInt64) -> [Record] {
        let now = Int64(clamping: time / Self.minute)
        return zip(bands, used).flatMap { band, slots in
            slots.compactMap { slot -> Record? in
                let ago = now - Int64(clamping: slot.minute)
                guard slot.airtime > 0, Self.kept.contains(ago) else { return nil }
                return Record(lowest: band.lowest, end: band.end, minutesAgo: ago, airtime: slot.airtime)
            }
        }
    }

    /// Counts what was sent before. Records of other bands, and of times that do not matter any more, count for nothing.
    public mutating func restore(_ records: [Record], at time: UInt64) {
        let now = Int64(clamping: time / Self.minute)
        for record in records where Self.kept.contains(record.minutesAgo) {
            guard let band = bands.firstIndex(where: { $0.lowest == record.lowest && $0.end == record.end }),
                let minute = UInt64(exactly: now - record.minutesAgo)
            else { continue }
            add(min(record.airtime, Self.hour), band: band, inMinute: minute)
        }
    }

    /// Minutes ago of what counts: an hour, a begun minute, and as far ahead as a frame can be planned.
    private static let kept: ClosedRange<Int64> = -10...61

    private mutating func add(_ airtime: UInt64, band: Int, inMinute minute: UInt64) {
        guard used.indices.contains(band), !used[band].isEmpty else { return }
        let place = Int(minute % UInt64(Self.slots))
        if used[band][place].minute != minute { used[band][place] = Slot(minute: minute) }
        used[band][place].airtime = used[band][place].airtime.addingClamped(airtime)
    }

    /// Takes back a frame that did not go on the air.
    public mutating func remove(_ airtime: UInt64, band: Int, at start: UInt64) {
        guard used.indices.contains(band), !used[band].isEmpty else { return }
        let minute = start.addingClamped(airtime) / Self.minute
        let place = Int(minute % UInt64(Self.slots))
        guard used[band][place].minute == minute else { return }
        used[band][place].airtime -= min(airtime, used[band][place].airtime)
    }
}

extension UInt64 {
    /// The sum, or the largest number.
    func addingClamped(_ other: UInt64) -> UInt64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }

    /// The difference, or zero.
    func subtractingClamped(_ other: UInt64) -> UInt64 { self > other ? self - other : 0 }
}
