import DeviceProtocols

/// What the settings mean for the radio and for what may be sent with it; at the start, and when they are read again.
struct RadioRules: Sendable {
    /// What the radio is set to.
    var plan: RadioPlan
    /// How downlinks are judged.
    var downlinks: DownlinkSettings
    /// The law wants the radio to listen before it talks, and this one does not.
    var cannotListen: Bool

    init(_ configuration: GatewayConfiguration, radio: any Radio) {
        let region = RegionChoice.region(named: configuration.region, plan: configuration.plan)
        plan = configuration.plan ?? RadioPlan(region ?? .eu868)
        plan.listenBeforeTalk = Self.listening(configuration, plan, region)
        cannotListen = plan.listenBeforeTalk != nil && !radio.listensBeforeTalk
        if cannotListen { plan.listenBeforeTalk = nil }
        downlinks = DownlinkSettings(plan: plan, region: region)
        downlinks.handOver = radio.handOver
        downlinks.turnaround = max(downlinks.turnaround, radio.handOver.lowerBound + 10_000)
        downlinks.trustsServer = !configuration.enforcesAirtime
    }

    /// What the files say of listening before talking, else what the region's law does.
    private static func listening(
        _ configuration: GatewayConfiguration, _ plan: RadioPlan, _ region: Region?
    ) -> ListenBeforeTalk? {
        guard configuration.listensBeforeTalk ?? true else { return nil }
        return plan.listenBeforeTalk
            ?? (configuration.region ?? region?.name).flatMap { ListenBeforeTalk(regionNamed: $0) }
    }
}
