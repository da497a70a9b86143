import DeviceCore
import DeviceProtocols

/// What the page shows: the last frames, the last downlinks, and an hour in steps of a minute. Bounded by its limits.
struct GatewayHistory {
    struct Frame {
        var receivedAt: UTCTime
        var uplink: RadioUplink
        var airtime: UInt64
    }

    struct Downlink {
        var id: UInt64
        var requestedAt: UTCTime
        var uplinkName: String
        var frame: RadioDownlink
        var airtime: UInt64
        var fate: String
    }

    /// One minute's use.
    struct Minute {
        /// Minutes since 1970.
        var minute: Int64
        var frames: UInt64 = 0
        /// Microseconds on the air, up and down.
        var airtimeUp: UInt64 = 0
        var airtimeDown: UInt64 = 0
    }

    /// One frequency's use since the start.
    struct Channel {
        var frames: UInt64 = 0
        var badCRC: UInt64 = 0
        var airtimeUp: UInt64 = 0
        var downlinks: UInt64 = 0
        var airtimeDown: UInt64 = 0
    }

    static let frameLimit = 200
    static let downlinkLimit = 50
    static let minuteLimit = 60
    static let channelLimit = 128

    private(set) var frames: [Frame] = []
    private(set) var downlinks: [Downlink] = []
    private(set) var minutes: [Minute] = []
    private(set) var channels: [RadioFrequency: Channel] = [:]

    mutating func add(_ uplink: RadioUplink, at time: UTCTime) {
        let format = TimeOnAir.Format(codingRate: uplink.codingRate ?? .fourFifths, hasCRC: uplink.crc != .none)
        let airtime = TimeOnAir.microseconds(
            bytes: uplink.payload.count, modulation: uplink.modulation, format: format)
        if frames.count >= Self.frameLimit * 2 { frames.removeFirst(Self.frameLimit) }
        frames.append(Frame(receivedAt: time, uplink: uplink, airtime: airtime))
        minute(time) { minute in
            minute.frames += 1
            minute.airtimeUp += airtime
        }
        channel(uplink.frequency) { channel in
            channel.frames += 1
            if uplink.crc == .bad { channel.badCRC += 1 }
            channel.airtimeUp += airtime
        }
    }

    mutating func add(_ id: UInt64, _ fate: DownlinkFate, _ frame: RadioDownlink, from name: String, at time: UTCTime) {
        let airtime = TimeOnAir.microseconds(of: frame)
        if let index = downlinks.lastIndex(where: { $0.id == id }) {
            downlinks[index].fate = fate.word  // safe: found above
        } else {
            if downlinks.count >= Self.downlinkLimit { downlinks.removeFirst() }
            downlinks.append(
                Downlink(
                    id: id, requestedAt: time, uplinkName: name, frame: frame, airtime: airtime, fate: fate.word))
        }
        guard case .transmitted = fate else { return }
        minute(time) { $0.airtimeDown += airtime }
        channel(frame.frequency) { channel in
            channel.downlinks += 1
            channel.airtimeDown += airtime
        }
    }

    private mutating func minute(_ time: UTCTime, _ change: (inout Minute) -> Void) {
        let number = time.microseconds / 60_000_000
        if minutes.last?.minute != number {
            if minutes.count >= Self.minuteLimit { minutes.removeFirst() }
            minutes.append(Minute(minute: number))
        }
        change(&minutes[minutes.count - 1])  // safe: one was just made, or is there
    }

    private mutating func channel(_ frequency: RadioFrequency, _ change: (inout Channel) -> Void) {
        // Frequencies come from the air and from servers; a radio has ten.
        guard channels[frequency] != nil || channels.count < Self.channelLimit else { return }
        change(&channels[frequency, default: Channel()])
    }
}
