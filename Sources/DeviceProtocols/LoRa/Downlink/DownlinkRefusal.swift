/// Why a frame is not sent.
public enum DownlinkRefusal: String, CaseIterable, Error, Sendable, CustomStringConvertible {
    /// Its time is past, or too near for the radio.
    case tooLate = "too-late"
    /// Its time is further ahead than a server may plan.
    case tooEarly = "too-early"
    /// Another frame has the time, or is on the air then.
    case collisionPacket = "collision-packet"
    /// A beacon has the time.
    case collisionBeacon = "collision-beacon"
    /// As many frames wait as may.
    case queueFull = "queue-full"
    /// The RF chain does not exist or never sends.
    case txChain = "tx-chain"
    /// The radio does not send on this frequency, or the law forbids it.
    case txFrequency = "tx-freq"
    /// GPS time was asked for and there is none.
    case gpsUnlocked = "gps-unlocked"
    /// The band's share of the hour is used up.
    case dutyCycle = "duty-cycle"
    /// Longer on the air than is allowed or makes sense.
    case dwellTime = "dwell-time"
    /// The radio has no such modulation, or the frame is too long.
    case unsupported = "unsupported"

    /// The word of GWMP's TX_ACK. `DUTY_CYCLE_OVERFLOW` is ChirpStack's; where no word fits, `UNKNOWN`.
    public var reason: GWMPTxpkAck.Reason {
        switch self {
        case .tooLate: .tooLate
        case .tooEarly: .tooEarly
        case .collisionPacket, .queueFull: .collisionPacket
        case .collisionBeacon: .collisionBeacon
        case .txChain, .txFrequency: .txFreq
        case .gpsUnlocked: .gpsUnlocked
        case .dutyCycle: GWMPTxpkAck.Reason("DUTY_CYCLE_OVERFLOW")
        case .dwellTime, .unsupported: .unknown
        }
    }

    /// One clause for a person.
    public var description: String {
        switch self {
        case .tooLate: "its time is past or too near"
        case .tooEarly: "its time is too far ahead"
        case .collisionPacket: "another frame has its time"
        case .collisionBeacon: "a beacon has its time"
        case .queueFull: "too many frames wait already"
        case .txChain: "its RF chain does not send"
        case .txFrequency: "its frequency is not one that may be sent on"
        case .gpsUnlocked: "there is no GPS time"
        case .dutyCycle: "the band's duty cycle is used up"
        case .dwellTime: "it would be on the air for too long"
        case .unsupported: "the radio has no such modulation or length"
        }
    }
}

/// Why a frame that was accepted has not gone on the air after all.
public enum DownlinkFailure: String, CaseIterable, Sendable {
    /// The queue was not asked in time, or the sender was busy until it was too late.
    case missed
    /// The radio refused it.
    case refusedByRadio = "refused-by-radio"
    /// The radio took it, but did not send when it was to.
    case notEmitted = "not-emitted"
    /// The radio was restarted.
    case restarted
    /// The radio listened before it talked, and somebody else was on the channel.
    case channelBusy = "channel-busy"
}
