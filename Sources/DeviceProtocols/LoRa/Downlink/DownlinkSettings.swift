/// How a downlink queue judges. All times are in microseconds.
public struct DownlinkSettings: Sendable {
    /// The region whose law holds; nil: none is known and only the radio's limits count.
    public var region: Region?
    /// The radio's chains, ranges and gains.
    public var plan: RadioPlan
    /// When a frame is handed over before its time on air: never later than the lower bound, never earlier than the
    /// upper (``Radio/handOver``).
    public var handOver: ClosedRange<UInt64> = 10_000...60_000
    /// Whether servers are trusted to keep duty cycle, dwell time, power and band limits. Off: the gateway keeps them.
    public var trustsServer = false
    /// Whether a limit of time on air is kept that some of the region's countries do without.
    public var keepsOptionalDwell = true
    /// Frames that may wait, for each RF chain.
    public var limit = 32
    /// How far ahead a frame may be planned: four beacon periods, as in Semtech's forwarder.
    public var maximumAdvance: UInt64 = 512_000_000
    /// The longest frame that is sent at all; a hostile preamble would block the sender for half an hour.
    public var longestFrame: UInt64 = 20_000_000
    /// Time between two frames, so that the second can be handed over after the first has left the air.
    public var turnaround: UInt64 = 20_000
    /// How long after its start a frame is looked for on the air.
    public var checkDelay: UInt64 = 5_000
    /// What class B keeps free around each beacon; nil without beacons.
    public var beacons: BeaconTimes?

    /// The times around a beacon (LoRaWAN 1.0.3, section 15.1), every 128 s of GPS time.
    public struct BeaconTimes: Hashable, Sendable {
        /// From one beacon to the next.
        public var period: UInt64 = 128_000_000
        /// Kept free by class B before a beacon (beacon_guard).
        public var guardTime: UInt64 = 3_000_000
        /// Kept free by class B from a beacon's start on (beacon_reserved).
        public var reserved: UInt64 = 2_120_000
        /// The beacon's own time on the air, which class A and C keep free as well.
        public var airtime: UInt64

        /// Makes times for a beacon of that length.
        public init(airtime: UInt64) { self.airtime = airtime }
    }

    /// Settings for a radio and a region.
    public init(plan: RadioPlan, region: Region?) {
        self.plan = plan
        self.region = region
    }

    /// How long before its start a frame is handed over: with room for a late timer on one side and an early one on the
    /// other.
    var lead: UInt64 { handOver.lowerBound + (handOver.upperBound - handOver.lowerBound) / 4 * 3 }
    /// The antenna's gain in whole dB. A part of a dB counts as a whole one: rather too little is radiated than too much.
    var antennaGain: Int {
        let gain = plan.antennaGain.isFinite ? min(max(plan.antennaGain, -50), 50) : 0
        let whole = Int(gain)
        return Double(whole) < gain ? whole + 1 : whole
    }
    /// The shortest time between a request and its start.
    var shortestNotice: UInt64 { handOver.lowerBound + 2_500 }
    /// The time from a request to its start when it is to be sent at once.
    var immediateNotice: UInt64 { handOver.lowerBound + 20_000 }
}
