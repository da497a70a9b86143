/// Random orders: every policy that chooses by chance chooses through these.
public enum WeightedOrder {
    /// Indices of the weights in an order drawn without putting back: each place goes to one of the rest with a
    /// probability in proportion to its weight.
    ///
    /// Weights that are not positive numbers come last, in random order among themselves.
    public static func draw(_ weights: [Double], using random: inout some RandomNumberGenerator) -> [Int] {
        var left = Array(weights.indices).shuffled(using: &random)
        var order: [Int] = []
        order.reserveCapacity(weights.count)
        // Infinite or broken weights must not spoil the sum.
        func weight(_ index: Int) -> Double {
            let value = weights[index]  // safe: only its own indices are asked for
            return value > 0 ? min(value, 1e12) : 0
        }
        while !left.isEmpty {
            let total = left.reduce(0) { $0 + weight($1) }
            guard total > 0, total.isFinite else {
                order += left
                break
            }
            var point = Double.random(in: 0..<total, using: &random)
            var chosen = left.count - 1
            for (place, index) in left.enumerated() {
                point -= weight(index)
                if point < 0 {
                    chosen = place
                    break
                }
            }
            order.append(left.remove(at: chosen))
        }
        return order
    }

    /// Endpoints in the order of RFC 2782: lower priorities first, and within one priority by chance, in proportion to
    /// the weights. Without weights every order is equally likely.
    ///
    /// A resolver's own order is not trusted: glibc sorts by the longest common prefix (RFC 6724, rule 9), so that on
    /// a LAN all devices would choose the same broker.
    public static func shuffled(
        _ endpoints: [ResolvedEndpoint], using random: inout some RandomNumberGenerator
    ) -> [ResolvedEndpoint] {
        var groups: [Int: [ResolvedEndpoint]] = [:]
        for endpoint in endpoints { groups[endpoint.priority, default: []].append(endpoint) }
        var result: [ResolvedEndpoint] = []
        result.reserveCapacity(endpoints.count)
        for priority in groups.keys.sorted() {
            let group = groups[priority] ?? []
            // A weight of 0 means "rarely" beside others (RFC 2782), and "all alike" when there are only zeros.
            let isWeighted = group.contains { $0.weight > 0 }
            let weights = group.map { isWeighted ? max(Double($0.weight), 0.1) : 1 }
            for index in draw(weights, using: &random) { result.append(group[index]) }  // safe: indices of group
        }
        return result
    }
}
