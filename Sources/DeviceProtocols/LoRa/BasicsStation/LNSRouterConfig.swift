public import DeviceCore

/// What a gateway is to do: `router_config`.
public struct LNSRouterConfig: Equatable, Sendable {
    /// One data rate, an element of `DRs`.
    public struct DataRate: Hashable, Sendable {
        /// The modulation; FSK is the element whose spreading factor is 0.
        public var modulation: LoRaModulation
        /// Whether only gateways send with it.
        public var isDownOnly: Bool

        /// Makes a data rate.
        public init(_ modulation: LoRaModulation, isDownOnly: Bool = false) {
            self.modulation = modulation
            self.isDownOnly = isDownOnly
        }
    }

    /// An uplink channel, an element of `upchannels`.
    public struct UpChannel: Hashable, Sendable {
        /// Its frequency.
        public var frequency: RadioFrequency
        /// The data rates that are used there.
        public var dataRates: ClosedRange<UInt8>

        /// Makes a channel.
        public init(frequency: RadioFrequency, dataRates: ClosedRange<UInt8>) {
            self.frequency = frequency
            self.dataRates = dataRates
        }
    }

    /// Class B's beacons: `bcning`.
    public struct Beaconing: Hashable, Sendable {
        /// The beacon's data rate.
        public var dataRate: UInt8
        /// Where in the frame the time and the gateway's own part begin, and how long the frame is.
        public var layout: BeaconLayout
        /// The frequencies, used by turns.
        public var frequencies: [RadioFrequency]

        /// Makes a description.
        public init(dataRate: UInt8, layout: BeaconLayout, frequencies: [RadioFrequency]) {
            self.dataRate = dataRate
            self.layout = layout
            self.frequencies = frequencies
        }
    }

    /// Networks whose devices are heard, by ``DevAddr/networkID``; nil: all.
    public var netIDs: [UInt32]?
    /// Join servers whose devices may join; nil: all.
    public var joinEUIs: [ClosedRange<UInt64>]?
    /// Whether the server writes `JoinEUI`, and so wants `DevEUI`, instead of `JoinEui`.
    public var usesCapitalEUI = false
    /// The region's name, as the server has it; ``Region/init(named:)`` knows these.
    public var region: String
    /// The hardware that the configuration is for: `sx1301/1`.
    public var hwspec: String
    /// Where downlinks may be sent.
    public var frequencyRange: ClosedRange<RadioFrequency>
    /// The data rates by number; nil for numbers that mean nothing.
    public var dataRates: [DataRate?]
    /// Uplink channels, from servers that let the gateway choose its modems.
    public var upChannels: [UpChannel] = []
    /// For each concentrator board its channels, as in Semtech's `SX130x_conf`; see ``plan(board:transmitRange:)``.
    public var boards: [JSONValue] = []
    /// The most that may be radiated, in dBm EIRP.
    public var maximumEIRP: Double?
    /// Do not listen before talking. For tests: the gateway decides whether it obeys.
    public var nocca = false
    /// Do not keep the duty cycle. As above.
    public var nodc = false
    /// Do not keep dwell times. As above.
    public var nodwell = false
    /// Beacons; nil: none.
    public var beaconing: Beaconing?
    /// The server's clock, in seconds since 1970.
    public var muxTime: Double?

    /// Join server ranges that Basics Station takes; more are refused.
    public static let maximumRanges = 10

    /// Makes a configuration.
    public init(
        region: String, hwspec: String = "sx1301/1", frequencyRange: ClosedRange<RadioFrequency>,
        dataRates: [DataRate?]
    ) {
        self.region = region
        self.hwspec = hwspec
        self.frequencyRange = frequencyRange
        self.dataRates = dataRates
    }

    /// The modulation of a data rate; nil for a number that means nothing.
    public func modulation(_ dataRate: UInt8) -> LoRaModulation? {
        dataRates.indices.contains(Int(dataRate)) ? dataRates[Int(dataRate)]?.modulation : nil  // safe: looked up
    }

    /// The number of an uplink's modulation: the first one, preferably of those that devices send with.
    public func dataRate(uplink modulation: LoRaModulation) -> UInt8? {
        let place =
            dataRates.firstIndex { $0?.modulation == modulation && $0?.isDownOnly == false }
            ?? dataRates.firstIndex { $0?.modulation == modulation }
        return place.map { UInt8($0) }
    }

    /// Whether the server wants a frame: its network or join server is among those named.
    public func accepts(_ frame: LoRaWANFrame) -> Bool {
        switch frame {
        case .joinRequest(let request): return accepts(joinEUI: request.joinEUI.rawValue)
        case .rejoinRequest(let rest):
            guard let request = try? LoRaWANJoinRequest([0xC0] + rest) else { return false }
            return accepts(joinEUI: request.joinEUI.rawValue)
        case .data(let data):
            guard let netIDs else { return true }
            return netIDs.contains { $0 & 0x7F == UInt32(data.devAddr.networkID) }
        case .proprietary: return true
        case .joinAccept: return false
        }
    }

    private func accepts(joinEUI: UInt64) -> Bool { joinEUIs?.contains { $0.contains(joinEUI) } ?? true }
}
