import DeviceCore
import DeviceProtocols

/// A frame on its way to the servers. Lives on the gateway's event loop; its JSON is made once for all up-links.
final class ReceivedFrame {
    let uplink: RadioUplink
    /// When the host had it, by the host's clock: microseconds since 1970.
    let receivedAt: UTCTime
    /// Whether it was kept because a server was away: the time for an answer is over.
    let isLate: Bool
    /// The record that holds it while it is kept.
    let record: UInt64?
    /// What a script has said of it.
    let note: String?
    /// Whether it was sent before and nobody acknowledged it.
    let isRepeated: Bool

    init(
        _ uplink: RadioUplink, receivedAt: UTCTime, isLate: Bool = false, record: UInt64? = nil, note: String? = nil,
        isRepeated: Bool = false
    ) {
        self.uplink = uplink
        self.receivedAt = receivedAt
        self.isLate = isLate
        self.record = record
        self.note = note
        self.isRepeated = isRepeated
    }

    /// The same frame, to be sent a second time.
    var repeated: ReceivedFrame {
        ReceivedFrame(uplink, receivedAt: receivedAt, isLate: isLate, record: record, note: note, isRepeated: true)
    }

    /// The frame as GWMP has it, with a script's note in `meta`.
    var rxpk: GWMPRxpk {
        var rxpk = GWMPRxpk(uplink)
        if let note { rxpk.meta["note"] = note }
        return rxpk
    }

    /// The element of `rxpk`.
    ///
    /// A late one says so in `meta`, and when it was received: `time` is for GPS time only.
    private(set) lazy var json: String = {
        var rxpk = rxpk
        if isLate {
            rxpk.meta["late"] = "true"
            rxpk.meta["received"] = receivedAt.description
        }
        return rxpk.json
    }()
}
