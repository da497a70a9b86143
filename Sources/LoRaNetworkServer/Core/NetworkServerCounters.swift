/// What a virtual network server has seen and done.
public struct NetworkServerCounters: Hashable, Sendable {
    /// Frames from gateways, whatever they were worth.
    public var uplinks: UInt64 = 0
    /// Requests to join that were granted.
    public var joins: UInt64 = 0
    /// Data frames of known devices that were new.
    public var data: UInt64 = 0
    /// Frames that had come already: by another gateway or up-link, or sent again.
    public var duplicates: UInt64 = 0
    /// Frames of devices that it does not know, and what is no LoRaWAN.
    public var unknown: UInt64 = 0
    /// Frames with a wrong integrity code or an old counter.
    public var wrongMIC: UInt64 = 0
    /// Counters that were left out by devices: frames that were lost on the way.
    public var missing: UInt64 = 0

    /// Frames given to gateways for a first window, a second window, and at once.
    public var downlinksFirst: UInt64 = 0
    /// For the second window.
    public var downlinksSecond: UInt64 = 0
    /// For class C.
    public var downlinksClassC: UInt64 = 0
    /// Frames that a gateway took (TX_ACK without an error) or sent (dntxed).
    public var accepted: UInt64 = 0
    /// Frames that a gateway refused, by its word.
    public var refused: [String: UInt64] = [:]
    /// Frames that no gateway could be given: it has not asked for any.
    public var undeliverable: UInt64 = 0

    /// What gateways and others sent that their protocol does not allow, by kind.
    public var bad: [String: UInt64] = [:]

    /// All frames given to gateways.
    public var downlinks: UInt64 { downlinksFirst + downlinksSecond + downlinksClassC }

    /// All zero.
    public init() {}
}
