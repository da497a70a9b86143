import DeviceProtocols

/// What a server calls the frame that it wants sent, for the answer.
enum DownlinkTicket: Hashable, Sendable {
    /// The token of a PULL_RESP.
    case gwmp(UInt16)
    /// A number of the LNS link's own.
    case lns(UInt64)
    /// The cluster message's `id`.
    case cluster(String)
    /// The gateway's own beacon.
    case beacon
}

/// A frame that a server wants sent.
struct ServerDownlink: Sendable {
    /// Tried in this order until one has room, such as RX1 and RX2; at most one is sent. Their ids are set by the desk.
    var candidates: [DownlinkRequest]
    var ticket: DownlinkTicket
}

/// What became of a frame to send. First accepted or refused, then, when it was accepted, transmitted or failed.
enum DownlinkFate: Sendable {
    case accepted(DownlinkOutcome.Acceptance)
    case refused(DownlinkRefusal)
    /// Its up-link is for uplinks only.
    case unwanted
    /// A script does not want it sent, and why.
    case vetoed(String)
    /// It is on the air, or has been: the radio's clock at its first symbol, and which of the candidates it was.
    case transmitted(count: UInt64, candidate: Int)
    /// It was accepted, but the radio did not send it.
    case failed(DownlinkFailure)

    /// What GWMP says of it; nil where it says nothing.
    var acknowledgement: GWMPTxpkAck? {
        switch self {
        case .accepted(let acceptance): DownlinkOutcome.accepted(acceptance).txpkAck
        case .refused(let refusal): DownlinkOutcome.refused(refusal).txpkAck
        case .unwanted, .vetoed: GWMPTxpkAck(error: .unknown)
        case .transmitted, .failed: nil
        }
    }

    /// One word for the page and the metrics.
    var word: String {
        switch self {
        case .accepted: "waiting"
        case .refused(let refusal): refusal.rawValue
        case .unwanted: "uplink-only"
        case .vetoed: "refused-by-script"
        case .transmitted: "sent"
        case .failed(let failure): failure.rawValue
        }
    }
}
