/// Values of one kind, of which the order does not matter.
struct Samples {
    private(set) var values: [Double] = []

    init() {}
    init(capacity: Int) { values.reserveCapacity(capacity) }

    mutating func add(_ value: Double) { values.append(value) }

    /// The value below which that share of all values lies (nearest rank); nil without values.
    func percentile(_ share: Double) -> Double? {
        let sorted = values.sorted()
        guard let last = sorted.indices.last else { return nil }
        return sorted[Int((share / 100 * Double(last)).rounded())]
    }

    var median: Double? { percentile(50) }
    var minimum: Double? { values.min() }
    var maximum: Double? { values.max() }
}
