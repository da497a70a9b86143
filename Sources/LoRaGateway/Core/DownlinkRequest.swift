import DeviceProtocols

/// What a server calls the frame that it wants sent, for the answer.
enum DownlinkTicket: Hashable, Sendable {
    /// The token of a PULL_RESP.
    case gwmp(UInt16)
    /// A number of the LNS link's own.
    case lns(UInt64)
    /// The cluster message's `id`.
    case cluster(String)
}

/// A frame that a server wants sent.
struct DownlinkRequest: Sendable {
    /// When a frame is wanted on the air.
    enum Timing: Hashable, Sendable {
        /// As soon as there is room: class C.
        case immediately
        /// At a value of the low 32 bits of the radio's clock: class A, as GWMP says it.
        case counter(UInt32)
        /// At a value of the radio's clock.
        case count(UInt64)
        /// At a GPS time in microseconds: class B.
        case gps(microseconds: UInt64)
    }

    /// One way to send it; RX1 and RX2 are two.
    struct Candidate: Sendable {
        var timing: Timing
        /// The frame; its `count` and `power` are still to be decided.
        var downlink: RadioDownlink
        /// The power that is wanted, radiated (dBm EIRP less the antenna's gain is what the radio makes); nil: the most
        /// that is allowed.
        var power: Double?
    }

    /// Tried in this order until one has room; at most one is sent.
    var candidates: [Candidate]
    var ticket: DownlinkTicket

    init(_ candidates: [Candidate], ticket: DownlinkTicket) {
        self.candidates = candidates
        self.ticket = ticket
    }

    /// A `txpk` as it came.
    init(_ txpk: GWMPTxpk, ticket: DownlinkTicket) {
        let timing: Timing =
            switch txpk.timing {
            case .immediately: .immediately
            case .counter(let counter): .counter(counter)
            case .gps(let milliseconds):
                .gps(microseconds: milliseconds.multipliedReportingOverflow(by: 1000).partialValue)
            }
        var preamble: UInt16 = 8
        if case .fsk = txpk.modulation { preamble = 5 }
        let downlink = RadioDownlink(
            count: nil, frequency: txpk.freq, modulation: txpk.modulation, codingRate: txpk.codr ?? .fourFifths,
            power: 0, invertsPolarity: txpk.ipol, preamble: txpk.prea ?? preamble, hasCRC: !txpk.ncrc,
            isImplicitHeader: txpk.nhdr, frequencyDeviation: txpk.fdev ?? 25_000, rfChain: txpk.rfch,
            payload: txpk.payload)
        self.init([Candidate(timing: timing, downlink: downlink, power: txpk.powe.map { Double($0) })], ticket: ticket)
    }
}

/// What became of a frame to send.
enum DownlinkOutcome: Sendable {
    /// It has its time; the power that will be used, where it is less than what was asked for.
    case accepted(reducedPower: Int8?)
    case refused(GWMPTxpkAck.Reason)
    /// It is on the air, or has been: the radio's clock at its first symbol, and which of the candidates it was.
    case transmitted(count: UInt64, downlink: RadioDownlink, candidate: Int)
    /// It was accepted, but the radio did not send it.
    case failed

    /// What GWMP says of it; nil where it says nothing.
    var acknowledgement: GWMPTxpkAck? {
        switch self {
        case .accepted(let power):
            GWMPTxpkAck(warn: power.map { _ in .txPower }, value: power.map { Double($0) })
        case .refused(let reason): GWMPTxpkAck(error: reason)
        case .transmitted, .failed: nil
        }
    }
}
