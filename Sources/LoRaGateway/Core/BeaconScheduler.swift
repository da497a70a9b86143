import DeviceProtocols

/// What the beacons of class B look like.
struct BeaconPlan: Sendable, Hashable {
    /// Used by turns.
    var frequencies: [RadioFrequency]
    var modulation: LoRaModulation
    var layout: BeaconLayout
    /// dBm EIRP; nil: what the region allows.
    var eirp: Int8?
    var information: UInt8 = 0
    var position: GatewayConfiguration.Position?

    /// From Semtech's settings; nil for a spreading factor that no region's beacon has.
    init?(_ beacon: GatewayConfiguration.Beacon, position: GatewayConfiguration.Position?) {
        guard let layout = BeaconLayout(spreadingFactor: beacon.rate.spreadingFactor) else { return nil }
        frequencies = [beacon.frequency]
        modulation = .lora(beacon.rate)
        self.layout = layout
        eirp = beacon.power
        information = beacon.information
        self.position = position
    }

    /// From a Basics Station server's; nil for a data rate that it has not defined.
    init?(_ config: LNSRouterConfig, position: GatewayConfiguration.Position?) {
        guard let beaconing = config.beaconing, let modulation = config.modulation(beaconing.dataRate),
            !beaconing.frequencies.isEmpty
        else { return nil }
        frequencies = beaconing.frequencies
        self.modulation = modulation
        layout = beaconing.layout
        self.position = position
    }

    /// Microseconds on the air.
    var airtime: UInt64 {
        TimeOnAir.microseconds(
            of: Beacon(gpsSeconds: 0).frame(layout, frequency: RadioFrequency(hertz: 0), modulation: modulation))
    }
}

/// Plans the next beacon, once, some time before it.
struct BeaconScheduler {
    /// Every 128 s of GPS time (LoRaWAN 1.0.3, section 15.1), 1.5 ms after the full second.
    static let period: UInt64 = 128
    private static let delay: UInt64 = 1_500

    var plan: BeaconPlan
    private var planned: UInt64 = 0

    init(_ plan: BeaconPlan) { self.plan = plan }

    /// The next beacon; nil when it is planned already, or too near.
    ///
    /// - Parameter now: GPS time in microseconds.
    mutating func next(now: UInt64, rfChain: UInt8) -> DownlinkRequest? {
        let seconds = (now / 1_000_000 / Self.period + 1) * Self.period
        guard seconds > planned, seconds * 1_000_000 - now > 1_000_000 else { return nil }
        planned = seconds
        var beacon = Beacon(gpsSeconds: seconds)
        beacon.info = plan.information
        if let position = plan.position {
            (beacon.latitude, beacon.longitude) = (position.latitude, position.longitude)
        }
        let turn = Int(seconds / Self.period % UInt64(max(1, plan.frequencies.count)))
        guard plan.frequencies.indices.contains(turn) else { return nil }
        // safe: the turn was looked up
        let frame = beacon.frame(
            plan.layout, frequency: plan.frequencies[turn], modulation: plan.modulation, rfChain: rfChain)
        return DownlinkRequest(
            id: 0, timing: .beacon(gpsMicroseconds: seconds * 1_000_000 + Self.delay), eirp: plan.eirp, frame: frame)
    }
}
