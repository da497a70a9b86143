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

    init(_ uplink: RadioUplink, receivedAt: UTCTime, isLate: Bool = false, record: UInt64? = nil) {
        self.uplink = uplink
        self.receivedAt = receivedAt
        self.isLate = isLate
        self.record = record
    }

    /// The element of `rxpk`.
    ///
    /// A late one says so in `meta`, and when it was received: `time` is for GPS time only.
    private(set) lazy var json: String = {
        var rxpk = GWMPRxpk(uplink)
        if isLate { rxpk.meta = ["late": "true", "received": receivedAt.description] }
        return rxpk.json
    }()
}
