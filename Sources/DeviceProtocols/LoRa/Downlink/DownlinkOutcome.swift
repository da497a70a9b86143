/// What the queue answers to a request: exactly one answer each, at once.
public enum DownlinkOutcome: Hashable, Sendable {
    /// It will be sent.
    case accepted(Acceptance)
    /// It will not.
    case refused(DownlinkRefusal)

    /// When and how a frame will be sent.
    public struct Acceptance: Hashable, Sendable {
        /// The radio's clock at its first symbol.
        public var count: UInt64
        /// Microseconds on the air.
        public var airtime: UInt64
        /// What is radiated in dBm EIRP.
        public var eirp: Int8
        /// Whether that is not what was asked for: TX_POWER's warning, with ``eirp`` as its value.
        public var isPowerChanged: Bool
    }

    /// GWMP's answer.
    public var txpkAck: GWMPTxpkAck {
        switch self {
        case .accepted(let acceptance):
            acceptance.isPowerChanged ? GWMPTxpkAck(warn: .txPower, value: Double(acceptance.eirp)) : GWMPTxpkAck()
        case .refused(let refusal): GWMPTxpkAck(error: refusal.reason)
        }
    }
}

/// What the queue's owner has to do, or is told.
public enum DownlinkAction: Hashable, Sendable {
    /// Hand this to the radio now; when it refuses, call ``DownlinkQueue/radioRefused(id:rfChain:)``.
    case transmit(id: UInt64, RadioDownlink)
    /// The frame is on the air, or has been: `dntxed` of Basics Station.
    case emitted(id: UInt64, count: UInt64, airtime: UInt64)
    /// The frame is not sent, though it was accepted.
    case failed(id: UInt64, DownlinkFailure)
}
