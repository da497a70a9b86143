import DeviceProtocols

/// Which region's rules hold for a configuration.
enum RegionChoice {
    /// The region that the files name; where they name none, the one whose channels the plan has; without a plan EU868.
    ///
    /// nil when the named one is unknown, or no region has a channel of the plan.
    static func region(named name: String?, plan: RadioPlan?) -> Region? {
        if let name { return Region(named: name) }
        guard let plan else { return .eu868 }
        let frequencies = plan.channels.map(\.frequency)
        var best: (region: Region, score: Int)?
        for region in Region.all {
            let known = Set(region.gatewayChannels + region.uplinkChannels.map(\.frequency))
            let score = frequencies.count { known.contains($0) }
            if score > best?.score ?? 0 { best = (region, score) }
        }
        return best?.region
    }
}
