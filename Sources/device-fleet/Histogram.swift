import DeviceCore

/// Durations counted in buckets that grow with the value: 16 for each doubling, so a quantile is wrong by 6 % at most.
///
/// From one microsecond to 19 hours; what is beyond falls into the first or last bucket. Its size never grows.
struct Histogram: Sendable {
    private static let perDoubling = 16
    private static let doublings = 36
    private var counts = [UInt64](repeating: 0, count: perDoubling * (doublings + 1))
    private(set) var count: UInt64 = 0
    private(set) var minimum = Duration.zero
    private(set) var maximum = Duration.zero
    private var sum = 0.0

    mutating func add(_ duration: Duration) {
        let duration = max(.zero, duration)
        counts[Self.bucket(of: duration)] += 1  // safe: bucket(of:) is within the table
        minimum = count == 0 ? duration : min(minimum, duration)
        maximum = max(maximum, duration)
        count += 1
        sum += Double(duration.wholeNanoseconds)
    }

    var mean: Duration { count == 0 ? .zero : .nanoseconds(Int64(sum / Double(count))) }

    /// The duration that this share, 0 to 1, of all did not exceed; zero when there is none.
    func quantile(_ share: Double) -> Duration {
        guard count > 0 else { return .zero }
        let wanted = max(1, UInt64((min(max(share, 0), 1) * Double(count)).rounded(.up)))
        var seen: UInt64 = 0
        for (index, count) in counts.enumerated() {
            seen += count
            if seen >= wanted { return min(maximum, max(minimum, Self.upperBound(of: index))) }
        }
        return maximum
    }

    /// Counts by half doublings, for a picture: those from the first to the last that are not empty.
    var bars: [(from: Duration, to: Duration, count: UInt64)] {
        let width = Self.perDoubling / 2
        let groups = stride(from: 0, to: counts.count, by: width).map { start in
            (
                from: start == 0 ? Duration.zero : Self.upperBound(of: start - 1),
                to: Self.upperBound(of: start + width - 1),
                count: counts[start..<start + width].reduce(0, +)  // safe: the table is a multiple of the width
            )
        }
        guard let first = groups.firstIndex(where: { $0.count > 0 }),
            let last = groups.lastIndex(where: { $0.count > 0 })
        else { return [] }
        return Array(groups[first...last])  // safe: both are indices of groups
    }

    /// Small values one by one, then 16 buckets for each doubling.
    private static func bucket(of duration: Duration) -> Int {
        let value = UInt64(max(0, duration.wholeNanoseconds / 1000))
        guard value >= UInt64(perDoubling) else { return Int(value) }
        let power = 63 - value.leadingZeroBitCount
        let fraction = Int((value >> UInt64(power - 4)) & 15)
        return min((power - 3) * perDoubling + fraction, perDoubling * (doublings + 1) - 1)
    }

    private static func upperBound(of index: Int) -> Duration {
        guard index >= perDoubling else { return .microseconds(index + 1) }
        let power = index / perDoubling + 3
        let fraction = index % perDoubling
        return .microseconds(Int64(perDoubling + fraction + 1) << Int64(power - 4))
    }
}
