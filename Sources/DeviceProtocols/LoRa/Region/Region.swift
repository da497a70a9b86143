/// The rules of one region: LoRaWAN regional parameters RP002-1.0.3, and the law on transmitters behind them.
///
/// What a gateway needs: where and how long it may send, and what its devices expect. The tables are in
/// `Region+Europe.swift` and its neighbours, one region each, to be checked against the document line by line.
public struct Region: Hashable, Sendable, CustomStringConvertible {
    /// The region's common name: `EU868`.
    public var name: String
    /// Other names of the same: Basics Station's and the specification's.
    public var aliases: [String]
    /// Where its channels may lie.
    public var frequencies: ClosedRange<RadioFrequency>
    /// The data rates by number; nil for numbers that mean nothing here.
    public var dataRates: [RegionDataRate?]
    /// The channels that every device has from the start. Devices join on all of them.
    public var uplinkChannels: [RegionChannel]
    /// The channels of the first receive window, chosen by the uplink's channel; empty: the uplink's own frequency.
    public var downlinkChannels: [RadioFrequency]
    /// The first receive window's data rate, by the uplink's data rate and the session's offset.
    public var rx1DataRates: [[UInt8]]
    /// The same while downlinks are limited in time (``downlinkDwell``); nil where that changes nothing.
    public var rx1DataRatesWithDwell: [[UInt8]]?
    /// The second receive window's frequency.
    public var rx2Frequency: RadioFrequency
    /// The second receive window's data rate.
    public var rx2DataRate: UInt8
    /// The most a device may radiate, in dBm EIRP.
    public var deviceEIRP: Int8
    /// What a gateway may do where: without gaps, or a frequency in none of them must not be sent on.
    public var bands: [RegionBand]
    /// The longest uplink in microseconds; nil without limit. Only of 125 kHz in US915.
    public var uplinkDwell: UInt64?
    /// The longest downlink in microseconds; nil without limit.
    public var downlinkDwell: DownlinkDwell?
    /// Class B's beacon.
    public var beacon: RegionBeacon
    /// Eight channels for a gateway's multi-SF modems, where the network names no other ones.
    public var gatewayChannels: [RadioFrequency]
    /// Channel and data rate of a gateway's single LoRa modem.
    public var gatewayStandardChannel: RegionChannel

    /// A limit of a downlink's time on air.
    public struct DownlinkDwell: Hashable, Sendable {
        /// The limit in microseconds.
        public var limit: UInt64
        /// The widest bandwidth in kHz that it is for.
        public var widest: UInt16
        /// Whether some countries of the region do without it, so that networks switch it (TxParamSetupReq).
        public var isOptional: Bool
    }

    /// Microseconds from an uplink's end to the first receive window (RECEIVE_DELAY1); the second opens 1 s later.
    public static let receiveDelay: UInt64 = 1_000_000
    /// The same for a join-accept (JOIN_ACCEPT_DELAY1).
    public static let joinAcceptDelay: UInt64 = 5_000_000

    /// The region of that name or alias, in any letters; nil for an unknown one.
    public init?(named name: String) {
        let name = name.uppercased()
        guard let region = Self.all.first(where: { $0.name == name || $0.aliases.contains(name) }) else { return nil }
        self = region
    }

    init(
        _ name: String, aliases: [String], _ frequencies: ClosedRange<UInt32>, _ dataRates: [RegionDataRate?],
        uplink: [RegionChannel], downlink: [UInt32] = [], rx1: [[UInt8]], rx1WithDwell: [[UInt8]]? = nil,
        rx2: (UInt32, UInt8), deviceEIRP: Int8, bands: [RegionBand], uplinkDwell: UInt64? = nil,
        downlinkDwell: DownlinkDwell? = nil, beacon: RegionBeacon, gateway: [UInt32], standard: RegionChannel
    ) {
        self.name = name
        self.aliases = aliases
        self.frequencies =
            RadioFrequency(hertz: frequencies.lowerBound)...RadioFrequency(hertz: frequencies.upperBound)
        self.dataRates = dataRates
        uplinkChannels = uplink
        downlinkChannels = downlink.map { RadioFrequency(hertz: $0) }
        rx1DataRates = rx1
        rx1DataRatesWithDwell = rx1WithDwell
        rx2Frequency = RadioFrequency(hertz: rx2.0)
        rx2DataRate = rx2.1
        self.deviceEIRP = deviceEIRP
        self.bands = bands
        self.uplinkDwell = uplinkDwell
        self.downlinkDwell = downlinkDwell
        self.beacon = beacon
        gatewayChannels = gateway.map { RadioFrequency(hertz: $0) }
        gatewayStandardChannel = standard
    }

    /// All regions.
    public static let all: [Region] = [
        .eu868, .us915, .au915, .as923(1), .as923(2), .as923(3), .as923(4), .in865, .kr920,
    ]

    /// The name.
    public var description: String { name }
}
