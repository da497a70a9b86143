/// How a radio looks whether a channel is free before it sends (LBT, also CCA): `lbt` of Semtech's `sx1261_conf`, and
/// `lbt_cfg` of files for the SX1301.
///
/// The radio listens for the scan time up to a frame's start. When it hears as much as ``rssiTarget`` the frame is not
/// sent, which ``RadioTransmitStatus/channelBusy`` says.
public struct ListenBeforeTalk: Hashable, Sendable {
    /// A channel that may be sent on.
    public struct Channel: Hashable, Sendable {
        /// Its frequency (`freq_hz`).
        public var frequency: RadioFrequency
        /// What is listened to around it, in kHz (`bandwidth`).
        public var bandwidth: UInt16
        /// How long, in microseconds (`scan_time_us`: the chips know 128 and 5000).
        public var scanTime: UInt16
        /// The longest frame in microseconds (`transmit_time_ms`); nil without limit.
        public var longestFrame: UInt64?

        /// Makes a channel.
        public init(frequency: RadioFrequency, bandwidth: UInt16 = 125, scanTime: UInt16, longestFrame: UInt64? = nil) {
            self.frequency = frequency
            self.bandwidth = bandwidth
            self.scanTime = scanTime
            self.longestFrame = longestFrame
        }
    }

    /// From this strength on a channel counts as taken, in dBm (`rssi_target`).
    public var rssiTarget: Int8
    /// Added to what the listening chip measures, in dB (`rssi_offset`).
    public var rssiOffset: Int8
    /// How long it listens where ``channels`` are not named, in microseconds.
    public var scanTime: UInt16
    /// The channels that may be sent on; empty: every frequency.
    public var channels: [Channel]

    /// Makes settings.
    public init(rssiTarget: Int8, rssiOffset: Int8 = 0, scanTime: UInt16 = 5000, channels: [Channel] = []) {
        self.rssiTarget = rssiTarget
        self.rssiOffset = rssiOffset
        self.scanTime = scanTime
        self.channels = channels
    }

    /// What the law of a region asks for, by the name that settings or a server's `router_config` have: South Korea and
    /// Japan, with Basics Station's figures; nil for other regions.
    public init?(regionNamed name: String) {
        switch name.uppercased() {
        case "KR920", "KR920-923": self.init(rssiTarget: -67)
        case "AS923JP", "AS923-JP": self.init(rssiTarget: -80)
        default: return nil
        }
    }

    /// How a frequency is listened to; nil for one that may not be sent on.
    public func channel(at frequency: RadioFrequency) -> Channel? {
        guard !channels.isEmpty else { return Channel(frequency: frequency, scanTime: scanTime) }
        return channels.first { $0.frequency == frequency }
    }
}
