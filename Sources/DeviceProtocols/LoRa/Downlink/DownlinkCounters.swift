/// What a downlink queue has done since it was made. `requested` is the sum of `accepted` and all refusals; `accepted`
/// that of `emitted`, all failures and what waits.
public struct DownlinkCounters: Hashable, Sendable {
    /// Requests.
    public internal(set) var requested: UInt64 = 0
    /// Requests that were accepted.
    public internal(set) var accepted: UInt64 = 0
    /// Of these, requests whose power was changed.
    public internal(set) var powerChanged: UInt64 = 0
    /// Requests that were refused, by reason.
    public internal(set) var refused: [DownlinkRefusal: UInt64] = [:]
    /// Frames handed to the radio.
    public internal(set) var handedOver: UInt64 = 0
    /// Frames that went on the air.
    public internal(set) var emitted: UInt64 = 0
    /// Accepted frames that did not, by reason.
    public internal(set) var failed: [DownlinkFailure: UInt64] = [:]
    /// Microseconds on the air.
    public internal(set) var airtime: UInt64 = 0
}
