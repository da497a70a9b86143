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
        guard used.indices.contains(band), !used[band].isEmpty else { return }
        let minute = start.addingClamped(airtime) / Self.minute
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
